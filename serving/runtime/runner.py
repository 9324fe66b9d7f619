"""What runs a batch of rows that come in parts: on arrays made for each run, or in buffers that stay.

On a GPU a run copies its rows there and the answers back. From page-locked memory the GPU takes them by itself; from
any other, the driver copies them into such memory first. So rows are joined in buffers of that kind, which are bound
once for each size of batch.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray
from onnxruntime import RunOptions

from hondo.artifact import Tensors
from serving.runtime import locked
from serving.runtime.datatypes import BF16, BYTES
from serving.runtime.device import Device
from serving.runtime.session import Run, Session, Signature

# Of texts there are no buffers, and of these numbers numpy has none.
_NO_NUMBERS: Final = (BYTES, BF16)


class Runner(Protocol):
    """What runs a graph for one thread."""

    @property
    def session(self) -> Session:
        """What it runs."""

    def run(
        self, parts: Sequence[Tensors], padding: int, outputs: Sequence[str], options: RunOptions | None = None
    ) -> Tensors:
        """Runs the graph once.

        Args:
            parts: the rows of several requests, in their order.
            padding: how many copies of the last row it is to have beside them.
            outputs: names of the outputs wanted.
            options: what may end the run early.

        Returns:
            These, for all rows, in arrays of their own.
        """


class Plain:
    """Runs a graph on arrays that are made for each run."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def warm(self, feeds: Tensors) -> None:
        """Runs so many rows once: onnxruntime plans its memory by that."""
        self.session.run(feeds)

    def run(
        self, parts: Sequence[Tensors], padding: int, outputs: Sequence[str], options: RunOptions | None = None
    ) -> Tensors:
        """Runs the graph once."""
        return self.session.run(_joined(parts, padding), outputs, options)


class Bound:
    """Runs a graph in buffers that stay, for one thread at a time.

    Args:
        session: whose rows are all of one size (`is_sized`).
        largest: rows that a run has at most.
    """

    def __init__(self, session: Session, largest: int) -> None:
        self.session = session
        self._plain = Plain(session)
        self._in = _buffers(session.inputs, largest, session.device)
        self._out = _buffers(session.outputs, largest, session.device)
        self._runs: dict[int, Run] = {}

    def warm(self, feeds: Tensors) -> None:
        """Binds the size of these rows, and runs them once: a CUDA graph is recorded by that."""
        rows = _rows(feeds)
        first, after = ({name: array[:rows] for name, array in each.items()} for each in (self._in, self._out))
        self._runs[rows] = self.session.bind(first, after)
        self.run([feeds], 0, ())

    def run(
        self, parts: Sequence[Tensors], padding: int, outputs: Sequence[str], options: RunOptions | None = None
    ) -> Tensors:
        """Runs the graph once; sizes that were not warmed, and rows that do not fit, as `Plain` does."""
        rows = sum(map(_rows, parts)) + padding
        run = self._runs.get(rows)
        if run is None or not all(_fits(part, self._in) for part in parts):
            return self._plain.run(parts, padding, outputs, options)
        end = 0
        for part in parts:
            start, end = end, end + _rows(part)
            for name, array in part.items():
                self._in[name][start:end] = array
        for buffer in self._in.values():
            buffer[end:rows] = buffer[end - 1]
        run(options)
        return {name: self._out[name][:rows].copy() for name in outputs}


def of(session: Session, largest: int) -> Plain | Bound:
    """Gives what runs a graph best where it computes."""
    return Bound(session, largest) if session.device.is_cuda and is_sized(session) else Plain(session)


def is_sized(session: Session) -> bool:
    """Says whether all that goes in and comes out are numbers, of which each row has as many."""
    return all(
        signature.shape
        and not isinstance(signature.shape[0], int)
        and all(isinstance(side, int) for side in signature.shape[1:])
        and signature.datatype not in _NO_NUMBERS
        for signature in session.signatures
    )


def _buffers(signatures: Sequence[Signature], rows: int, device: Device) -> dict[str, NDArray[np.generic]]:
    return {each.name: locked.array((rows, *each.row_shape), each.datatype.numpy, device) for each in signatures}


def _rows(part: Tensors) -> int:
    """Gives how many rows come; 1 for what has none."""
    shape = next(iter(part.values())).shape
    return shape[0] if shape else 1


def _fits(part: Tensors, buffers: Mapping[str, NDArray[np.generic]]) -> bool:
    """Says whether rows may be written into the buffers as they are."""
    return part.keys() == buffers.keys() and all(
        array.dtype == buffers[name].dtype and array.shape[1:] == buffers[name].shape[1:]
        for name, array in part.items()
    )


def _joined(parts: Sequence[Tensors], padding: int) -> Tensors:
    first = parts[0]
    if len(parts) == 1 and not padding:
        return first
    if padding:
        parts = [*parts, {name: np.repeat(array[-1:], padding, axis=0) for name, array in parts[-1].items()}]
    return {name: np.concatenate([part[name] for part in parts]) for name in first}
