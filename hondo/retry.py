"""When to come again: google.rpc.RetryInfo in a refusal's trailing metadata, as google.rpc.Status carries it there."""

from collections.abc import Iterable
from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode

_DETAILS: Final = "grpc-status-details-bin"


def to_metadata(text: str, retry_after_s: float) -> tuple[tuple[str, bytes]]:
    """Gives the trailing metadata of a RESOURCE_EXHAUSTED with that text."""
    delay = Duration()
    delay.FromNanoseconds(round(retry_after_s * 1e9))
    status = Status(code=StatusCode.RESOURCE_EXHAUSTED.value[0], message=text)
    status.details.add().Pack(RetryInfo(retry_delay=delay))
    return ((_DETAILS, status.SerializeToString()),)


def from_metadata(metadata: Iterable[tuple[str, str | bytes]]) -> float | None:
    """Gives the seconds to wait that trailing metadata name; None where they name none."""
    info = RetryInfo()
    for key, value in metadata:
        if key != _DETAILS or not isinstance(value, bytes):
            continue
        try:
            if any(detail.Unpack(info) for detail in Status.FromString(value).details):
                seconds: float = info.retry_delay.ToNanoseconds() / 1e9
                return seconds
        except DecodeError:
            return None
    return None
