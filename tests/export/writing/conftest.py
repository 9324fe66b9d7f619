"""Tiny nets that write, a run of one as training would hand it over, and its graphs.

Legend: T tokens.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray

from export.writing import graphs, weights
from export.writing.writer import Writer
from hondo.artifact import PREFILL, STEP
from protos.manifest_pb2 import DataSource, TextGeneration
from training.models.recurrent import Cell, Recurrent
from training.text_run import TextRun, loss, loss_scores

VOCABULARY: Final = "\n abcdefghij"


def make_net(cell: Cell = "lstm", **settings: int | bool) -> Recurrent:
    """Gives a net whose weights are large enough to be sure of some characters."""
    torch.manual_seed(4)
    sizes = {"layers": 2, "width": 20, "dimensions": 8, **settings}
    net = Recurrent(len(VOCABULARY), cell=cell, **sizes).eval()  # type: ignore[arg-type]  # each has its own type
    for parameter in net.parameters():
        parameter.data *= 1.7
    return net


def make_text(length: int = 3000) -> NDArray[np.int64]:
    return np.random.default_rng(8).integers(0, len(VOCABULARY), length)


def write(folder: Path, net: Recurrent, change: Callable[[str, onnx.ModelProto], None] | None = None) -> Writer:
    """Writes a net's graphs, changed in some way, and loads them."""
    models = {PREFILL: graphs.prefill(net, {}), STEP: graphs.step(net, {})}
    for role, model in models.items():
        if change is not None:
            change(role, model)
    weights.write(models, folder)
    return Writer.open(folder)


@pytest.fixture(scope="session")
def net() -> Recurrent:
    return make_net()


@pytest.fixture(scope="session")
def text() -> NDArray[np.int64]:
    return make_text()


@pytest.fixture(scope="session")
def writer(net: Recurrent, tmp_path_factory: pytest.TempPathFactory) -> Writer:
    return write(tmp_path_factory.mktemp("graphs"), net)


@pytest.fixture(scope="session")
def run(net: Recurrent, text: NDArray[np.int64]) -> TextRun:
    return TextRun(
        name="char-lstm",
        net=net,
        task=TextGeneration(vocabulary=VOCABULARY, start=0),
        text_T=text,
        recipe={"name": "char-lstm", "epochs": 3},
        source="Nobody 1999, section II",
        summary="Writes noise.",
        data=(DataSource(name="noise", origin="drawn here", terms="CC0 1.0", sha256={"noise.txt": "0" * 64}),),
        scores=loss_scores(loss(net, text), "noise, its last characters", len(text) - 1),
        seed=7,
        library_versions={"torch": torch.__version__},
        parameters=sum(parameter.numel() for parameter in net.parameters()),
    )
