"""The unmodified tritonclient package, in a virtual environment and a process of its own, against the real server."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from PIL import Image

from hondo import artifact
from protos import inference_pb2, model_config_pb2, triton_pb2
from protos.generate import ROOT
from protos.pool import POOL
from tests.serving import artifacts
from tests.serving.environment import run
from tests.serving.process import Process, serving

# The first run installs.
pytestmark = pytest.mark.timeout(900)

LENET5: Final = ROOT / "models" / "lenet5" / "1"

Facts = dict[str, Any]


@pytest.fixture(scope="module")
def facts(server: Process) -> Facts:
    """What tritonclient found out about `server`."""
    found: Facts = json.loads(run("facts.py", server.address))
    return found


def test_server_and_models_are_ready(facts: Facts) -> None:
    """The package finds the server live and ready, and the models and versions that are there."""
    assert facts["standing"]["live"] is True
    assert facts["standing"]["ready"] is True
    assert facts["standing"]["models ready"] == [True, True, False, False]


def test_metadata_are_understood(facts: Facts) -> None:
    """The package reads who the server is, and each model's versions and tensors."""
    extensions = ["model_repository", "model_configuration", "schedule_policy", "sequence", "logging", "statistics"]
    server = {"name": "hondo", "version": version("hondo"), "extensions": extensions}
    assert facts["standing"]["server"] == server
    assert facts["standing"]["side"] == {
        "name": "side",
        "versions": ["1", "2"],
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": "image", "datatype": "UINT8", "shape": ["-1", "8", "8", "1"]}],
        "outputs": [{"name": "probabilities", "datatype": "FP32", "shape": ["-1", "4"]}],
    }
    outputs = [(output["name"], output["datatype"]) for output in facts["standing"]["join"]["outputs"]]
    assert outputs == [("text", "BYTES"), ("double", "INT64")]


def test_two_inputs_give_a_string_output(facts: Facts) -> None:
    """Strings and numbers go in, a string and a number come out, and the request's id comes back."""
    assert facts["answers"]["text"] == [["a1", "größer-20"]]
    assert facts["answers"]["double"] == [[2, -40]]
    assert facts["answers"]["id"] == "request 7"


def test_requested_output_comes_alone(facts: Facts) -> None:
    """Only the output that was requested comes."""
    assert facts["answers"]["alone"] == ["double"]


def test_asynchronous_calls_are_answered(facts: Facts) -> None:
    """The package's callback and its asyncio client get the same answers."""
    assert facts["answers"]["async text"] == [["a1", "größer-20"]] * 3
    assert facts["asyncio"] == {"live": True, "text": [["a1", "größer-20"]]}


def test_every_datatype_passes(facts: Facts) -> None:
    """Arrays of every datatype that tritonclient makes of numpy's come back as they went in."""
    assert len(facts["same"]) == 13
    for datatype, came in facts["same"].items():
        assert came == [datatype, [[0.0, 1.0, 1.0]]]


def test_refusals_are_understood(facts: Facts) -> None:
    """The package raises its exception with the status and the text that names what was wrong."""
    assert facts["refusals"] == {
        "shape": [
            "StatusCode.INVALID_ARGUMENT",
            "inputs[0] 'image': shape [1, 9, 8, 1] came, [-1, 8, 8, 1] expected (-1 stands for any size)",
        ],
        "model": ["StatusCode.NOT_FOUND", facts["refusals"]["model"][1]],
        "version": ["StatusCode.NOT_FOUND", "model 'side' has no version 9; this server has 2, 1"],
        "inputs": [
            "StatusCode.INVALID_ARGUMENT",
            "inputs: 'number' missing; the model takes 'name' BYTES[-1, 2], 'number' INT64[-1, 2]",
        ],
        "classification": [
            "StatusCode.INVALID_ARGUMENT",
            "outputs[0].parameters: 'classification' is not supported by this server",
        ],
    }
    assert facts["refusals"]["model"][1].startswith("there is no model 'nobody'")


def messages(names: list[str]) -> list[str]:
    """Gives the full names of messages and of all that are defined within them."""
    nested = [
        f"{name}.{inner}"
        for name in names
        for inner in POOL.FindMessageTypeByName(f"inference.{name}").nested_types_by_name
    ]
    return [f"inference.{name}" for name in (*names, *nested)]


