"""The course of a request: what it asked, of which model, and when what was done for it.

It travels in a context variable, so that those who work on a request need not hand it on. Who answers calls begins it
(`serving.calls`), who ends it tells the witness (`serving.telemetry.witness`), and where nobody watches there is none.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum
from types import TracebackType
from typing import Any, Final

import grpc.aio
from google.protobuf.message import Message
from grpc import StatusCode

REQUEST_ID: Final = "x-request-id"
# Longer ones, or such with other characters, could make log lines unreadable.
_ID_CHARACTERS: Final = 128

Context = grpc.aio.ServicerContext[Any, Any]


class Stage(Enum):
    """What a request spends its time with; the name is that of its metric and of its span."""

    DECODE = "decode"
    QUEUE = "queue"
    COMPUTE = "compute"
    ENCODE = "encode"

    # Enum's own is computed in Python, and stages are looked up for every request.
    __hash__ = object.__hash__


class Course:
    """What became of one request so far."""

    __slots__ = (
        "_id",
        "began_s",
        "code",
        "context",
        "ended_s",
        "first_message_s",
        "message",
        "method",
        "model",
        "on_end",
        "stages",
        "version",
    )

    def __init__(self, method: str, context: Context | None, on_end: "Callable[[Course], None]") -> None:
        self.method = method
        # What the caller sent along; None in a test.
        self.context = context
        self.on_end = on_end
        self.message: Message | None = None
        # Empty as long as no model was found.
        self.model = ""
        self.version = ""
        self.code = StatusCode.OK
        # Seconds on the monotonic clock, as all below.
        self.began_s = time.monotonic()
        self.first_message_s: float | None = None
        self.ended_s = 0.0
        # What was done from when to when.
        self.stages: list[tuple[Stage, float, float]] = []
        self._id = ""

    def cancelled(self) -> None:
        """Notes that the caller left, or that the time was over that it gave."""
        left_s = self.context.time_remaining() if self.context is not None else None
        self.code = StatusCode.CANCELLED if left_s is None or left_s > 0 else StatusCode.DEADLINE_EXCEEDED

    def end(self) -> None:
        """Notes that the request is answered or refused."""
        self.ended_s = time.monotonic()
        self.on_end(self)

    def metadata(self, key: str) -> str:
        """Gives what the caller sent along under a name; empty where it sent nothing."""
        pairs = (self.context.invocation_metadata() or ()) if self.context is not None else ()
        return next((str(value) for name, value in pairs if name == key), "")

    @property
    def request_id(self) -> str:
        """What logs call the request: what the caller calls it, or a number made up when it is first asked for."""
        if not self._id:
            own = getattr(self.message, "id", "")
            given = own or self.metadata(REQUEST_ID)
            shown = "".join(c for c in given[:_ID_CHARACTERS] if c.isprintable())
            self._id = shown or secrets.token_hex(8)
        return self._id


_CURRENT: Final[ContextVar[Course | None]] = ContextVar("course", default=None)


def current() -> Course | None:
    """Gives the course of the request that is being worked on, if anybody watches it."""
    return _CURRENT.get()


def begin(course: Course) -> Course:
    """Makes a course that of the request which the running task works on."""
    _CURRENT.set(course)
    return course


def found(model: str, version: int) -> None:
    """Notes which model a request is about."""
    course = _CURRENT.get()
    if course is not None:
        course.model, course.version = model, str(version)


def refused(code: StatusCode) -> None:
    """Notes the status that a request is refused with."""
    course = _CURRENT.get()
    if course is not None:
        course.code = code


@contextmanager
def part(message: Message) -> Iterator[None]:
    """Gives one message of a stream a course of its own, in the task that answers it."""
    stream = _CURRENT.get()
    if stream is None:
        yield
        return
    course = begin(Course(stream.method, stream.context, stream.on_end))
    course.message = message
    try:
        yield
    except BaseException:
        course.cancelled()
        raise
    finally:
        course.end()


class stage:  # noqa: N801  used as a statement: `with stage(Stage.DECODE):`
    """Notes when something began and ended."""

    __slots__ = ("_began_s", "_stage")

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def __enter__(self) -> None:
        self._began_s = time.monotonic()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        course = _CURRENT.get()
        if course is not None:
            course.stages.append((self._stage, self._began_s, time.monotonic()))
