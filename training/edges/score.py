"""How well maps agree with what people drew, pixel by pixel: quick, and a stand-in for the benchmark in training.

Legend: H height, W width, T thresholds.
"""

from typing import Final

import torch
from torch import Tensor

from training.edges.consensus import EDGE, NONE

_THRESHOLDS: Final = 99


class PixelScore:
    """Counts over pictures; F is at the threshold that is best for all of them together.

    Nothing is thinned and no distance is forgiven, so that F is far below the benchmark's, and rises with it.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forgets all pictures."""
        self._edges_T = torch.zeros(_THRESHOLDS + 1)
        self._nones_T = torch.zeros(_THRESHOLDS + 1)

    def add(self, edges_HW: Tensor, truth_HW: Tensor) -> None:
        """Counts a picture: edges f32 in 0..1, truth u8."""
        step_HW = (edges_HW * (_THRESHOLDS + 1)).long().clamp(0, _THRESHOLDS)
        self._edges_T += torch.bincount(step_HW[truth_HW == EDGE], minlength=_THRESHOLDS + 1)
        self._nones_T += torch.bincount(step_HW[truth_HW == NONE], minlength=_THRESHOLDS + 1)

    def best(self) -> float:
        """Gives the largest F, 2PR / (P + R), of all thresholds."""
        found_T, wrong_T = (counts.flip(0).cumsum(0).flip(0) for counts in (self._edges_T, self._nones_T))
        f_T = 2 * found_T / (found_T + wrong_T + found_T[0]).clamp(min=1)
        return float(f_T[1:].max())
