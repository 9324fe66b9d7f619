"""The plan for a net that writes tokens: threads, and the sizes of runs, all warmed and giving a row the same bits.

A row must not depend on its company. Matrix products may take another path for another number of rows, so at load every
size is compared with the largest on this very machine, and only those that agree to the last bit are used.

Legend: N rows of a run, T tokens of a piece.
"""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from hondo.artifact import PREFILL, STEP, Tensors
from hondo.errors import InvalidArtifact
from serving.decode.graphs import LENGTH, LOG_PROBABILITY, TOKENS, Graphs
from serving.decode.reading import LENGTHS
from serving.runtime import sample
from serving.runtime.device import Device
from serving.runtime.plan import Wishes
from serving.runtime.session import Session
from serving.runtime.sizes import best_s

_log = logging.getLogger(__name__)

# N of runs that write: a run takes the next size that holds its rows.
_SIZES: Final = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
# N of runs that read.
_READ_SIZES: Final = (1, 2, 4, 8)
# All cores must bring a run's time below this share of one core's; else the others are of more use elsewhere.
# They have to show it once in so many tries: whatever else the machine does at load slows them down more than one core.
_WORTH: Final = 0.8
_TRIES: Final = 3
# What is over so soon on one core is over before the others have begun, seconds.
_SOON_S: Final = 200e-6


@dataclass(frozen=True, slots=True)
class Plan:
    """How a net that writes runs here."""

    graphs: Graphs
    # N of runs of "step", ascending; the largest is the number of slots.
    sizes: tuple[int, ...]
    # N of runs of "prefill", ascending; none where nothing is read.
    read_sizes: tuple[int, ...]
    # Cores that compute the steps, and what jobs begin with; None where these are not of one kind.
    cores: int | None = None
    # "step" on all cores, with the same bits, for when nothing else needs them; None where that is not worth it.
    wide: Session | None = None
    # The same on each further device.
    others: tuple[Graphs, ...] = ()


def make(graphs: Graphs, device: Device, golden: Mapping[str, Tensors], wishes: Wishes) -> Plan:
    """Plans how to run a net that writes, and warms it at every size that it will run at.

    Args:
        graphs: open on the first device with the threads wished for or all cores.
        device: where they are to run: one or several of a kind.
        golden: each graph's golden inputs.
        wishes: what the user settled.

    Raises:
        InvalidArtifact: a graph fails at one of the sizes.
    """
    try:
        given, graphs = graphs, _on_fewest_cores(graphs, device, golden, wishes)
        slots = wishes.max_batch_size
        sizes = (*(size for size in _SIZES if size < slots), slots)
        others = [_opened_again(graphs, each, wishes) for each in device.each[1:]]
        for each in others:
            _agreeing(each.step, golden[STEP], sizes, device)
            _read_sizes(each, golden, device)
        plan = Plan(
            graphs,
            _agreeing(graphs.step, golden[STEP], sizes, device),
            _read_sizes(graphs, golden, device),
            wishes.usable_cores if device.is_cpu else None,
            others=tuple(others),
        )
        if graphs.prefill is None and given.step is not graphs.step:
            plan = replace(plan, wide=_wide(given.step, plan, golden[STEP]))
    except InvalidArtifact:
        raise
    except Exception as error:
        raise InvalidArtifact(f"{graphs.step.path.parent} does not run at every batch size: {error}") from error
    rows, read_rows = (", ".join(map(str, each)) for each in (plan.sizes, plan.read_sizes))
    reading = f", {read_rows} that read" if read_rows else ""
    _log.info("%s: %s rows a run%s", graphs.step.path.parent, rows, reading)
    return plan


def _opened_again(graphs: Graphs, device: Device, wishes: Wishes) -> Graphs:
    """Gives the same graphs on another device."""
    opened = {
        role: Session.open(session.path, device, wishes.run_threads, wishes.acceleration)
        for role, session in graphs.by_role.items()
    }
    return replace(graphs, step=opened[STEP], prefill=opened.get(PREFILL))