def fields(message: str) -> dict[str, list[object]]:
    """Gives number, name, type and label of each of a message's fields."""
    return {
        str(field.number): [
            field.name,
            field.type,
            field.is_repeated,
            field.message_type and field.message_type.full_name,
        ]
        for field in POOL.FindMessageTypeByName(message).fields
    }


PROTOCOL: Final = [*inference_pb2.DESCRIPTOR.message_types_by_name, *triton_pb2.DESCRIPTOR.message_types_by_name]


@pytest.mark.parametrize("message", messages(PROTOCOL))
def test_fields_are_those_that_tritonclient_has_compiled_in(facts: Facts, message: str) -> None:
    """Each message has tritonclient's own fields: numbers, names, types, labels."""
    assert fields(message) == facts["fields"][message]


@pytest.mark.parametrize("message", messages(list(model_config_pb2.DESCRIPTOR.message_types_by_name)))
def test_configuration_has_tritonclients_fields(facts: Facts, message: str) -> None:
    """What there is of Triton's configuration is as tritonclient has it; what has no meaning here is left out."""
    assert fields(message).items() <= facts["fields"][message].items()


def test_datatypes_have_tritonclients_numbers(facts: Facts) -> None:
    """The datatypes of a configuration have the numbers that tritonclient knows."""
    assert dict(model_config_pb2.DataType.items()) == facts["datatypes"]


def test_every_method_of_tritonclients_is_there(facts: Facts) -> None:
    """Each method of the service that tritonclient may call is there, and no other."""
    ours = {method.name for method in inference_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"].methods}
    theirs = set(facts["methods"])
    assert ours <= theirs
    assert theirs - ours == set()


@pytest.mark.parametrize("first", ["hondo", "tritonclient"])
def test_clients_work_side_by_side(server: Process, tmp_path: Path, first: str) -> None:
    """Hondo's client and tritonclient are imported into one process, in either order, and both get answers."""
    picture = tmp_path / "left.png"
    Image.fromarray(artifacts.bright("left")).save(picture)
    assert run("together.py", first, server.address, picture) == "left [[1, 2, 3]]"


def check_golden(address: str, place: Path, into: Path) -> None:
    """Holds that a model answers its golden inputs, asked through tritonclient, as the artifact promises."""
    read = artifact.read(place)
    _, promised = read.golden("model")
    run("golden.py", address, read.manifest.name, place / artifact.GOLDEN, into)
    with np.load(into) as answered:
        assert sorted(answered.files) == sorted(promised)
        for name, expected in promised.items():
            assert np.allclose(answered[name], expected, atol=1e-5)


def test_classifier_answers_as_promised(server: Process, models_dir: Path, tmp_path: Path) -> None:
    """A classifier's golden samples are answered through tritonclient."""
    check_golden(server.address, models_dir / "side" / "2", tmp_path / "out.npz")


@pytest.mark.skipif(not LENET5.exists(), reason="models/lenet5/1 is not there")
def test_released_model_answers_as_promised(tmp_path: Path) -> None:
    """The released LeNet-5 answers its golden samples through tritonclient."""
    with serving(LENET5.parent.parent, tmp_path / "log") as process:
        check_golden(process.address, LENET5, tmp_path / "out.npz")


def test_repository_is_listed_and_controlled(tmp_path: Path) -> None:
    """The package lists the models, unloads and loads one, and is told what is refused in its own errors."""
    for number in (1, 2):
        artifacts.write_classifier(tmp_path / "models", version=number)
    with serving(tmp_path / "models", tmp_path / "log", "--model-control") as process:
        facts = json.loads(run("repository.py", process.address))
    assert facts["at the start"] == [
        {"name": "side", "version": "1", "state": "UNAVAILABLE", "reason": "the setting `versions` is newest"},
        {"name": "side", "version": "2", "state": "READY"},
    ]
    assert facts["ready"] == [True, False, True]
    assert facts["unknown"] == ["StatusCode.NOT_FOUND", "there is no model 'nobody' to load; there are side"]
    assert facts["config"][0] == "StatusCode.INVALID_ARGUMENT"
