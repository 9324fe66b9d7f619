import json

from click.testing import CliRunner

from hondo.cli import main
from tests.serving import words
from tests.serving.artifacts import LABELS
from tests.serving.process import Process


def test_models_are_listed_for_people(server: Process) -> None:
    """Each model has its version, task, summary, scores and tensors; a bare ONNX file is called that."""
    result = CliRunner().invoke(main, ["models", "--server", server.address])
    assert result.exit_code == 0
    text = result.stdout
    assert text.index("side version 2: classification") < text.index("side version 1: classification")
    assert "  Says on which side a picture is bright.\n  takes pictures, seen at 8 x 8 x 1\n  error 0.25 %" in text
    assert "mood version 1: classification\n  Says whether a text is glad or sad.\n  takes texts, seen up to 8" in text
    assert "  takes rows of 2 numbers: x, y\n" in text
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
