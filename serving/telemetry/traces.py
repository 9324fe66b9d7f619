"""Traces by OpenTelemetry: a span for each request under its caller's trace, and one for each of its stages.

Needs the extra hondo[otel]; this file alone imports it. What is sampled, what the service is called and how the
collector is reached beyond its address, OpenTelemetry's own environment variables say (OTEL_TRACES_SAMPLER,
OTEL_SERVICE_NAME, OTEL_EXPORTER_OTLP_HEADERS and others).
"""

import os
import time
from importlib.metadata import version as package_version
from typing import Final

from grpc import StatusCode
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, Tracer, set_span_in_context
from opentelemetry.trace import StatusCode as SpanStatus
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from serving.telemetry.course import Course

_W3C: Final = TraceContextTextMapPropagator()


class Traces:
    """Sends the courses of requests to a collector."""

    def __init__(self, endpoint: str) -> None:
        """Begins to send.

        Args:
            endpoint: where a collector takes OTLP over gRPC, http://HOST:PORT, or https:// with TLS.
        """
        named = {SERVICE_NAME: os.environ.get("OTEL_SERVICE_NAME", "hondo"), SERVICE_VERSION: package_version("hondo")}
        self._provider = TracerProvider(resource=Resource.create(named), shutdown_on_exit=False)
        exporter = OTLPSpanExporter(endpoint=endpoint, insecure=not endpoint.startswith("https://"))
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer: Tracer = self._provider.get_tracer("hondo")

    def tell(self, ended: Course) -> None:
        """Makes the spans of a request."""
        # The clocks' distance now: the system's clock may have been set since the request came.
        zero_ns = time.time_ns() - time.monotonic_ns()
        span = self._tracer.start_span(
            ended.method,
            context=_caller(ended),
            kind=SpanKind.SERVER,
            attributes={
                "rpc.system": "grpc",
                "rpc.method": ended.method,
                "rpc.grpc.status_code": ended.code.value[0],
                "hondo.model": ended.model,
                "hondo.version": ended.version,
                "hondo.request_id": ended.request_id,
            },
            start_time=zero_ns + _ns(ended.began_s),
        )
        if span.is_recording():
            self._tell_stages(ended, span, zero_ns)
            if ended.code is not StatusCode.OK:
                span.set_status(Status(SpanStatus.ERROR, ended.code.name))
        span.end(zero_ns + _ns(ended.ended_s))

    def _tell_stages(self, ended: Course, span: Span, zero_ns: int) -> None:
        within = set_span_in_context(span, Context())
        for stage, began_s, ended_s in ended.stages:
            part = self._tracer.start_span(stage.value, context=within, start_time=zero_ns + _ns(began_s))
            part.end(zero_ns + _ns(ended_s))

    def close(self) -> None:
        """Sends what is left, and ends."""
        self._provider.shutdown()


def _caller(ended: Course) -> Context:
    """Gives the caller's span, of another process."""
    sent = {name: ended.metadata(name) for name in ("traceparent", "tracestate")}
    return _W3C.extract({name: value for name, value in sent.items() if value}, Context())


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)
