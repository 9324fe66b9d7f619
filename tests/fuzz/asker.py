"""The asker: makes the calls that were made up, many side by side, and holds every answer to what may be answered."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, Final

import grpc
import grpc.aio
from grpc import StatusCode

from tests.fuzz.thrown import Call

# What may take so long hangs, seconds.
HANGS_S: Final = 5.0
# Of a stream of answers so many are read, as long as they come within so many seconds; then the caller leaves.
_READ: Final = 4
_QUIET_S: Final = 0.1
# What an answer may be: above all neither INTERNAL nor UNKNOWN.
_PROPER: Final = frozenset(
    {
        StatusCode.OK,
        StatusCode.INVALID_ARGUMENT,
        StatusCode.NOT_FOUND,
        StatusCode.ALREADY_EXISTS,
        StatusCode.FAILED_PRECONDITION,
        StatusCode.UNIMPLEMENTED,
        StatusCode.PERMISSION_DENIED,
        StatusCode.UNAUTHENTICATED,
        StatusCode.RESOURCE_EXHAUSTED,
    }
)
# What a caller makes of a time that is over; a server says more.
_OVER: Final = "Deadline Exceeded"
# What a caller makes of a call that was over before it had sent all of it.
_OWN: Final = "Internal error from Core"
# What a call is told that was on its way to an intake as another one, whose method's name is no text, ended it
# (`serving.intake`): the next connection comes to one that is there. So often may a call meet that.
_ENDED: Final = "Server shutdown"
_MEETINGS: Final = 3
# How errors are told within streams.
_INTERNAL: Final = b"internal error; the server's log says more"
# A connection of its own, on which nothing is asked twice.
_OPTIONS: Final = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0))


class Improper(AssertionError):
    """A server answered what it must not."""


class Slow(Improper):
    """A server did not answer in time: it hangs, or is busy with others."""


class Asker:
    """A client with some connections to one server."""

    def __init__(self, address: str, connections: int) -> None:
        self._channels = [grpc.aio.insecure_channel(address, options=_OPTIONS) for _ in range(connections)]
        self._turn = 0
        # Answers by status.
        self.answered: Counter[str] = Counter()

    async def close(self) -> None:
        """Ends the connections."""
        for channel in self._channels:
            await channel.close()

    async def ask(self, call: Call, patience_s: float = HANGS_S, meetings: int = _MEETINGS) -> None:
        """Makes a call, and holds that it is answered properly.

        Raises:
            Improper: it is not.
        """
        self._turn += 1
        channel = self._channels[self._turn % len(self._channels)]
        started_s = time.monotonic()
        method: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(call.path)
        asked = method(
            _each(call.messages),
            metadata=call.metadata,
            timeout=patience_s,
            compression=grpc.Compression.Gzip if call.squeezed else None,
        )
        code, text = await self._outcome(asked)
        took_s = time.monotonic() - started_s
        if code is StatusCode.UNAVAILABLE and _ENDED in text and meetings:
            await self.ask(call, patience_s, meetings - 1)
            return
        self.answered[code.name] += 1
        if took_s > patience_s or (code is StatusCode.DEADLINE_EXCEEDED and text == _OVER):
            raise Slow(f"{call.path} did not answer within {patience_s:g} s")
        if code in {StatusCode.CANCELLED, StatusCode.DEADLINE_EXCEEDED} or text == _OWN:
            return  # it was left, or gave up waiting in a queue as it was told
        if code not in _PROPER or (code is not StatusCode.OK and not text):
            raise Improper(f"{call.path} answered {code.name}: {text}")

    async def _outcome(self, asked: Any) -> tuple[StatusCode, str]:
        """Reads some answers; gives the status, CANCELLED where there was more to read."""
        try:
            answer = await asked.read()
            for _ in range(_READ):
                if answer is grpc.aio.EOF:
                    return await asked.code(), await asked.details() or ""
                if _INTERNAL in answer:
                    return StatusCode.INTERNAL, f"in a stream: {answer!r}"
                async with asyncio.timeout(_QUIET_S):
                    answer = await asked.read()
        except grpc.aio.AioRpcError as error:
            return error.code(), error.details() or ""
        except TimeoutError:
            pass
        asked.cancel()
        return StatusCode.CANCELLED, ""


async def _each(messages: tuple[bytes, ...]) -> AsyncIterator[bytes]:
    for message in messages:
        yield message
