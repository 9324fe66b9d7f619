"""What a user may ask a graph to compute with, and what that needs."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

MAX_DROP_POINTS: Final = 0.5


class Name(StrEnum):
    """The precisions by the names that the command line and the manifest have for them."""

    FP32 = "fp32"
    # Weights are kept in 16 bits, and all arithmetic is done in 32: half the file, the same speed.
    FP16_WEIGHTS = "fp16-weights"
    # Arithmetic in 16 bits too: for GPUs; a CPU computes it in 32 bits and is slower for it.
    FP16 = "fp16"
    # Weights and activations in 8 bits: for CPUs.
    INT8 = "int8"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Exam:
    """What a graph is scored on before and after."""

    # As the graph takes them; the training never saw them.
    inputs: NDArray[Any]
    # The right class of each; None where nobody knows: then what the graph in 32-bit floats says counts as right.
    labels_N: NDArray[np.int64] | None
    # What they are, for example "mnist test".
    data: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lowering:
    """What is asked for, and what it is made and judged with."""

    # Not FP32.
    name: Name
    # What the activations' ranges are measured on, as the graph takes it; never part of the exam.
    calibration: NDArray[Any]
    exam: Exam
    # So many more percent of the exam may be answered wrongly.
    max_drop_points: float = MAX_DROP_POINTS
