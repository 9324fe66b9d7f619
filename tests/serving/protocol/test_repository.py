"""Triton's repository extension: clients list, load and unload models, where the server permits it."""

import re
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckResponse

from protos.hondo_pb2 import ClassifyRequest
from protos.inference_pb2 import (
    ModelReadyRequest,
    ModelReadyResponse,
    ModelRepositoryParameter,
    RepositoryIndexRequest,
    RepositoryIndexResponse,
    RepositoryModelLoadRequest,
    RepositoryModelUnloadRequest,
    ServerMetadataRequest,
    ServerMetadataResponse,
)
from tests.serving import artifacts
from tests.serving.asking import ask, call_of, refusal
from tests.serving.health import check
from tests.serving.process import Process, serving
from tests.serving.requests import PICTURES
from tests.serving.swaps import OWN, Load, classify, newest, publish, remove, rename, wait_until


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of classifiers, one of which is loaded on request only."""
    models = tmp_path_factory.mktemp("models")
    publish(models, 1)
    publish(models, 2)
    publish(models, 1, "later")
    (models / "hondo.toml").write_text("[models.later]\nload = false\n")
    return models


@pytest.fixture(scope="module")
def server(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A server whose clients may load and unload."""
    with serving(models, tmp_path_factory.mktemp("log") / "log", "--model-control") as process:
        yield process


@pytest.fixture
def channel(server: Process) -> Iterator[grpc.Channel]:
    """A connection to `server`; all is as at the start again afterwards."""
    with grpc.insecure_channel(server.address) as channel:
        yield channel
        ask(channel, RepositoryModelLoadRequest(model_name="side"))


def index(channel: grpc.Channel, *, ready: bool = False) -> list[tuple[str, str, str, str]]:
    """Gives what the index has: name, version, state, reason."""
    answer = ask(channel, RepositoryIndexRequest(ready=ready))
    assert isinstance(answer, RepositoryIndexResponse)
    return [(each.name, each.version, each.state, each.reason) for each in answer.models]


def is_ready(channel: grpc.Channel, name: str) -> bool:
    answer = ask(channel, ModelReadyRequest(name=name))
    assert isinstance(answer, ModelReadyResponse)
    return answer.ready


def test_index_lists_all_that_is_there(channel: grpc.Channel) -> None:
    """Every version in the folder has its state in Triton's words; of those not served the reason is told."""
    assert index(channel) == [
        ("later", "1", "UNAVAILABLE", "it is loaded on request only (the setting `load`)"),
        ("side", "1", "UNAVAILABLE", "the setting `versions` is newest"),
        ("side", "2", "READY", ""),
    ]
    assert index(channel, ready=True) == [("side", "2", "READY", "")]


def test_unloaded_model_is_served_again_once_it_is_loaded(channel: grpc.Channel) -> None:
    """Unload takes a model out, load brings it back; both do no harm where nothing is to be done."""
    for _ in range(2):
        ask(channel, RepositoryModelUnloadRequest(model_name="side"))
        assert not is_ready(channel, "side")
    wait_until(lambda: check(channel, "side") == HealthCheckResponse.NOT_SERVING)
    code, text = refusal(channel, ClassifyRequest(model="side", images=PICTURES[:1]))
    assert code is grpc.StatusCode.NOT_FOUND
    assert re.fullmatch("model 'side' is not served: version 2: (it was unloaded|its last calls .*)", text)
    for _ in range(2):
        ask(channel, RepositoryModelLoadRequest(model_name="side"))
        assert classify(channel, 0) == 2
    wait_until(lambda: check(channel, "side") == HealthCheckResponse.SERVING)


def test_load_of_what_is_there_loads_nothing(server: Process, channel: grpc.Channel) -> None:
    """A model that is served from the files that are there is not loaded a second time."""
    before = server.log.read_text().count("serving side version 2, loaded")
    ask(channel, RepositoryModelLoadRequest(model_name="side"))
    assert server.log.read_text().count("serving side version 2, loaded") == before


def test_load_brings_what_is_new(models: Path, channel: grpc.Channel) -> None:
    """A version that came after the start is served once somebody asks; one that is gone, no longer."""
    publish(models, 3)
    assert newest(channel) == 2
    ask(channel, RepositoryModelLoadRequest(model_name="side"))
    assert classify(channel, 1) == 3
    remove(models, 3)
    ask(channel, RepositoryModelLoadRequest(model_name="side"))
    assert classify(channel, 1) == 2


