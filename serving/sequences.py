"""Sequences: requests of which each goes on where the one before it ended; the server keeps their state in between.

A request with a sequence's id waits for the one before it, is run with the state which that one left, and leaves its
own. Those of different sequences share runs, as any requests do. One that fails leaves the state as it was, so that it
can be made again.
"""

import asyncio
import weakref
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from hondo.artifact import MODEL, Tensors
from hondo.errors import InvalidRequest, Overloaded, UnknownSequence
from protos.inference_pb2 import InferParameter, ModelInferRequest
from serving import states
from serving.batcher import Batcher, Queueing
from serving.catalog import Model
from serving.decode.graphs import STEP, next_of
from serving.metrics import Metrics
from serving.plan import Plan
from serving.queue import Priority
from serving.session import Session
from serving.sizes import Sizes
from serving.states import State
from serving.tensors import Reader

# What a sequence is called: numbers and texts are told apart.
Id = int | str

ID: Final = "sequence_id"
START: Final = "sequence_start"
END: Final = "sequence_end"

_WRITES: Final = "text_generation"
_STATE: Final = "state_"
# Rows of a run of a net that writes, as its decode loop has warmed them.
_STEP_SIZES: Final = (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True, kw_only=True)
class Keeping:
    """How sequences are kept."""

    # Of each model; a new one beyond them is refused.
    most: int = 1024
    # A sequence that is asked nothing for so long is forgotten, seconds.
    idle_s: float = 60.0


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

    def __init__(self, name: str, session: Session, parts: Sequence[State], batcher: Batcher, keeping: Keeping) -> None:
        self._name = name
        self._batcher = batcher
        self._keeping = keeping
        self._open: dict[Id, _Kept] = {}
        self.session = session
        self.states = tuple(parts)
        # What requests see of the graph.
        kept = {part.input.name for part in parts} | {part.output.name for part in parts}
        self.inputs = tuple(each for each in session.inputs if each.name not in kept)
        self.outputs = tuple(each for each in session.outputs if each.name not in kept)
        self.reader = Reader(self.inputs)

    @property
    def keeping(self) -> Keeping:
        """How they are kept."""
        return self._keeping

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
                kept.idle = loop.call_later(self._keeping.idle_s, self._forget, name, kept)

    def _named(self, parameters: Mapping[str, InferParameter]) -> Id:
        parameter = parameters[ID] if ID in parameters else InferParameter()
        name: Id = parameter.string_param or parameter.int64_param or parameter.uint64_param
        if not name:
            text = f"model {self._name!r} keeps a state: parameters: {ID!r} expected, a number but 0 or a text"
            raise UnknownSequence(text)
        return name

    def _start(self, name: Id) -> _Kept:
        if name not in self._open and len(self._open) >= self._keeping.most:
            raise Overloaded(
                f"{len(self._open)} sequences of model {self._name!r} are open, which is the most: end some",
                self._keeping.idle_s,
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
                f"or was asked nothing for {self._keeping.idle_s:g} s",
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
    """The sequences of all models; on the event loop alone."""

    def __init__(self, queueing: Queueing, metrics: Metrics, keeping: Keeping) -> None:
        self._queueing = queueing
        self._metrics = metrics
        self._keeping = keeping
        self._of: weakref.WeakKeyDictionary[Model, Sequences | None] = weakref.WeakKeyDictionary()

    def of(self, model: Model) -> Sequences | None:
        """Gives the sequences of a model; None where it keeps no state."""
        if model not in self._of:
            self._of[model] = self._made(model)
        return self._of[model]

    def _made(self, model: Model) -> Sequences | None:
        if model.task == _WRITES:
            return self._of_writer(model)
        session = model.sessions.get(MODEL)
        parts = states.declared(session) if session else ()
        return Sequences(model.name, session, parts, model.batcher(MODEL), self._keeping) if session and parts else None

    def _of_writer(self, model: Model) -> Sequences:
        """Gives those of a net that writes: its graph "step", beside the decode loop."""
        session = model.sessions[STEP]
        names = {each.name: next_of(each.name) for each in session.inputs if each.name.startswith(_STATE)}
        plan = Plan(session, Sizes(_STEP_SIZES, (1.0,) * len(_STEP_SIZES)), instances=1)
        batcher = Batcher(plan, self._queueing, self._metrics.tally(model.name, model.version, STEP))
        weakref.finalize(model, batcher.close)
        parts = states.named(names, session.inputs, session.outputs)
        return Sequences(model.name, session, parts, batcher, self._keeping)


def _is_set(parameters: Mapping[str, InferParameter], name: str) -> bool:
    return name in parameters and parameters[name].bool_param
