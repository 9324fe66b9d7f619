"""Sequences: requests of which each goes on where the one before it ended; the server keeps their state in between.

A request with a sequence's id waits for the one before it, is run with the state which that one left, and leaves its
own. Those of different sequences share runs, as any requests do. One that fails leaves the state as it was, so that it
can be made again.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

from hondo.artifact import MODEL, STEP, Tensors
from hondo.errors import InvalidRequest, Overloaded, UnknownSequence
from protos.inference_pb2 import InferParameter, ModelInferRequest
from serving.batching.batcher import Batcher
from serving.batching.queue import Priority
from serving.catalog.catalog import Catalog
from serving.catalog.model import Model
from serving.decode.graphs import next_of
from serving.runtime import states
from serving.runtime.plan import Plan
from serving.runtime.session import Session
from serving.runtime.sizes import Sizes
from serving.runtime.states import State
from serving.runtime.tensors import Reader
from serving.telemetry.metrics import Metrics

# What a sequence is called: numbers and texts are told apart.
Id = int | str

ID: Final = "sequence_id"
START: Final = "sequence_start"
END: Final = "sequence_end"

_WRITES: Final = "text_generation"
_STATE: Final = "state_"


class _Kept:
    """One sequence."""

    __slots__ = ("idle", "state", "turn", "users")

    def __init__(self, state: Tensors) -> None:
        # By input.
        self.state = state
        # Held by the request whose turn it is; the others come in the order in which they asked.
        self.turn = asyncio.Lock()
        self.users = 0
        self.idle: asyncio.TimerHandle | None = None


class Sequences:
    """The sequences of one model."""

    def __init__(
        self, model: Model, session: Session, parts: Sequence[State], batcher: Batcher, *, is_own: bool = False
    ) -> None:
        """Keeps none so far.

        Args:
            model: whose they are.
            session: the graph.
            parts: of its state.
            batcher: what runs it.
            is_own: nobody else runs anything by that.
        """
        self._name = model.name
        self._batcher = batcher
        self._is_own = is_own
        self.most = model.settings.max_sequences
        self.idle_s = model.settings.sequence_idle_seconds
        self._open: dict[Id, _Kept] = {}
        self.session = session
        self.states = tuple(parts)
        # What requests see of the graph.
        kept = {part.input.name for part in parts} | {part.output.name for part in parts}
        self.inputs = tuple(each for each in session.inputs if each.name not in kept)
        self.outputs = tuple(each for each in session.outputs if each.name not in kept)
        self.reader = Reader(self.inputs)

    def close(self) -> None:
        """Ends what nobody else ends."""
        if self._is_own:
            self._batcher.close()

    @asynccontextmanager
    async def turn(self, request: ModelInferRequest) -> AsyncIterator["Turn"]:
        """Waits until it is the request's turn in its sequence.

        Raises:
            InvalidRequest: it names no sequence, or one that was not started.
            Overloaded: it starts one too many.
        """
        name = self._named(request.parameters)
        kept = self._start(name) if _is_set(request.parameters, START) else self._find(name)
        kept.users += 1
        if kept.idle is not None:
            kept.idle.cancel()
            kept.idle = None
        try:
            async with kept.turn:
                turn = Turn(self._batcher, self.states, kept)
                yield turn
                if _is_set(request.parameters, END):
                    self._forget(name, kept)
        finally:
            kept.users -= 1
            if not kept.users and self._open.get(name) is kept:
                loop = asyncio.get_running_loop()
                kept.idle = loop.call_later(self.idle_s, self._forget, name, kept)

    def _named(self, parameters: Mapping[str, InferParameter]) -> Id:
        parameter = parameters[ID] if ID in parameters else InferParameter()
        name: Id = parameter.string_param or parameter.int64_param or parameter.uint64_param
        if not name:
            text = f"model {self._name!r} keeps a state: parameters: {ID!r} expected, a number but 0 or a text"
            raise UnknownSequence(text)
        return name

    def _start(self, name: Id) -> _Kept:
        if name not in self._open and len(self._open) >= self.most:
            raise Overloaded(
                f"{len(self._open)} sequences of model {self._name!r} are open, which is the most: end some",
                self.idle_s,
            )
        # Whoever still waits in one of that name goes on in it; nobody finds it any more.
        self._open[name] = kept = _Kept({part.input.name: part.zero() for part in self.states})
        return kept

    def _find(self, name: Id) -> _Kept:
        kept = self._open.get(name)
        if kept is None:
            shown = str(name)[:100]
            raise UnknownSequence(
                f"there is no sequence {shown!r} of model {self._name!r}: it did not begin with {START!r}, has ended, "
                f"or was asked nothing for {self.idle_s:g} s",
                shown,
            )
        return kept

    def _forget(self, name: Id, kept: _Kept) -> None:
        if self._open.get(name) is kept:
            del self._open[name]


class Turn:
    """What the request whose turn it is in a sequence is run by."""

    def __init__(self, batcher: Batcher, parts: Sequence[State], kept: _Kept) -> None:
        self._batcher = batcher
        self._parts = parts
        self._kept = kept

    async def run(
        self, feeds: Tensors, outputs: Sequence[str], *, priority: Priority, timeout_ms: float | None
    ) -> Tensors:
        """Runs the graph on one row and the sequence's state, and keeps the state that comes of it."""
        rows = next(iter(feeds.values())).shape[0]
        if rows != 1:
            raise InvalidRequest(f"inputs: {rows} rows came, but a sequence goes on by one row at a time")
        after = [part.output.name for part in self._parts]
        run = self._batcher.run(
            {**feeds, **self._kept.state}, [*outputs, *after], priority=priority, timeout_ms=timeout_ms
        )
        arrays = await run
        # Copies, because these are parts of what a whole batch gave.
        self._kept.state = {part.input.name: arrays[part.output.name].copy() for part in self._parts}
        return {name: arrays[name] for name in outputs}


