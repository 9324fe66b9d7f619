"""Tiny nets that make captions, a run of one as training would hand it over, and its graphs.

Legend: N pictures, H height, W width, C channels, P places.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, cast

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from export.captions import build
from export.captions.build import task_of
from export.captions.describer import Describer
from export.captions.graphs import EncodeGraph
from export.captions.reference import Reference
from protos.manifest_pb2 import Captioning, DataSource, Manifest, Provenance, Score
from training.captions.run import CaptionRun, Facts, Kept
from training.captions.sight import Sight
from training.data.captioned import SPECIAL
from training.inputs import Image
from training.models.captioner import Cell, captioner
from training.pixels import Pixels
from training.recipes.captioner import RECIPE

WORDS: Final = ("a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l")
CHANNELS: Final = 6
HEIGHT, WIDTH = 64, 96
MOST: Final = 6


class Glance(nn.Module):
    """Sees a place in one step: what an EfficientNet is too large for in a test."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Conv2d(3, CHANNELS, 32, 32)

    def forward(self, image_NCHW: Tensor) -> Tensor:
        """Gives maps f32[N,P,C]."""
        maps_NPC: Tensor = torch.relu(self.look(image_NCHW)).flatten(2).transpose(1, 2)
        return maps_NPC


def make_run(cell: Cell = "lstm", *, attends: bool = True) -> CaptionRun:
    """Gives a run whose net has weights large enough to be sure of some words."""
    torch.manual_seed(4)
    image = Image(height=HEIGHT, width=WIDTH, channels=3, mean=(0.5,) * 3, std=(0.2,) * 3)
    facts = Facts(
        recipe=replace(RECIPE, input=image, max_words=MOST),
        vocabulary=(*SPECIAL, *WORDS),
        data=(DataSource(name="noise", origin="drawn here", terms="CC0 1.0", sha256={"noise.zip": "0" * 64}),),
        seed=7,
    )
    sizes = {"features": 10, "attention": 9, "dimensions": 8, "width": 14}
    net = captioner(len(facts.vocabulary), CHANNELS, cell=cell, attends=attends, tied=cell == "gru", **sizes).eval()
    for parameter in net.parameters():
        parameter.data *= 3
    return CaptionRun(
        facts=facts,
        front=Pixels(image.mean, image.std),
        sight=cast("Sight", Glance()),
        net=net,
        scores=(Score(metric="CIDEr", value=0.4, data="noise test, beam 1", samples=5),),
        library_versions={"torch": torch.__version__},
        epoch=3,
    )


def make_kept(count: int = 5) -> Kept:
    images_NHWC = np.random.default_rng(8).integers(0, 256, (count, HEIGHT, WIDTH, 3), np.uint8)
    return Kept(images_NHWC=images_NHWC, captions=tuple((f"a {word} b", "c d") for word in WORDS[:count]))


def make_reference(run: CaptionRun) -> Reference:
    return Reference(EncodeGraph(run.front, run.sight, run.net), task_of(run))


Change = Callable[[str, onnx.ModelProto], None]


@cache
def _graphs(cell: Cell, attends: bool) -> dict[str, bytes]:
    """Gives the files of a net of a kind: to trace one takes seconds."""
    run = make_run(cell, attends=attends)
    manifest = Manifest(captioning=task_of(run), provenance=Provenance(recipe="{}"))
    with TemporaryDirectory() as folder:
        build._write(EncodeGraph(run.front, run.sight, run.net), manifest, Path(folder))
        return {role: (Path(folder) / f"{role}.onnx").read_bytes() for role in build.ROLES}


def write(folder: Path, run: CaptionRun, change: Change | None = None) -> Describer:
    """Writes the graphs of `make_run`, changed in some way, and loads them."""
    folder.mkdir(parents=True, exist_ok=True)
    for role, content in _graphs(run.net.cell, run.net.attends).items():
        model = onnx.ModelProto.FromString(content)
        if change is not None:
            change(role, model)
        onnx.save(model, folder / f"{role}.onnx")
    return Describer.open(folder)


@pytest.fixture(scope="session")
def run() -> CaptionRun:
    return make_run()


@pytest.fixture(scope="session")
def kept() -> Kept:
    return make_kept()


@pytest.fixture(scope="session")
def task(run: CaptionRun) -> Captioning:
    return task_of(run)


@pytest.fixture(scope="session")
def describer(run: CaptionRun, tmp_path_factory: pytest.TempPathFactory) -> Describer:
    return write(tmp_path_factory.mktemp("graphs"), run)
