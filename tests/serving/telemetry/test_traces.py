"""Traces: what a collector in memory gets of requests, under their caller's trace."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as collector_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as collector_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from protos import inference_pb2 as oip
from protos.inference_pb2 import ModelInferRequest
from protos.rpc import INFERENCE, stream
from tests.serving import artifacts, graphs
from tests.serving.asking import PATIENCE_S, raw
from tests.serving.process import Process, serving

TRACE: Final = "0af7651916cd43dd8448eb211c80319c"
CALLER: Final = "b7ad6b7169203331"
METADATA: Final = (("traceparent", f"00-{TRACE}-{CALLER}-01"), ("x-request-id", "mine"))


class Collector(collector_grpc.TraceServiceServicer):
    """Keeps the spans that it is sent."""

    def __init__(self) -> None:
        self._spans: list[Span] = []
        self._changed = threading.Condition()
        self.services: set[str] = set()

    def Export(  # noqa: N802
        self, request: collector_pb2.ExportTraceServiceRequest, _context: grpc.ServicerContext
    ) -> collector_pb2.ExportTraceServiceResponse:
        """Takes spans."""
        with self._changed:
            for resource in request.resource_spans:
                self.services |= {
                    each.value.string_value for each in resource.resource.attributes if each.key == "service.name"
                }
                self._spans += [span for scope in resource.scope_spans for span in scope.spans]
            self._changed.notify_all()
        return collector_pb2.ExportTraceServiceResponse()

    def spans(self, parent: str, count: int) -> list[Span]:
        """Waits for so many spans below another."""

        def found() -> list[Span]:
            return [span for span in self._spans if span.parent_span_id.hex() == parent]

        with self._changed:
            assert self._changed.wait_for(lambda: len(found()) >= count, PATIENCE_S)
            return found()


@pytest.fixture
def collector() -> Iterator[tuple[Collector, str]]:
    """A collector, and where it listens."""
    server, collector = grpc.server(ThreadPoolExecutor(2)), Collector()
    collector_grpc.add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield collector, f"http://127.0.0.1:{port}"
    server.stop(None).wait()


@pytest.fixture
def server(
    collector: tuple[Collector, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Process, Collector]]:
    """A server that sends its traces there."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")  # ms
    artifacts.write_classifier(tmp_path / "models", "side", 1)
    graphs.fragile(tmp_path / "models" / "fragile" / "1" / "model.onnx")
    with serving(tmp_path / "models", tmp_path / "log", "--traces", collector[1]) as process:
        yield process, collector[0]


def question() -> ModelInferRequest:
    request = raw("UINT8", [1, 8, 8, 1], artifacts.samples()[:1].ravel().tolist(), "image")
    request.model_name = "side"
    return request


def attributes(span: Span) -> dict[str, str | int]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


def test_stages_are_below_the_callers_span(server: tuple[Process, Collector]) -> None:
    """A request is a span of its caller's trace; decode, queue, compute and encode lie in it, one after the other."""
    process, collector = server
    with grpc.insecure_channel(process.address) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{INFERENCE.full_name}/ModelInfer")
        call(question().SerializeToString(), metadata=METADATA, timeout=PATIENCE_S)
        (span,) = collector.spans(CALLER, 1)
        stages = collector.spans(span.span_id.hex(), 4)
    assert span.trace_id.hex() == TRACE
    assert {each.trace_id.hex() for each in stages} == {TRACE}
    assert (span.name, span.kind) == ("ModelInfer", Span.SPAN_KIND_SERVER)
    told = attributes(span)
    assert told["hondo.model"] == "side"
    assert told["hondo.version"] == "1"
    assert told["hondo.request_id"] == "mine"
    stages.sort(key=lambda each: each.start_time_unix_nano)
    assert [each.name for each in stages] == ["decode", "queue", "compute", "encode"]
    edges = [time for each in stages for time in (each.start_time_unix_nano, each.end_time_unix_nano)]
    times = [span.start_time_unix_nano, *edges, span.end_time_unix_nano]
    assert times == sorted(times)
    assert collector.services == {"hondo"}


def test_failed_request_is_an_error(server: tuple[Process, Collector]) -> None:
    """A request that fails is a span with an error, and has the stages that it came to."""
    process, collector = server
    request = raw("FP32", [5], [1.0] * 5)
    request.model_name = "fragile"
    with grpc.insecure_channel(process.address) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{INFERENCE.full_name}/ModelInfer")
        with pytest.raises(grpc.RpcError):
            call(request.SerializeToString(), metadata=METADATA, timeout=PATIENCE_S)
        (span,) = collector.spans(CALLER, 1)
        assert "decode" in {each.name for each in collector.spans(span.span_id.hex(), 1)}
    assert span.status.code == span.status.STATUS_CODE_ERROR
    assert attributes(span)["rpc.grpc.status_code"] == grpc.StatusCode.INTERNAL.value[0]


def test_each_message_of_a_stream_is_a_span(server: tuple[Process, Collector]) -> None:
    """The requests of a stream are spans of their own below the caller's."""
    process, collector = server
    with grpc.insecure_channel(process.address) as channel:
        call = stream(channel, INFERENCE, "ModelStreamInfer", oip.ModelStreamInferResponse)
        assert len(list(call(iter([question()] * 3), metadata=METADATA, timeout=PATIENCE_S))) == 3
        spans = collector.spans(CALLER, 3)
    assert [span.name for span in spans] == ["ModelStreamInfer"] * 3


def test_what_the_caller_does_not_sample_is_not_sent(server: tuple[Process, Collector]) -> None:
    """A caller whose trace is not sampled is not traced here either; without a caller, a trace of its own begins."""
    process, collector = server
    with grpc.insecure_channel(process.address) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{INFERENCE.full_name}/ModelInfer")
        unsampled = (("traceparent", f"00-{TRACE}-{CALLER}-00"),)
        call(question().SerializeToString(), metadata=unsampled, timeout=PATIENCE_S)
        call(question().SerializeToString(), timeout=PATIENCE_S)
        (span,) = collector.spans("", 1)
    assert span.trace_id.hex() != TRACE
    assert collector.spans(CALLER, 0) == []
