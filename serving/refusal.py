"""Refusals: what a caller is told of an error, however the call is shaped."""

import logging
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NoReturn

import grpc.aio
from grpc import StatusCode

from hondo import retry
from hondo.errors import HondoError, InvalidRequest, Overloaded, ResourceExhausted, status_of
from serving.telemetry import course

_log = logging.getLogger(__name__)

# The status text travels percent-encoded, up to three characters a byte, in an HTTP/2 header; peers refuse more than
# 8 KiB of headers.
_MAX_TEXT_BYTES: Final = 2000


class StatusCodes(StrEnum):
    """Whose words errors are told in."""

    HONDO = "hondo"
    TRITON = "triton"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status with its text."""

    code: StatusCode
    text: str
    # Seconds after which the same request may succeed; None where that is not known.
    retry_after_s: float | None = None
    # Which of the request's pictures, texts or rows is at fault, from 0; None where it is not a single one.
    index: int | None = None

    @classmethod
    def of(cls, error: Exception, what: str) -> "Refusal":
        """Gives what to tell of an error, and notes its status as the request's.

        One that nobody foresaw goes to the log and is told without details.

        Args:
            error: what was raised.
            what: what failed, for the log.
        """
        if isinstance(error, MemoryError):
            _log.error("%s wants more memory than there is", what, exc_info=error)
            error = ResourceExhausted("the server has not the memory that this takes: send less at once")
        course.refused(status_of(error))
        if not isinstance(error, HondoError):
            _log.error("%s failed", what, exc_info=error)
            return cls(StatusCode.INTERNAL, "internal error; the server's log says more")
        retry_after_s = error.retry_after_s if isinstance(error, Overloaded) else None
        index = error.index if isinstance(error, InvalidRequest) else None
        return cls(status_of(error), _shortened(str(error)), retry_after_s, index)


async def abort(context: grpc.aio.ServicerContext[Any, Any], refusal: Refusal, *more: tuple[str, str]) -> NoReturn:
    """Ends a call with a refusal, and more metadata."""
    after_s = refusal.retry_after_s
    metadata = () if after_s is None else retry.to_metadata(refusal.text, after_s)
    await context.abort(refusal.code, refusal.text, (*metadata, *more))


def _shortened(text: str) -> str:
    data = text.encode("utf-8", "replace")
    shown = data[:_MAX_TEXT_BYTES].decode("utf-8", "ignore")
    return shown if len(data) <= _MAX_TEXT_BYTES else f"{shown} ..."