def _on_fewest_cores(graphs: Graphs, device: Device, golden: Mapping[str, Tensors], wishes: Wishes) -> Graphs:
    """Leaves all cores but one to others where a run is not much faster on all of them."""
    if not device.is_cpu or wishes.threads is not None or wishes.usable_cores == 1:
        return graphs

    if graphs.prefill is None:
        # The others look at pictures meanwhile: a step that waits for them would take from both.
        return replace(graphs, step=Session.open(graphs.step.path, graphs.step.device, 1))

    def chosen(wide: Session, feeds: Tensors) -> Session:
        narrow = Session.open(wide.path, wide.device, 1)
        return wide if _is_worth(wide, narrow, feeds) else narrow

    step = chosen(graphs.step, sample.from_golden(golden[STEP])(wishes.max_batch_size))
    prefill = chosen(graphs.prefill, _piece(golden[PREFILL], 1, LENGTHS[-1], LENGTHS[-1]))
    return replace(graphs, step=step, prefill=prefill)


def _is_worth(wide: Session, narrow: Session, feeds: Tensors) -> bool:
    """Says whether all cores make a run so much faster that they are worth having."""
    wide_s = narrow_s = math.inf
    for _ in range(_TRIES):
        wide_s = min(wide_s, best_s(lambda: wide.run(feeds)))
        narrow_s = min(narrow_s, best_s(lambda: narrow.run(feeds)))
        if narrow_s < _SOON_S:
            return False
        if wide_s < _WORTH * narrow_s:
            return True
    return False


def _wide(wide: Session, plan: Plan, golden: Tensors) -> Session | None:
    """Gives what runs steps on all cores where nothing else needs them, if it is worth it and gives the same bits."""
    narrow, feeds = plan.graphs.step, sample.from_golden(golden)(plan.sizes[-1])
    if not _is_worth(wide, narrow, feeds):
        return None
    expected = narrow.run(feeds)
    return wide if all(_agrees(wide, feeds, size, expected) for size in plan.sizes) else None


def _agreeing(session: Session, golden: Tensors, sizes: tuple[int, ...], device: Device) -> tuple[int, ...]:
    """Warms every size; gives those at which rows come out as at the largest."""
    feeds = sample.from_golden(golden)(sizes[-1])
    expected = session.run(feeds)
    agree = [_agrees(session, feeds, size, expected) for size in sizes]
    # A GPU promises no bits; there the warming alone counts.
    return tuple(size for size, does in zip(sizes, agree, strict=True) if does or not device.is_cpu)


def _agrees(session: Session, feeds: Tensors, size: int, expected: Tensors) -> bool:
    """Says whether the first so many rows come out as expected where they run by themselves."""
    run = session.run({name: array[:size] for name, array in feeds.items()})
    return all(np.array_equal(array, expected[name][:size]) for name, array in run.items())


def _read_sizes(graphs: Graphs, golden: Mapping[str, Tensors], device: Device) -> tuple[int, ...]:
    """Likewise, in every length: a piece must come out alone as in company and as among longer ones."""
    if graphs.prefill is None:
        return ()
    sizes = list(_READ_SIZES)
    for length, longer in zip(LENGTHS, (*LENGTHS[1:], LENGTHS[-1]), strict=True):
        expected = graphs.prefill.run(_piece(golden[PREFILL], 1, length, length))
        for size in _READ_SIZES:
            run = graphs.prefill.run(_piece(golden[PREFILL], size, longer, length))
            run[LOG_PROBABILITY] = run[LOG_PROBABILITY][:, :length]
            agree = all(np.array_equal(array[:1], expected[name]) for name, array in run.items())
            if size in sizes and size > 1 and not agree and device.is_cpu:
                sizes.remove(size)
    return tuple(sizes)


def _piece(golden: Tensors, rows: int, length: int, known: int) -> Tensors:
    """Gives inputs of "prefill": the golden rows, their tokens over and over."""
    feeds = sample.from_golden(golden)(rows)
    tokens_NT = np.stack([np.resize(tokens_T, length) for tokens_T in feeds[TOKENS]])
    return {**feeds, TOKENS: tokens_NT, LENGTH: np.full(rows, known, np.int64)}
