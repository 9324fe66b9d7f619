"""Triton's extensions, as the unmodified tritonclient meets them, in an environment and a process of its own."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.serving import artifacts, graphs, recurrent
from tests.serving.environment import run
from tests.serving.process import Process, serving

# The first run installs.
pytestmark = pytest.mark.timeout(900)

Facts = dict[str, Any]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A server of a few models that takes tensors from shared memory and logs each request."""
    models = tmp_path_factory.mktemp("models")
    artifacts.write_classifier(models, "side", 1)
    artifacts.write_classifier(models, "side", 2)
    graphs.join(models / "join" / "1" / "model.onnx")
    graphs.pick(models / "pick" / "1" / "model.onnx")
    recurrent.remember(models / "remember" / "1" / "model.onnx")
    options = (
        "--shared-memory",
        "--log-requests",
        "--max-batch-size",
        "4",
        "--queue-timeout-ms",
        "20000",
        "--versions",
        "all",
    )
    with serving(models, models / "log", *options) as process:
        yield process


@pytest.fixture(scope="module")
def facts(server: Process) -> Facts:
    """What tritonclient found out about `server`."""
    found: Facts = json.loads(run("extensions.py", server.address))
    return found


def test_configuration_says_how_a_model_is_run(facts: Facts) -> None:
    """A configuration has the tensors without the batch, what shares a run, and how requests wait."""
    side = facts["described"]["side"]
    assert (side["name"], side["platform"], side["backend"]) == ("side", "onnxruntime_onnx", "onnxruntime")
    assert side["max_batch_size"] == 4
    assert side["input"] == [{"name": "image", "data_type": "TYPE_UINT8", "dims": ["8", "8", "1"]}]
    assert side["output"] == [{"name": "probabilities", "data_type": "TYPE_FP32", "dims": ["4"]}]
    assert side["version_policy"] == {"all": {}}
    assert side["default_model_filename"] == "model.onnx"
    assert side["instance_group"][0]["kind"] == "KIND_CPU"
    batching = side["dynamic_batching"]
    assert set(batching["preferred_batch_size"]) <= {1, 2, 4}
    assert (batching["priority_levels"], batching["default_priority_level"]) == ("2", "2")
    policy = {"default_timeout_microseconds": "20000000", "allow_timeout_override": True, "max_queue_size": 512}
    assert batching["default_queue_policy"] == policy
    assert "sequence_batching" not in side


def test_configuration_of_strings(facts: Facts) -> None:
    """What the protocol calls BYTES is a string in a configuration."""
    join = facts["described"]["join"]
    assert [(each["name"], each["data_type"]) for each in join["input"]] == [
        ("name", "TYPE_STRING"),
        ("number", "TYPE_INT64"),
    ]


def test_unknown_model_has_no_configuration(facts: Facts) -> None:
    """The configuration of a model that is not there is NOT_FOUND."""
    assert facts["described"]["nobody"][0] == "StatusCode.NOT_FOUND"


def test_server_names_its_extensions(facts: Facts) -> None:
    """The server's metadata name the extensions that perf_analyzer looks for, and none that are not there."""
    extensions = {
        *("model_repository", "model_configuration", "schedule_policy", "sequence", "logging"),
        *("statistics", "system_shared_memory"),
    }
    assert set(facts["described"]["extensions"]) == extensions


def test_statistics_are_true(facts: Facts) -> None:
    """Statistics count just the requests that were sent, their rows and runs, and their time."""
    counted = facts["counted"]
    assert {name: counted[name][0] for name in ("success", "fail")} == {"success": 5, "fail": 1}
    stages = ("queue", "compute_input", "compute_infer", "compute_output")
    # What was refused was looked at, and went no further.
    assert [counted[stage][0] for stage in stages] == [5, 6, 5, 5]
    assert all(counted[stage][1] > 0 for stage in stages)
    assert sum(counted[stage][1] for stage in stages) <= counted["success"][1] + counted["fail"][1]
    assert counted["inferences"] == 8
    assert counted["executions"] == 5
    assert counted["batches"] == {"1": 2, "2": 3}
    assert 0 <= counted["last s ago"] < 60


def test_statistics_are_of_the_models_that_are_asked_for(facts: Facts) -> None:
    """Without a name all models are told of, without a version all versions; an unknown one is NOT_FOUND."""
    counted = facts["counted"]
    assert sorted(map(tuple, counted["models"])) == [
        *(("join", "1"), ("pick", "1"), ("remember", "1"), ("side", "1"), ("side", "2")),
    ]
    assert counted["versions"] == ["1", "2"]
    assert counted["one version"] == ["1"]
    assert counted["nobody"][0] == "StatusCode.NOT_FOUND"


