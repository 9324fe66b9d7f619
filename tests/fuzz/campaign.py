"""The campaign: calls and connections by the thousand against a server, which is looked at after each thousand."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from tests.fuzz import seeds, thrown
from tests.fuzz.asker import HANGS_S, Asker, Improper, Slow
from tests.fuzz.calls import Calls
from tests.fuzz.connections import Connections
from tests.fuzz.knocker import Knocker
from tests.fuzz.thrown import Call, Connection, Thrown
from tests.fuzz.victim import Victim

# Thrown between two looks; of these so many are connections of their own.
_TOGETHER: Final = 1000
_CONNECTIONS: Final = 60
# So many are thrown between two lines of what came of it.
_TOLD: Final = 10_000
# Calls side by side, and the connections that they share.
_SIDE_BY_SIDE: Final = 16
_CHANNELS: Final = 4
# How long memory and files may take to come back once nobody is connected any more, seconds.
_BACK_S: Final = 20.0
# What a server may have grown by since it was warm, and files that it may have open besides.
_GROWN_MB: Final = 64
_MORE_FILES: Final = 4
# Work by which it is measured what else the machine is busy with, seconds.
_SPIN_S: Final = 0.1


class Failed(AssertionError):
    """What was thrown is in a file: `python -m tests.fuzz server --replay FILE`."""


@dataclass(slots=True)
class Told:
    """What came of a campaign."""

    calls: int = 0
    messages: int = 0
    connections: int = 0
    # Calls that took too long beside the others, but not alone.
    slow: int = 0
    seconds: float = 0.0
    # Memory once it was warm, and now, MiB.
    warm_mb: float = 0.0
    now_mb: float = 0.0

    @property
    def count(self) -> int:
        """Calls and connections."""
        return self.calls + self.connections

    def __str__(self) -> str:
        return (
            f"{self.count:,} thrown ({self.calls:,} calls with {self.messages:,} messages, {self.connections:,} "
            f"connections) in {self.seconds:,.0f} s, {self.count / max(self.seconds, 1e-9):,.0f}/s; {self.slow} slow; "
            f"memory {self.warm_mb:.0f} -> {self.now_mb:.0f} MiB"
        )


class Campaign:
    """Throws what chance makes up, the same for the same seed.

    Args:
        victim: the server.
        seed: of chance.
        folder: where what failed is written.
    """

    def __init__(self, victim: Victim, seed: int, folder: Path) -> None:
        self._victim = victim
        self._folder = folder
        host, _, port = victim.address.rpartition(":")
        self._knocker = Knocker(host, int(port), victim.metrics_port)
        methods, good = victim.methods(), seeds.good()
        calls = [Calls(methods, good, victim.metadata, each) for each in (seed, -seed - 1)]
        self._calls = iter(calls[0])
        self._connections = iter(Connections(calls[1], victim.metadata, seed))
        self._files = victim.open_files
        self.told = Told()

    async def run(self, goes_on: Callable[[Told], bool], say: Callable[[str], None]) -> None:
        """Throws by the thousand for as long as it is to go on.

        Raises:
            Failed: the server did what it must not.
        """
        started_s = time.monotonic()
        next_told = _TOLD
        while goes_on(self.told):
            connections = list(islice(self._connections, _CONNECTIONS))
            await self.throw([*connections, *islice(self._calls, _TOGETHER - _CONNECTIONS)])
            self.told.seconds = time.monotonic() - started_s
            self.told.now_mb = self._victim.memory_mb
            self.told.warm_mb = self.told.warm_mb or self.told.now_mb
            if self.told.count >= next_told:
                say(f"{self.told}")
                next_told += _TOLD
        await self._check_comes_back()

    async def throw(self, every: Sequence[Thrown]) -> None:
        """Throws some side by side, then looks at the server.

        Raises:
            Failed: it did what it must not.
        """
        asker = Asker(self._victim.address, _CHANNELS)
        try:
            slow = await self._throw(every, asker)
            await self._again(slow, asker)
        finally:
            await asker.close()
            self._knocker.leave()
        try:
            await asyncio.to_thread(self._victim.check)
        except Exception as error:
            raise self._failed(every, f"after these: {error}") from error

    async def _throw(self, every: Iterable[Thrown], asker: Asker) -> list[Thrown]:
        """Gives what was slow."""
        slow: list[Thrown] = []
        room = asyncio.Semaphore(_SIDE_BY_SIDE)

        async def throw(one: Thrown) -> None:
            try:
                await self._throw_one(one, asker, room)
            except Slow:
                slow.append(one)
            except Improper as error:
                raise self._failed([one], str(error)) from error

        async with asyncio.TaskGroup() as tasks:
            for one in every:
                tasks.create_task(throw(one))
        return slow

    async def _throw_one(self, one: Thrown, asker: Asker, room: asyncio.Semaphore, patience_s: float = HANGS_S) -> None:
        match one:
            case Call():
                self.told.calls += 1
                self.told.messages += len(one.messages)
                async with room:
                    await asker.ask(one, patience_s)
            case Connection():
                self.told.connections += 1
                await self._knocker.knock(one)

    async def _again(self, slow: Sequence[Thrown], asker: Asker) -> None:
        """Throws what was slow alone: what is slow then, too, hangs."""
        room = asyncio.Semaphore()
        for one in slow:
            self.told.slow += 1
            try:
                await self._throw_one(one, asker, room, HANGS_S * _slowness())
            except Slow as error:
                raise self._failed([one], f"alone, too: {error}") from error

    def _failed(self, every: Sequence[Thrown], why: str) -> Failed:
        file = self._folder / f"failed-{time.strftime('%H%M%S')}-{self.told.calls}.jsonl"
        thrown.write(file, every)
        return Failed(f"{why}\nThrow it again: python -m tests.fuzz server --replay {file}")

    async def _check_comes_back(self) -> None:
        """Holds that memory and files come back once everybody has left."""
        give_up_s = time.monotonic() + _BACK_S
        while self._victim.open_files > self._files + _MORE_FILES and time.monotonic() < give_up_s:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        files = self._victim.open_files
        if files > self._files + _MORE_FILES:
            raise Failed(f"{files} files are open after all have left, {self._files} before they came")
        self.told.now_mb = self._victim.memory_mb
        if self.told.now_mb > self.told.warm_mb + _GROWN_MB:
            raise Failed(f"memory grew: {self.told}")


def _slowness() -> float:
    """Measures how much longer work takes here now than it would take alone."""
    began_s, worked_s = time.monotonic(), time.process_time()
    while time.process_time() - worked_s < _SPIN_S:
        pass
    return (time.monotonic() - began_s) / _SPIN_S
