"""Sample inputs of a graph, of any number of rows: what warming, measuring and checking run on."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from hondo.artifact import Tensors
from serving.runtime.datatypes import BYTES, Datatype
from serving.runtime.session import Signature

# Gives inputs of so many rows.
Sample = Callable[[int], Tensors]


def from_golden(inputs: Tensors) -> Sample:
    """Gives the golden inputs' rows, over and over."""
    return lambda rows: {name: np.resize(array, (rows, *array.shape[1:])) for name, array in inputs.items()}


def made_up(signatures: Sequence[Signature]) -> Sample | None:
    """Gives random rows of the right shapes; None where a dimension behind the first is free."""
    if not all(isinstance(side, int) for signature in signatures for side in signature.shape[1:]):
        return None

    def rows_of(rows: int) -> Tensors:
        random = np.random.default_rng(0)
        return {
            signature.name: _random(
                random, (rows, *(int(side or 0) for side in signature.shape[1:])), signature.datatype
            )
            for signature in signatures
        }

    return rows_of


def _random(random: np.random.Generator, shape: tuple[int, ...], datatype: Datatype) -> NDArray[np.generic]:
    """Bytes of pictures, small numbers, and 0 or 1 where numbers may be indices."""
    if datatype is BYTES:
        return np.full(shape, "", np.object_)
    if datatype.numpy.kind == "f":
        return random.standard_normal(shape).astype(datatype.numpy)
    return random.integers(0, 256 if datatype.name == "UINT8" else 2, shape).astype(datatype.numpy)