def test_stream_answers_each_request_in_order(facts: Facts) -> None:
    """A stream answers its requests in their order; a bad one fails alone, and its error says why."""
    streamed = facts["streamed"]
    good = [number for number in range(30) if number != 7]
    assert streamed["picked"] == [10 + number % 3 for number in good]
    assert streamed["ids"] == [str(number) for number in good]
    assert streamed["final"] is True
    ((place, text),) = streamed["error"]
    assert place == 7
    assert "idx=99 must be within the inclusive range" in text


def test_asyncio_client_streams(facts: Facts) -> None:
    """The package's asyncio client streams as well."""
    assert facts["asyncio"] == [10, 11, 12]


def test_tensors_pass_through_shared_memory(facts: Facts) -> None:
    """Inputs are read from shared memory and outputs written to it, at their offsets, numbers and strings."""
    shared = facts["shared"]
    assert shared["picked"] == [12, 10, 11]
    assert shared["response"] == [[3], [0]]
    assert shared["only in"] == [12, 10, 11]
    assert shared["text"] == [["a1", "größer-20"]]
    assert shared["status"]["byte_size"] == "64"
    assert shared["after"] == {}


def test_wrong_regions_are_refused(facts: Facts) -> None:
    """What is not within a region, or in none, is refused with a text that says so."""
    shared = facts["shared"]
    refused = {
        "again": ("ALREADY_EXISTS", "there is a region 'in'"),
        "too small": ("INVALID_ARGUMENT", "24 bytes are to be written to region 'out', 16 set aside"),
        "beyond": ("INVALID_ARGUMENT", "24 bytes from 48 are not within region 'in', which has 64"),
        "unknown": ("INVALID_ARGUMENT", "no region 'in' of shared memory is registered"),
        "no such memory": ("INVALID_ARGUMENT", "'/hondo_nothing' cannot be opened"),
    }
    for case, (code, text) in refused.items():
        assert shared[case][0] == f"StatusCode.{code}"
        assert text in shared[case][1]


def test_what_is_not_there_says_so(facts: Facts) -> None:
    """CUDA's shared memory, trace settings and a file for the log are UNIMPLEMENTED, saying what to do instead."""
    nothing = facts["nothing behind"]
    assert nothing["cuda status"] == {}
    for case, hint in {"cuda": "system shared memory", "trace": "--traces", "log file": "standard error"}.items():
        assert nothing[case][0] == "StatusCode.UNIMPLEMENTED"
        assert hint in nothing[case][1]


def test_log_settings_are_changed(facts: Facts) -> None:
    """Triton's log settings are read and changed; one that there is not is refused, and those that there are named."""
    told = facts["log settings"]
    assert told["changed"] == told["kept"]
    assert told["kept"]["settings"]["log_info"] == {"bool_param": False}
    assert told["kept"]["settings"]["log_verbose_level"] == {"uint32_param": 2}
    for name in ("log_info", "log_warning", "log_error"):
        assert told["back"]["settings"][name] == {"bool_param": True}
    assert told["wrong"][0] == "StatusCode.INVALID_ARGUMENT"
    assert "log_info, log_warning, log_error, log_verbose_level" in told["wrong"][1]


def test_sequences_go_on(facts: Facts) -> None:
    """Interleaved sequences go on where they were, one call at a time and on a stream; their end is their end."""
    sequences = facts["sequences"]
    assert sequences["unary"] == [1, 5, 12, 56, 123, 567]
    assert sequences["streamed"] == [2, 24, 246]
    assert sequences["state"] == [{"input_name": "h", "output_name": "next_h"}]
    code, text = sequences["over"]
    assert code == "StatusCode.INVALID_ARGUMENT"
    assert "there is no sequence '7'" in text


def test_keepalive_keeps_a_stream_alive(facts: Facts) -> None:
    """Who asks twice a second whether the connection lives is not cut off."""
    assert facts["kept alive"] == 12


def test_compressed_requests_are_answered(facts: Facts) -> None:
    """Requests may be compressed by either way that gRPC has."""
    assert facts["compressed"] == [12, 12, 12]


def test_custom_header_names_the_request(facts: Facts, server: Process) -> None:
    """A request id that comes as a header is what the log calls the request; else it is the message's own."""
    assert facts["headed"] == 10
    lines = server.log.read_text().splitlines()
    assert any("ModelInfer pick/1 OK" in line and line.endswith("[request a name of mine]") for line in lines)
    assert any("ModelStreamInfer pick/1 INVALID_ARGUMENT" in line and line.endswith("[request 7]") for line in lines)
