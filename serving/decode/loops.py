"""The decode loops of a model: one on each device, and a job goes to the one with the fewest rows."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from weakref import WeakKeyDictionary

from serving.batching.batcher import Queueing
from serving.decode.job import Job
from serving.decode.loop import Loop
from serving.decode.plan import Plan
from serving.decode.stream import Stream
from serving.telemetry.tally import DecodeTally


class Loops:
    """Reads and writes for many callers; made on the event loop that they live on."""

    def __init__(self, plan: Plan, queueing: Queueing, tally: DecodeTally) -> None:
        plans = [plan, *(replace(plan, graphs=graphs) for graphs in plan.others)]
        tallies = tally.shared(len(plans)) if plan.others else [tally]
        self._loops = [Loop(each, queueing, of_loop) for each, of_loop in zip(plans, tallies, strict=True)]
        self._of: WeakKeyDictionary[Stream, Loop] = WeakKeyDictionary()

    @property
    def slots(self) -> int:
        """How many rows of a job write side by side."""
        return self._loops[0].slots

    def begin(self, job: Job, timeout_ms: float | None = None) -> Stream:
        """Takes a job, as `Loop.begin` does, where there are fewest."""
        loop = min(self._loops, key=lambda each: each.rows)
        stream = loop.begin(job, timeout_ms)
        self._of[stream] = loop
        return stream

    @contextmanager
    def expects(self) -> Iterator[None]:
        """Knows of a job that is on its way, as `Loop.expects` does: it may come to any of them."""
        with ExitStack() as stack:
            for loop in self._loops:
                stack.enter_context(loop.expects())
            yield

    def leave(self, stream: Stream) -> None:
        """Ends a job whose reader is gone, if it has not ended."""
        self._of[stream].leave(stream)

    def close(self) -> None:
        """Refuses new jobs, ends those that are there, ends the threads."""
        for loop in self._loops:
            loop.close()
