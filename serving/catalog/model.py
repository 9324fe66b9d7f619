"""One version of a model, from when it is loaded until the last call that uses it is answered."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Self

from hondo.artifact import ENCODE, PREFILL, Artifact
from serving.batching.batcher import Batcher
from serving.catalog.place import Place
from serving.decode.loops import Loops
from serving.decode.plan import Plan as DecodePlan
from serving.runtime.plan import Plan
from serving.runtime.session import Session
from serving.runtime.tensors import Reader
from serving.settings import ModelSettings
from serving.telemetry.metrics import Metrics


class Model:
    """One version of a model: loaded when made, taking calls from `open` to `close`."""

    def __init__(
        self,
        place: Place,
        settings: ModelSettings,
        plans: Mapping[str, Plan],
        read: Artifact | None,
        *,
        decode_plan: DecodePlan | None = None,
        pixel_bytes: int = 0,
    ) -> None:
        self.place = place
        self.name = place.name
        self.version = place.version
        self.settings = settings
        # Memory that a run takes for each pixel; 0 where the model detects no edges.
        self.pixel_bytes = pixel_bytes
        # None for a bare ONNX file.
        self.artifact = read
        self.sessions: Mapping[str, Session] = {role: plan.session for role, plan in plans.items()}
        if decode_plan is not None:
            self.sessions = {**self.sessions, **decode_plan.graphs.by_role}
        self._readers = {role: Reader(plan.session.inputs) for role, plan in plans.items()}
        self.plans: Mapping[str, Plan] = plans
        self.decode_plan = decode_plan
        self._batchers: dict[str, Batcher] = {}
        self._loop: Loops | None = None
        # Calls that use it, and what is set while there are none.
        self._users = 0
        self._is_unused = asyncio.Event()
        self._is_unused.set()

    @property
    def task(self) -> str:
        """The name of the manifest's task; empty for a bare ONNX file."""
        return (self.artifact.manifest.WhichOneof("task") or "") if self.artifact else ""

    def open(self, metrics: Metrics) -> None:
        """Starts to take calls on the running event loop."""
        queueing = self.settings.queueing
        self._batchers = {
            role: Batcher(plan, queueing, metrics.tally(self.name, self.version, role), self._is_lone)
            for role, plan in self.plans.items()
        }
        if self.decode_plan is not None:
            begins = PREFILL if self.decode_plan.graphs.prefill is not None else ENCODE
            self._loop = Loops(self.decode_plan, queueing, metrics.decode_tally(self.name, self.version, begins))

    @property
    def loop(self) -> Loops:
        """Gives what reads and writes tokens, where the task is to write them."""
        assert self._loop is not None, "the model writes tokens, and is open"
        return self._loop

    def reader(self, role: str) -> Reader:
        """Gives what reads requests for the graph with that role."""
        return self._readers[role]

    def batcher(self, role: str) -> Batcher:
        """Gives what runs the graph with that role."""
        return self._batchers[role]

    @contextmanager
    def used(self) -> Iterator[Self]:
        """Keeps it open, whatever replaces it, until its caller is done; to be used on the event loop.

        Between finding it and this, the caller must not wait for anything.
        """
        self._users += 1
        self._is_unused.clear()
        try:
            yield self
        finally:
            self._users -= 1
            if not self._users:
                self._is_unused.set()

    @property
    def users(self) -> int:
        """How many calls use it."""
        return self._users

    def _is_lone(self) -> bool:
        """Says whether what runs may have all cores: of several captions, others are looked at or written meanwhile."""
        return self.decode_plan is None or self._users <= 1

    async def unused(self) -> None:
        """Waits until no call uses it."""
        await self._is_unused.wait()

    def close(self) -> None:
        """Ends when all that waits for a single run has run; gives back the memory."""
        for batcher in self._batchers.values():
            batcher.close()
        if self._loop is not None:
            self._loop.close()
        # Whoever still knows of it keeps no weights by that.
        self._batchers, self.plans, self.sessions = {}, {}, {}
        self._loop = self.decode_plan = None
