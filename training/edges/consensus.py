"""What counts as an edge where several people drew a picture's boundaries, each in their own way.

Legend: A annotators, H height, W width.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

# What a pixel is to the loss.
NONE: Final = 0
DISPUTED: Final = 1
EDGE: Final = 2


def consensus(boundaries_AHW: NDArray[np.bool_], agreement: float) -> NDArray[np.uint8]:
    """Gives for each pixel NONE, DISPUTED or EDGE, u8[H,W].

    What more than the share `agreement` of the annotators drew is an edge, what nobody drew is none, and what is in
    between teaches nothing: Liu, Cheng, Hu, Wang, Bai, "Richer convolutional features for edge detection", 2017, 3.2.
    """
    share_HW = boundaries_AHW.mean(axis=0)
    truth_HW = np.full(share_HW.shape, NONE, np.uint8)
    truth_HW[share_HW > 0] = DISPUTED
    truth_HW[share_HW > agreement] = EDGE
    return truth_HW
