"""What the training of an edge detector makes small.

Legend: N pictures, M maps, H height, W width.
"""

import torch
from torch import Tensor
from torch.nn import functional

from training.edges.consensus import EDGE, NONE


def balanced_cross_entropy(logit_NMHW: Tensor, truth_NHW: Tensor) -> Tensor:
    """Gives the class-balanced cross-entropy of all maps, f32: Xie and Tu 2015, equation 2.

    In each picture, edges weigh as much as they are rare, and the other pixels the rest; all maps weigh alike. It is
    the mean over pictures and pixels, added up over the maps.

    Args:
        logit_NMHW: the side outputs and their fusion, before the sigmoid.
        truth_NHW: NONE, DISPUTED or EDGE, u8; what is disputed does not count.
    """
    edge_NHW, none_NHW = (truth_NHW == EDGE).float(), (truth_NHW == NONE).float()
    edges_N, nones_N = edge_NHW.sum(dim=(1, 2)), none_NHW.sum(dim=(1, 2))
    edge_share_N11 = (edges_N / (edges_N + nones_N).clamp(min=1)).reshape(-1, 1, 1)
    weight_NHW = edge_NHW * (1 - edge_share_N11) + none_NHW * edge_share_N11
    target_NMHW = edge_NHW[:, None].expand_as(logit_NMHW)
    entropy_NMHW = functional.binary_cross_entropy_with_logits(logit_NMHW, target_NMHW, reduction="none")
    pixels = truth_NHW.numel()
    return torch.einsum("nmhw,nhw->", entropy_NMHW, weight_NHW) / pixels
