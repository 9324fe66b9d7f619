import pytest
from grpc import StatusCode

from hondo import errors
from hondo.errors import STATUS, HondoError, InvalidImage, InvalidRequest, ServerError, from_status, status_of

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, HondoError) and kind is not HondoError
]


@pytest.mark.parametrize("kind", KINDS)
def test_error_crosses_the_wire(kind: type[HondoError]) -> None:
    """An error that the table lists comes back as itself, its subclass as it, and all else as ServerError."""
    arrived = from_status(status_of(kind("why")), "why")
    listed = next((base for base in kind.__mro__ if base in STATUS), ServerError)
    assert type(arrived) is listed
    assert str(arrived) == "why"


def test_the_table_is_as_documented() -> None:
    """Each status says what the protocol's documentation promises."""
    documented = {
        errors.InvalidRequest: StatusCode.INVALID_ARGUMENT,
        errors.AlreadyExists: StatusCode.ALREADY_EXISTS,
        errors.NotSupported: StatusCode.UNIMPLEMENTED,
        errors.ModelNotFound: StatusCode.NOT_FOUND,
        errors.WrongTask: StatusCode.FAILED_PRECONDITION,
        errors.ResourceExhausted: StatusCode.RESOURCE_EXHAUSTED,
        errors.DeadlineExceeded: StatusCode.DEADLINE_EXCEEDED,
        errors.Unauthenticated: StatusCode.UNAUTHENTICATED,
        errors.PermissionDenied: StatusCode.PERMISSION_DENIED,
        errors.Unavailable: StatusCode.UNAVAILABLE,
    }
    assert documented == STATUS


def test_bad_image_is_a_bad_request() -> None:
    """Who catches InvalidRequest catches InvalidImage, here and over the wire."""
    assert issubclass(InvalidImage, InvalidRequest)
    assert status_of(InvalidImage("why")) is StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("error", [ValueError(), KeyError(), MemoryError(), errors.InvalidArtifact(), ServerError()])
def test_unforeseen_error_is_internal(error: BaseException) -> None:
    """What the table does not list is INTERNAL."""
    assert status_of(error) is StatusCode.INTERNAL


@pytest.mark.parametrize("code", [code for code in StatusCode if code not in STATUS.values()])
def test_unlisted_status_is_the_servers_error(code: StatusCode) -> None:
    """A status that Hondo's server does not send on purpose is still an error of the family."""
    assert type(from_status(code, "why")) is ServerError
