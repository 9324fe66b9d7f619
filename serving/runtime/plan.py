"""The plan for one graph on this machine: threads, instances and batch sizes, found by a short measurement at load."""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hondo.artifact import Tensors
from hondo.errors import InvalidArtifact
from serving.runtime import runner
from serving.runtime.cores import available
from serving.runtime.device import Device
from serving.runtime.providers import Acceleration
from serving.runtime.runner import Bound, Plain, Runner
from serving.runtime.sample import Sample
from serving.runtime.session import Session
from serving.runtime.sizes import Sizes, best_s

_log = logging.getLogger(__name__)

# All cores must bring one row's time below this share of one core's to be worth a session of their own. They have to
# show it once in so many tries: whatever else the machine does at load slows them down more than one core.
_WORTH: Final = 0.8
_TRIES: Final = 5
# A run shorter than this is over before another thread could have taken it.
_INLINE_S: Final = 1e-3


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What the user settled; None leaves it to the measurement."""

    # Cores to compute with; all that the process may use unless given.
    cores: int | None = None
    max_batch_size: int = 32
    # Threads that compute one run on the CPU.
    threads: int | None = None
    # Runs side by side; 0 runs on the event loop.
    instances: int | None = None
    # How graphs run on what is not the CPU.
    acceleration: Acceleration = field(default_factory=Acceleration)
    # Load also what reaches beyond the folder of models, or has operators that are not onnxruntime's own.
    trusted: bool = False

    @property
    def usable_cores(self) -> int:
        """Cores to compute with."""
        return self.cores or available()

    @property
    def run_threads(self) -> int:
        """Threads that compute a run as long as nothing was measured."""
        return self.threads or self.usable_cores


@dataclass(frozen=True, slots=True)
class Plan:
    """How a graph runs here."""

    session: Session
    # None where rows of different requests must not share a run.
    sizes: Sizes | None
    # Runs side by side; 0 runs on the event loop.
    instances: int
    # The same graph on all cores, for a batch that has them to itself; None where that would not be faster.
    alone: Session | None = None
    # What runs it: one for each of the instances, device by device; none where the session does, for all of them.
    runners: tuple[Runner, ...] = ()

    @property
    def sessions(self) -> tuple[Session, ...]:
        """The graph on each device."""
        return tuple(dict.fromkeys((self.session, *(each.session for each in self.runners))))


def make(session: Session, device: Device, sample: Sample | None, wishes: Wishes, *, proved: bool) -> Plan:
    """Plans how to run a graph, and warms it at every size that it will run at.

    Args:
        session: the graph, open on the first device with the threads wished for or all cores.
        device: where it is to run: one or several of a kind.
        sample: its inputs, or None where they cannot be made up.
        wishes: what the user settled.
        proved: the graph is known to treat each row by itself; otherwise that is tried out.

    Raises:
        InvalidArtifact: it fails at one of the sizes.
    """
    threads = wishes.run_threads
    reason = _why_alone(session, sample, proved=proved)
    if sample is None or reason:
        _log.info("%s: each request runs alone: %s", session.path, reason)
        runners = _runners(Plain(session), device, wishes, warming=[], threads=threads, instances=wishes.instances or 1)
        return Plan(session, None, len(runners), runners=runners)
    try:
        alone = None
        if device.is_cpu and wishes.threads is None and wishes.instances is None and threads > 1:
            # Rows side by side on a thread each serve more than one after another on all: nothing is handed over.
            wide, session, threads = session, Session.open(session.path, session.device, 1), 1
            # The sample's size says nothing of what all cores save where requests choose the size.
            alone = wide if not _is_sized(session) or _is_worth(wide, session, sample) else None
        row_numbers = None if _is_sized(session) else sum(array.size for array in sample(1).values())
        first = runner.of(session, wishes.max_batch_size)
        sizes = Sizes.measure(_preparing(first, sample), wishes.max_batch_size, row_numbers)
        if alone is not None:
            for size in sizes.sizes:
                best_s(_preparing(Plain(alone), sample)(size))
        instances = wishes.instances
        if instances is None:
            instances = _instances(session, sizes, device, wishes.usable_cores // threads)
        warming = [sample(size) for size in sizes.sizes]
        runners = _runners(first, device, wishes, warming=warming, threads=threads, instances=instances)
    except Exception as error:
        raise InvalidArtifact(f"{session.path} does not run at every batch size: {error}") from error
    instances = _threads(runners, instances)
    place = f"{instances} side by side" if instances else "on the event loop"
    _log.info(
        "%s: %s; %s, %d threads each%s", session.path, sizes, place, threads, ", or alone on all" if alone else ""
    )
    return Plan(session, sizes, instances, alone, runners)


def _instances(session: Session, sizes: Sizes, device: Device, most: int) -> int:
    """Gives how many runs there should be side by side on each device; 0 is on the event loop."""
    # Where requests choose how large a row is, the sample's run says nothing of theirs.
    if _is_sized(session) and sizes.run_s[-1] < _INLINE_S:
        return 0
    return max(1, most) if device.is_cpu else 1


def _threads(runners: Sequence[Runner], instances: int | None) -> int:
    """Gives how many threads run: one for each runner, but none where all is done on the event loop."""
    return 0 if instances == 0 and len(runners) == 1 else len(runners)


def _runners(
    first: Plain | Bound, device: Device, wishes: Wishes, *, warming: Sequence[Tensors], threads: int, instances: int
) -> tuple[Runner, ...]:
    """Gives what runs on each device, so many side by side; the first of them is warm, the others are warmed."""
    path, how = first.session.path, wishes.acceleration
    others = [Session.open(path, each, threads, how) for each in device.each[1:]]
    sessions = [session for session in (first.session, *others) for _ in range(max(1, instances))]
    runners = (first, *(runner.of(session, wishes.max_batch_size) for session in sessions[1:]))
    for each in runners[1:]:
        if isinstance(each, Bound) or each.session is not first.session:
            for feeds in warming:
                each.warm(feeds)
    return runners


def _is_sized(session: Session) -> bool:
    """Says whether all rows are of one size."""
    return all(isinstance(side, int) for signature in session.inputs for side in signature.shape[1:])


def _preparing(runs: Plain | Bound, sample: Sample) -> Callable[[int], Callable[[], object]]:
    """Gives what runs so many rows, their making left out of the time."""
    outputs = [signature.name for signature in runs.session.outputs]

    def prepare(rows: int) -> Callable[[], object]:
        feeds = sample(rows)
        if isinstance(runs, Bound):
            runs.warm(feeds)
        return lambda: runs.run([feeds], 0, outputs)

    return prepare


def _is_worth(wide: Session, narrow: Session, sample: Sample) -> bool:
    """Says whether all cores run one row so much faster than one core that they are worth a session of their own."""
    wide_s = narrow_s = math.inf
    for _ in range(_TRIES):
        wide_s, narrow_s = min(wide_s, _row_s(wide, sample)), min(narrow_s, _row_s(narrow, sample))
        if wide_s < _WORTH * narrow_s:
            return True
        if narrow_s < _INLINE_S:  # too short to be worth trying again
            break
    return False


def _row_s(session: Session, sample: Sample) -> float:
    return best_s(_preparing(Plain(session), sample)(1))


def _why_alone(session: Session, sample: Sample | None, *, proved: bool) -> str | None:
    """Says why rows of different requests must not share a run; None where they may."""
    if not all(signature.shape and not isinstance(signature.shape[0], int) for signature in session.signatures):
        return "not every input and output has a free first axis"
    if sample is None:
        return "its inputs have free dimensions, and no golden samples say how large they are"
    if proved:
        return None
    try:
        mixed = _mixes_rows(session, sample(3))
    except Exception as error:  # noqa: BLE001  whatever it is, such rows cannot show that batching is safe
        return f"it does not run on made-up inputs: {error}"
    return "a row's outputs depend on the rows beside it" if mixed else None


def _mixes_rows(session: Session, feeds: Tensors) -> bool:
    """Tries out whether a run of three rows gives what three runs of one row give."""
    together = session.run(feeds)
    for row in range(3):
        alone = session.run({name: array[row : row + 1] for name, array in feeds.items()})
        if not all(_equal(together[name][row : row + 1], array) for name, array in alone.items()):
            return True
    return False


def _equal(ours: NDArray[np.generic], theirs: NDArray[np.generic]) -> bool:
    if ours.shape != theirs.shape:
        return False
    if ours.dtype.kind == "f":
        return np.allclose(ours, theirs, rtol=1e-3, atol=1e-4, equal_nan=True)
    return np.array_equal(ours, theirs)
