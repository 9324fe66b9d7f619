"""The errors that Hondo raises on purpose, and the one table that maps them to gRPC status codes and back."""

from collections.abc import Mapping
from types import MappingProxyType

from grpc import StatusCode


class HondoError(Exception):
    """An expected failure; its text says what was wrong and what to do."""


class InvalidRequest(HondoError):
    """The request can never succeed as it is."""

    def __init__(self, text: str, index: int | None = None) -> None:
        super().__init__(text)
        # Which of the pictures, texts or rows is at fault, from 0; None where it is not a single one.
        self.index = index


class InvalidImage(InvalidRequest):
    """The bytes are no picture that Hondo reads, or one beyond its limits."""


class InvalidText(InvalidRequest):
    """There is no word in the text, or it is too long."""


class UnknownRegion(InvalidRequest):
    """No shared memory is registered under that name."""

    def __init__(self, text: str, region: str = "") -> None:
        super().__init__(text)
        self.region = region


class UnknownSequence(InvalidRequest):
    """The request names no sequence, or one that is not open."""

    def __init__(self, text: str, sequence: str = "") -> None:
        super().__init__(text)
        self.sequence = sequence


class AlreadyExists(HondoError):
    """There is something of that name already."""


class NotSupported(HondoError):
    """This server does not do that, or was not told to when it was started."""


class ModelNotFound(HondoError):
    """No model, or no version of it, has that name."""


class WrongTask(HondoError):
    """The model exists, but does another job than the one asked for."""


class ResourceExhausted(HondoError):
    """The request is larger than the server takes."""


class Overloaded(ResourceExhausted):
    """More is asked than the server can do; nothing was begun, and the same request may succeed later."""

    def __init__(self, text: str, retry_after_s: float = 0.0) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class DeadlineExceeded(HondoError):
    """The answer did not come in time."""


class Unauthenticated(HondoError):
    """The server wants to know who asks: the token or the certificate is missing, or it knows none such."""


class PermissionDenied(HondoError):
    """The server does not let whoever asks do this."""


class Unavailable(HondoError):
    """No server answers there, or it is shutting down."""


class ServerError(HondoError):
    """The server failed for a reason of its own; its log says which."""


class InvalidArtifact(HondoError):
    """A model folder is incomplete, altered or contradicts itself: it does not load."""


class DeviceUnavailable(HondoError):
    """The device that was asked for cannot be used."""


class InvalidSettings(HondoError):
    """A setting is unknown, out of its bounds, or contradicts another."""


class ParityError(HondoError):
    """The exported file does not say what the trained net says."""


class AccuracyError(HondoError):
    """The lowered graph answers more wrongly than it may."""


class MissingData(HondoError):
    """A data set is not where it was looked for, or not whole."""


# Only what crosses the wire is listed. Looked up along the class's bases, so InvalidImage is INVALID_ARGUMENT.
STATUS: Mapping[type[HondoError], StatusCode] = MappingProxyType(
    {
        InvalidRequest: StatusCode.INVALID_ARGUMENT,
        AlreadyExists: StatusCode.ALREADY_EXISTS,
        NotSupported: StatusCode.UNIMPLEMENTED,
        ModelNotFound: StatusCode.NOT_FOUND,
        WrongTask: StatusCode.FAILED_PRECONDITION,
        ResourceExhausted: StatusCode.RESOURCE_EXHAUSTED,
        DeadlineExceeded: StatusCode.DEADLINE_EXCEEDED,
        Unauthenticated: StatusCode.UNAUTHENTICATED,
        PermissionDenied: StatusCode.PERMISSION_DENIED,
        Unavailable: StatusCode.UNAVAILABLE,
    }
)


def status_of(error: BaseException) -> StatusCode:
    """Gives the status that an error goes over the wire with; INTERNAL for anything unforeseen."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), StatusCode.INTERNAL)


def from_status(code: StatusCode, text: str) -> HondoError:
    """Gives the error that a client raises for a status."""
    kinds = {status: kind for kind, status in STATUS.items()}
    return kinds.get(code, ServerError)(text)
