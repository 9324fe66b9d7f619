"""What a net said of pictures, and what it might have said.

Legend: N pictures, T tokens, B candidates, P places.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.writing.written import Floats
from hondo.artifact import Tensors


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Said:
    """What was said, by one row for each picture."""

    tokens_NT: NDArray[np.int64]
    log_probability_NT: Floats
    # The most probable tokens at each place, the most probable first.
    candidate_NTB: NDArray[np.int64]
    candidate_log_probability_NTB: Floats
    # Where it looked at each token; P is 0 where the net does not attend.
    attention_NTP: Floats
    # Before the last of the tokens, by the names of the inputs.
    state: Tensors
