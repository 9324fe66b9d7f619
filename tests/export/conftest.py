"""A tiny classifier as training would hand it over, and the file that it is exported to.

Legend: N batch, H height, W width, C channels.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from export.convert import convert
from export.graphs import ClassifierGraph
from protos.manifest_pb2 import Classification, DataSource, ImageInput, Score
from serving.runtime.session import Session
from training.data.dataset import Examples
from training.pixels import Pixels
from training.run import Run

LABELS = ("circle", "square", "triangle")
FACTS = {"name": "shapes", "labels": '["circle", "square", "triangle"]'}


def make_run(net: nn.Module) -> Run:
    image = ImageInput(height=8, width=6, channels=1, resize=ImageInput.STRETCH, filter=ImageInput.BILINEAR)
    random = np.random.default_rng(1)
    return Run(
        name="shapes",
        net=net.eval(),
        front=Pixels(mean=(0.5,), std=(0.25,)),
        task=Classification(image=image, labels=LABELS),
        samples=Examples(random.integers(0, 256, (64, 8, 6, 1), dtype=np.uint8), random.integers(0, len(LABELS), 64)),
        recipe={"name": "shapes", "epochs": 3},
        source="Nobody 1999, section II",
        summary="Names the shape in a picture.",
        data=(DataSource(name="shapes", origin="drawn here", terms="CC0 1.0", sha256={"train.npz": "0" * 64}),),
        scores=(Score(metric="error", value=12.5, unit="%", data="shapes test", samples=64),),
        seed=7,
        library_versions={"torch": torch.__version__},
        parameters=sum(parameter.numel() for parameter in net.parameters()),
    )


@pytest.fixture(scope="session")
def run() -> Run:
    torch.manual_seed(2)
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 8 * 6, len(LABELS))
    )
    return make_run(net)


@pytest.fixture(scope="session")
def graph(run: Run) -> ClassifierGraph:
    return ClassifierGraph(run.front, run.net)


@pytest.fixture(scope="session")
def onnx_path(run: Run, graph: ClassifierGraph, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    convert(graph, run.task, path, FACTS)
    return path


@pytest.fixture(scope="session")
def session(onnx_path: Path) -> Session:
    return Session.open(onnx_path)
