"""What a trained detector scores on the boundary benchmark of BSDS500.

Legend: H height, W width.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from protos.manifest_pb2 import Score
from training.bsds import scores
from training.bsds.judge import count
from training.data import bsds500
from training.data.bsds500 import Drawn

# As many take a third of the time of the benchmark's own 99, and the scores differ in the fourth digit.
THRESHOLDS: Final = 33


def examine(front: nn.Module, net: nn.Module, drawn: Sequence[Drawn]) -> tuple[Score, ...]:
    """Gives ODS, OIS and AP, each from 0 to 1.

    Args:
        front: image u8[N,H,W,C] to what the net takes.
        net: gives maps f32[N,M,H,W] from 0 to 1, the one that counts last.
        drawn: pictures that the training never saw.
    """
    levels = scores.thresholds(THRESHOLDS)
    judged = partial(count, thresholds=levels, thin=True)
    with ProcessPoolExecutor(_cores(), get_context("spawn")) as pool:
        counted = list(pool.map(judged, _maps(front, net, drawn), [each.boundaries_AHW for each in drawn]))
    found = scores.score(counted, levels)
    name = f"{bsds500.NAME} test, {THRESHOLDS} thresholds"
    return tuple(
        Score(metric=metric, value=value, unit="1", data=name, samples=len(drawn))
        for metric, value in (("ODS", found.ods.f), ("OIS", found.ois), ("AP", found.ap))
    )


@torch.inference_mode()
def _maps(front: nn.Module, net: nn.Module, drawn: Sequence[Drawn]) -> Iterator[NDArray[np.float32]]:
    for each in drawn:
        map_HW: NDArray[np.float32] = net(front(torch.tensor(each.image_HWC)[None]))[0, -1].numpy()
        yield map_HW


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
