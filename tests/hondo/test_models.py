import json
from pathlib import Path

from click.testing import CliRunner

from hondo.cli import main
from hondo.models import _describe
from protos.hondo_pb2 import Model
from protos.manifest_pb2 import EdgeDetection, ImageFilter, Manifest, Precision, Score
from tests.serving import artifacts, words
from tests.serving.artifacts import LABELS
from tests.serving.process import Process, serving


def test_models_are_listed_for_people(server: Process) -> None:
    """Each model has its version, task, summary, scores and tensors; a bare ONNX file is called that."""
    result = CliRunner().invoke(main, ["models", "--server", server.address])
    assert result.exit_code == 0
    text = result.stdout
    assert text.index("side version 2: classification") < text.index("side version 1: classification")
    assert "  Says on which side a picture is bright.\n  takes pictures, seen at 8 x 8 x 1\n  error 0.25 %" in text
    assert "mood version 1: classification\n  Says whether a text is glad or sad.\n  takes texts, seen up to 8" in text
    assert "  takes rows of 2 numbers: x, y\n" in text
    assert "writer version 1: text_generation\n  Writes a hash of what it has seen.\n  takes a prompt, from" in text
    assert "  model: image UINT8[?,8,8,1] -> probabilities FP32[?,4]\n" in text
    assert "join version 1: bare ONNX file\n  model: name BYTES[?,2], number INT64[?,2] -> text" in text


def test_models_are_listed_for_programs(server: Process) -> None:
    """--json prints an object for each version, the manifest in it but for its vocabulary."""
    result = CliRunner().invoke(main, ["models", "--server", server.address, "--json"])
    models = [json.loads(line) for line in result.stdout.splitlines()]
    (newest, older) = (model for model in models if model["name"] == "side")
    assert (newest["version"], older["version"]) == (2, 1)
    assert newest["manifest"]["classification"]["labels"] == list(LABELS)
    (mood,) = (model for model in models if model["name"] == "mood")
    assert mood["manifest"]["classification"]["text"] == {"tokenizer": "KIM", "length": words.LENGTH}


def test_what_is_not_served_is_listed_last(tmp_path: Path) -> None:
    """Versions that are there but not served follow with the reason; JSON tells them by their state."""
    for version in (1, 2):
        artifacts.write_classifier(tmp_path, version=version)
    with serving(tmp_path, tmp_path / "log") as process:
        asked = ["models", "--server", process.address]
        lines = CliRunner().invoke(main, asked).stdout.splitlines()
        assert lines[-1] == "side version 1: not served (not chosen): the setting `versions` is newest"
        served, absent = map(json.loads, CliRunner().invoke(main, [*asked, "--json"]).stdout.splitlines())
    assert (served["version"], "state" in served) == (2, False)
    assert (absent["name"], absent["version"], absent["state"]) == ("side", 1, "NOT_CHOSEN")


def test_a_lowered_model_tells_what_it_costs_and_saves() -> None:
    """Its precision is listed with speed, batch and machine, and both scores."""
    full, lowered = (Score(metric="error", value=value, unit="%") for value in (8.27, 8.3))
    precision = Precision(
        name="int8", full=full, lowered=lowered, speed_ratio=2.93, batch=16, machine="Some CPU, 2 cores"
    )
    told = _describe(Model(name="net", version=1, task="classification", manifest=Manifest(precision=precision)))
    assert "  int8: 2.9 times fp32's speed at batch 16 on Some CPU, 2 cores; error 8.3 %, fp32's 8.27 %" in told


def test_models_of_pictures_of_any_size_tell_their_colours() -> None:
    """An edge detector or a filter is listed with what it sees of a picture."""
    detector = Manifest(edge_detection=EdgeDetection(channels=3))
    assert "  takes pictures of any size, seen in colour" in _describe(Model(name="edges", manifest=detector))
    filtered = Manifest(image_filter=ImageFilter(channels=1))
    assert "  takes pictures of any size, seen in grey" in _describe(Model(name="blur", manifest=filtered))
