import signal
import socket
from pathlib import Path

import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse
from hyperframe.frame import SettingsFrame

from protos.rpc import HONDO, INFERENCE
from tests.fuzz import frames
from tests.serving.artifacts import LABELS
from tests.serving.asking import PATIENCE_S, call_of
from tests.serving.health import check, watch
from tests.serving.process import serving

SERVICES = {HONDO.full_name, INFERENCE.full_name, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}
_RAW = [
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
]
NAMES = ["", HONDO.full_name, INFERENCE.full_name, "side", "join"]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_served_is_serving(channel: grpc.Channel, name: str) -> None:
    """The server, its services and each of its models are SERVING under their names."""
    assert check(channel, name) == HealthCheckResponse.SERVING


@pytest.mark.parametrize("name", ["nobody", "hondo.v1", "side/9"])
def test_unknown_name_is_not_found(channel: grpc.Channel, name: str) -> None:
    """The health of what is not there is NOT_FOUND."""
    with pytest.raises(grpc.RpcError) as raised:
        check(channel, name)
    assert call_of(raised.value).code() is grpc.StatusCode.NOT_FOUND
    assert repr(name) in (call_of(raised.value).details() or "")


def send(channel: grpc.Channel, path: str, data: bytes) -> list[bytes]:
    """Sends bytes to a method, whatever they are; gives what it answers."""
    call: grpc.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(path)
    return list(call(iter([data]), timeout=PATIENCE_S))


@pytest.mark.parametrize("path", _RAW)
def test_bytes_that_are_no_message_are_refused(models_dir: Path, tmp_path: Path, path: str) -> None:
    """Whatever bytes anybody sends to health and reflection are refused as a mistake, and fill no log."""
    with serving(models_dir, tmp_path / "log") as process, grpc.insecure_channel(process.address) as channel:
        with pytest.raises(grpc.RpcError) as raised:
            send(channel, path, b"\xff")
        assert call_of(raised.value).code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "the message is not a valid grpc." in (call_of(raised.value).details() or "")
        assert "Traceback" not in process.log.read_text()


def test_health_of_all_is_not_listed(channel: grpc.Channel) -> None:
    """Health, which strangers may ask, does not list all that is served; where gRPC knows List, it says so."""
    with pytest.raises(grpc.RpcError) as raised:
        send(channel, "/grpc.health.v1.Health/List", b"")
    assert call_of(raised.value).code() is grpc.StatusCode.UNIMPLEMENTED
    is_known = hasattr(health_pb2, "HealthListRequest")
    assert ("name what is meant" if is_known else "Method not found") in (call_of(raised.value).details() or "")


def test_watching_the_unknown_says_so(channel: grpc.Channel) -> None:
    """To watch what is not there yet is no error, as the health protocol demands."""
    assert next(watch(channel, "nobody")) == HealthCheckResponse.SERVICE_UNKNOWN


def test_watchers_see_the_stop(models_dir: Path, tmp_path: Path) -> None:
    """A stop tells every watcher NOT_SERVING, then ends the streams, and does not wait for the watchers to leave."""
    with serving(models_dir, tmp_path / "log") as process, grpc.insecure_channel(process.address) as channel:
        streams = [watch(channel, name) for name in NAMES]
        assert [next(stream) for stream in streams] == [HealthCheckResponse.SERVING] * len(NAMES)
        process.popen.send_signal(signal.SIGTERM)
        assert [next(stream) for stream in streams] == [HealthCheckResponse.NOT_SERVING] * len(NAMES)
        assert [list(stream) for stream in streams] == [[]] * len(NAMES)
        assert process.popen.wait(PATIENCE_S) == 0


def test_watcher_that_never_reads_holds_up_nobody(models_dir: Path, tmp_path: Path) -> None:
    """Whoever watches and takes nothing in keeps neither others from being told nor the server from stopping."""
    with (
        serving(models_dir, tmp_path / "log", "--drain-seconds", "2") as process,
        _connected(process.address) as stuck,
        grpc.insecure_channel(process.address) as channel,
    ):
        no_window = SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 0}).serialize()
        request = HealthCheckRequest(service="side").SerializeToString()
        call = frames.call(1, "/grpc.health.v1.Health/Watch", [request], ())
        stuck.sendall(b"".join([frames.PREFACE, no_window, *call]))
        answer = b""
        while b"grpc" not in answer:  # it began to answer
            answer += stuck.recv(4096)
        watched = watch(channel, "side")
        assert next(watched) == HealthCheckResponse.SERVING
        process.popen.send_signal(signal.SIGTERM)
        assert next(watched) == HealthCheckResponse.NOT_SERVING
        assert process.popen.wait(PATIENCE_S) == 0


def _connected(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), PATIENCE_S)


def test_reflection_does_not_hold_up_the_stop(models_dir: Path, tmp_path: Path) -> None:
    """A reflection stream that its client keeps open ends with the server."""
    with serving(models_dir, tmp_path / "log") as process, grpc.insecure_channel(process.address) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert set(database.get_services()) == SERVICES
        process.popen.send_signal(signal.SIGTERM)
        assert process.popen.wait(10) == 0  # the calls in flight could have half a minute


def test_reflection_lists_the_services(channel: grpc.Channel) -> None:
    """Reflection lists the typed service, the open protocol, health and itself."""
    assert set(ProtoReflectionDescriptorDatabase(channel).get_services()) == SERVICES


def test_reflection_alone_suffices_to_call(channel: grpc.Channel) -> None:
    """A client that knows nothing but the address finds a method, builds its request and reads its answer."""
    pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
    method = pool.FindServiceByName("hondo.v1.Hondo").FindMethodByName("GetModel")
    request, response = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
    call: grpc.UnaryUnaryMultiCallable[Message, Message] = channel.unary_unary(
        "/hondo.v1.Hondo/GetModel", lambda message: message.SerializeToString(), response.FromString
    )
    answer = json_format.MessageToDict(call(request(model="side"), timeout=PATIENCE_S))
    assert answer["model"]["version"] == 2
    assert answer["model"]["manifest"]["classification"]["labels"] == list(LABELS)


def test_reflection_suffices_where_messages_lie_in_several_files(channel: grpc.Channel) -> None:
    """What a method's messages are made of is found by reflection, whichever file defines it."""
    pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
    method = pool.FindServiceByName(INFERENCE.full_name).FindMethodByName("ModelConfig")
    request, response = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
    call: grpc.UnaryUnaryMultiCallable[Message, Message] = channel.unary_unary(
        f"/{INFERENCE.full_name}/ModelConfig", lambda message: message.SerializeToString(), response.FromString
    )
    answer = json_format.MessageToDict(call(request(name="side"), timeout=PATIENCE_S))
    assert answer["config"]["input"] == [{"name": "image", "dataType": "TYPE_UINT8", "dims": ["8", "8", "1"]}]


@pytest.mark.parametrize("name", sorted(SERVICES | {"inference.ModelInferRequest", "hondo.v1.Manifest"}))
def test_reflection_describes_each_symbol(channel: grpc.Channel, name: str) -> None:
    """Every service that is listed, and every message, can be described."""
    call: grpc.StreamStreamMultiCallable[ServerReflectionRequest, ServerReflectionResponse] = channel.stream_stream(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        ServerReflectionRequest.SerializeToString,
        ServerReflectionResponse.FromString,
    )
    (answer,) = call(iter([ServerReflectionRequest(file_containing_symbol=name)]), timeout=PATIENCE_S)
    assert answer.WhichOneof("message_response") == "file_descriptor_response"
