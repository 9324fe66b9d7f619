"""Every architecture goes through the exporter and comes out the same.

Legend: N batch, K classes.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from export import gate, signature
from export.convert import convert
from export.graphs import ClassifierGraph
from protos.manifest_pb2 import Classification, ImageInput, TableInput, TextInput
from serving.runtime.session import Session
from training.columns import Columns
from training.initialisation import initialise
from training.models import alexnet, efficientnet_lite, resnet, vgg
from training.models.alexnet import AlexNet, AlexNet2012
from training.models.efficientnet_lite import EfficientNetLite
from training.models.lenet5 import LeNet5
from training.models.mlp import MLP
from training.models.perceptron import Perceptron
from training.models.resnet import ResNet
from training.models.resnet_cifar import ResNetCIFAR
from training.models.textcnn import TextCNN
from training.models.textcnn2d import TextCNN2D
from training.models.vgg import VGG
from training.pixels import Pixels
from training.spectral_dropout import SpectralDropout

CLASSES = 3
WORDS = 50
# By input: pictures of so many pixels a side and channels, texts of so many words, rows of so many columns.
IMAGES: dict[str, tuple[Callable[[], nn.Module], int, int]] = {
    "lenet5": (lambda: LeNet5(CLASSES, activation="lecun_tanh"), 28, 1),
    "mlp": (lambda: MLP(8 * 8, CLASSES, hidden=(16, 16), activation="leaky_relu"), 8, 1),
    "resnet_cifar": (lambda: ResNetCIFAR(8, CLASSES), 28, 3),
    "resnet50": (lambda: ResNet(50, CLASSES), 40, 3),
    "vgg11": (lambda: VGG(11, CLASSES, batch_norm=True), 40, 3),
    "alexnet": (lambda: AlexNet(CLASSES), 100, 3),
    "alexnet2012": (lambda: AlexNet2012(CLASSES), 100, 3),
    "efficientnet_lite0": (lambda: EfficientNetLite(0, CLASSES), 45, 3),
    "spectral_dropout": (lambda: nn.Sequential(_spectral(), MLP(8 * 8, CLASSES, hidden=())), 8, 1),
}
TEXTS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "textcnn": (lambda: TextCNN(WORDS, CLASSES, dimensions=8, filters=6), 3),
    "textcnn2d": (lambda: TextCNN2D(WORDS, CLASSES, 7, dimensions=9), 7),
}
TABLES: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "perceptron": (lambda: Perceptron(5), 5),
    "mlp": (lambda: MLP(5, CLASSES, hidden=(4,)), 5),
}


def _spectral() -> SpectralDropout:
    return SpectralDropout(threshold=0.1, dropout=0.5)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out what only repeats: the exporter takes a second for ten layers, and AlexNet's units half a gigabyte."""
    monkeypatch.setattr(alexnet, "_UNITS", 16)
    monkeypatch.setattr(vgg, "_UNITS", 16)
    monkeypatch.setitem(resnet._BLOCKS, 50, (2, 1, 1, 1))
    monkeypatch.setattr(efficientnet_lite, "_STAGES", efficientnet_lite._STAGES[:3])


@pytest.mark.parametrize("name", IMAGES)
def test_net_for_pictures(name: str, tmp_path: Path) -> None:
    """A net for pictures computes in ONNX Runtime what it computes in PyTorch."""
    make, side_px, channels = IMAGES[name]
    task = Classification(image=ImageInput(height=side_px, width=side_px, channels=channels), labels=labels(CLASSES))
    images_NHWC = np.random.default_rng(0).integers(0, 256, (6, side_px, side_px, channels), np.uint8)
    check(Pixels((0.5,) * channels, (0.25,) * channels), make, task, images_NHWC, tmp_path)


@pytest.mark.parametrize("name", TEXTS)
def test_net_for_texts(name: str, tmp_path: Path) -> None:
    """A net for texts computes in ONNX Runtime what it computes in PyTorch."""
    make, length = TEXTS[name]
    task = Classification(text=TextInput(vocabulary=map(str, range(WORDS)), length=length), labels=labels(CLASSES))
    check(nn.Identity(), make, task, np.random.default_rng(0).integers(0, WORDS, (6, length)), tmp_path)


@pytest.mark.parametrize("name", TABLES)
def test_net_for_tables(name: str, tmp_path: Path) -> None:
    """A net for the rows of a table computes in ONNX Runtime what it computes in PyTorch."""
    make, columns = TABLES[name]
    classes = 2 if name == "perceptron" else CLASSES
    task = Classification(table=TableInput(columns=labels(columns)), labels=labels(classes))
    rows_NF = np.random.default_rng(0).normal(size=(6, columns)).astype(np.float32)
    check(Columns(columns), make, task, rows_NF, tmp_path)


def labels(count: int) -> Sequence[str]:
    return [f"label {number}" for number in range(count)]


def check(
    front: nn.Module, make: Callable[[], nn.Module], task: Classification, inputs: NDArray[Any], folder: Path
) -> None:
    """Exports as `hondo export` does, and compares at two batch sizes."""
    torch.manual_seed(0)
    net = make()
    # Some papers' first weights are so small that answers hardly depend on what comes in.
    initialise(net, "he")
    settle(net, front(torch.from_numpy(inputs)))
    graph = ClassifierGraph(front, net)
    convert(graph, task, folder / "model.onnx", {})
    session = Session.open(folder / "model.onnx")
    gate.check_signature(session, task)
    for batch in (inputs[:1], inputs[1:]):
        found_NK = session.run({signature.takes(task).name: batch})[signature.PROBABILITIES].astype(np.float32)
        # Differences of logarithms of probabilities are those of logits.
        np.testing.assert_allclose(np.log(found_NK), np.log(graph.answer(batch)), rtol=1e-5, atol=1e-4)


def settle(net: nn.Module, inputs: torch.Tensor) -> None:
    """Measures the norms' means and deviations, as a training does: without them signals grow from layer to layer."""
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None
    with torch.no_grad():
        net.train()(inputs)