def test_model_that_is_loaded_on_request_only(channel: grpc.Channel) -> None:
    """What the settings leave out at the start is loaded when somebody asks for it."""
    assert not is_ready(channel, "later")
    ask(channel, RepositoryModelLoadRequest(model_name="later"))
    assert classify(channel, 2, "later") == 1
    ask(channel, RepositoryModelUnloadRequest(model_name="later"))
    assert not is_ready(channel, "later")


def test_load_of_what_is_broken_is_refused(models: Path, channel: grpc.Channel) -> None:
    """A version that does not load is refused with the reason, and what was served stays; mended, it is loaded."""
    made = artifacts.write_classifier(models / ".new", "side", 3, turn=3)
    (made / "model.onnx").write_bytes(b"x")
    rename(made, models / "side" / "3")
    for _ in range(2):
        code, text = refusal(channel, RepositoryModelLoadRequest(model_name="side"))
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert text.startswith(f"load failed for model 'side': {models}/side/3/model.onnx was altered")
        assert classify(channel, 0) == 2
    publish(models, 3)
    ask(channel, RepositoryModelLoadRequest(model_name="side"))
    assert classify(channel, 0) == 3
    remove(models, 3)


def test_unload_under_load_breaks_no_answer(server: Process, channel: grpc.Channel) -> None:
    """While a model comes and goes, each request is answered rightly or told that there is no such model."""
    load = Load(server.address)

    def classify_or_not(own: grpc.Channel, picture: int) -> int:
        try:
            return classify(own, picture)
        except grpc.RpcError as error:
            if call_of(error).code() is not grpc.StatusCode.NOT_FOUND:
                raise
            return 0

    for _ in range(4):
        load.add(classify_or_not)
    for _ in range(5):
        ask(channel, RepositoryModelUnloadRequest(model_name="side"))
        ask(channel, RepositoryModelLoadRequest(model_name="side"))
        assert not load.has_failed
    answered = load.finish()
    assert {version for versions in answered for version in versions} <= {0, 2}
    assert all(2 in versions for versions in answered)


@pytest.mark.parametrize("request_of", [RepositoryModelLoadRequest, RepositoryModelUnloadRequest])
def test_unknown_model_is_not_found(
    channel: grpc.Channel, request_of: type[RepositoryModelLoadRequest | RepositoryModelUnloadRequest]
) -> None:
    """A model that is not in the folder can be neither loaded nor unloaded; one without a name is no request."""
    code, text = refusal(channel, request_of(model_name="nobody"))
    assert code is grpc.StatusCode.NOT_FOUND
    assert text.endswith("; there are later, side")
    assert refusal(channel, request_of()) == (grpc.StatusCode.INVALID_ARGUMENT, "the model's name is empty")
    code, text = refusal(channel, request_of(repository_name="r", model_name="side"))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert text == "repository_name: 'r' came, none expected: there is only one repository"


def test_configuration_is_not_taken_from_clients(channel: grpc.Channel) -> None:
    """What Triton lets a client send along is refused rather than passed over."""
    request = RepositoryModelLoadRequest(
        model_name="side", parameters={"config": ModelRepositoryParameter(string_param="{}")}
    )
    code, text = refusal(channel, request)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert text.startswith("parameters: config came, none expected")


def test_control_is_off_unless_it_is_permitted(server: Process, models: Path, tmp_path: Path) -> None:
    """Without --model-control nobody loads or unloads; the index is there for all."""
    with serving(models, tmp_path / "log") as process, grpc.insecure_channel(process.address, OWN) as channel:
        for request in (
            RepositoryModelLoadRequest(model_name="side"),
            RepositoryModelUnloadRequest(model_name="side"),
        ):
            assert refusal(channel, request) == (
                grpc.StatusCode.PERMISSION_DENIED,
                "explicit model load / unload is not allowed: start the server with --model-control",
            )
        assert index(channel, ready=True) == [("side", "2", "READY", "")]


def test_extension_is_announced(channel: grpc.Channel) -> None:
    """The server's metadata names the extension, as clients look for it."""
    answer = ask(channel, ServerMetadataRequest())
    assert isinstance(answer, ServerMetadataResponse)
    assert "model_repository" in answer.extensions