class Sequencing:
    """The sequences of all models that are served; on the event loop alone."""

    def __init__(self, catalog: Catalog, metrics: Metrics) -> None:
        self._catalog = catalog
        self._metrics = metrics
        self._of: dict[Model, Sequences | None] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        catalog.follow(self._keep_up)

    def of(self, model: Model) -> Sequences | None:
        """Gives the sequences of a model; None where it keeps no state."""
        if model not in self._of:
            self._of[model] = self._made(model)
        return self._of[model]

    async def close(self) -> None:
        """Ends; no call may go on."""
        for sequences in filter(None, self._of.values()):
            await asyncio.to_thread(sequences.close)
        self._of.clear()
        await asyncio.gather(*self._leaving)

    def _keep_up(self) -> None:
        """Lets go of the models that are served no longer, once the calls that use them have ended."""
        served = set(self._catalog)
        for model in [model for model in self._of if model not in served]:
            sequences = self._of.pop(model)
            if sequences is not None:
                leaving = asyncio.ensure_future(_end(model, sequences))
                self._leaving.add(leaving)
                leaving.add_done_callback(self._leaving.discard)

    def _made(self, model: Model) -> Sequences | None:
        if model.task == _WRITES:
            return self._of_writer(model)
        session = model.sessions.get(MODEL)
        parts = states.declared(session) if session else ()
        if not session or not parts:
            return None
        return Sequences(model, session, parts, model.batcher(MODEL))

    def _of_writer(self, model: Model) -> Sequences:
        """Gives those of a net that writes: its graph "step", beside the decode loop."""
        assert model.decode_plan is not None, "it writes, and is open"
        session, sizes = model.sessions[STEP], model.decode_plan.sizes
        names = {each.name: next_of(each.name) for each in session.inputs if each.name.startswith(_STATE)}
        # All of these were warmed; that each run takes as long as another makes it take all that wait.
        plan = Plan(session, Sizes(sizes, (1.0,) * len(sizes)), instances=1)
        tally = self._metrics.tally(model.name, model.version, STEP)
        batcher = Batcher(plan, model.settings.queueing, tally)
        parts = states.named(names, session.inputs, session.outputs)
        return Sequences(model, session, parts, batcher, is_own=True)


async def _end(model: Model, sequences: Sequences) -> None:
    await model.unused()
    await asyncio.to_thread(sequences.close)


def _is_set(parameters: Mapping[str, InferParameter], name: str) -> bool:
    return name in parameters and parameters[name].bool_param
