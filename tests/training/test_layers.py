from collections.abc import Callable

import pytest
import torch
from torch import nn

from protos.manifest_pb2 import Classification, ImageInput, TableInput, TextInput
from training.columns import Columns
from training.layers import Layer, example, layers
from training.models.alexnet import AlexNet
from training.models.lenet5 import LeNet5
from training.models.perceptron import Perceptron
from training.models.resnet import ResNet
from training.models.textcnn import TextCNN
from training.models.vgg import VGG
from training.pixels import Pixels


def of_pictures(net: nn.Module, side_px: int, channels: int = 3) -> list[Layer]:
    task = Classification(image=ImageInput(height=side_px, width=side_px, channels=channels))
    return layers(Pixels((0.5,) * channels, (0.5,) * channels), net, example(task))


def test_tells_every_layer_in_order() -> None:
    """LeNet-5's layers, by hand: each map's pixels times its filter's weights, and units times inputs."""
    found = of_pictures(LeNet5(10), 28, channels=1)
    assert [layer.name for layer in found if layer.name != "squash"] == ["c1", "s2", "c3", "s4", "c5", "f6", "output"]
    assert {layer.name: (layer.kind, layer.output, layer.parameters, layer.multiply_adds) for layer in found} == {
        "c1": ("Conv2d", (6, 28, 28), 156, 6 * 28 * 28 * 5 * 5),
        "squash": ("ReLU", (84,), 0, 0),
        "s2": ("MaxPool2d", (6, 14, 14), 0, 0),
        "c3": ("Conv2d", (16, 10, 10), 2416, 16 * 10 * 10 * 5 * 5 * 6),
        "s4": ("MaxPool2d", (16, 5, 5), 0, 0),
        "c5": ("Conv2d", (120, 1, 1), 48_120, 120 * 5 * 5 * 16),
        "f6": ("Linear", (84,), 10_164, 84 * 120),
        "output": ("Linear", (10,), 850, 10 * 84),
    }


# Published by torchvision with its weights, in thousand millions ("GFLOPS", of which a multiply-add is one).
@pytest.mark.parametrize(
    ("net", "published"),
    [
        (lambda: AlexNet(1000), "0.71"),
        (lambda: ResNet(18, 1000), "1.81"),
        (lambda: ResNet(50, 1000), "4.09"),
        (lambda: VGG(16, 1000), "15.47"),
    ],
    ids=["alexnet", "resnet18", "resnet50", "vgg16"],
)
def test_counts_as_torchvision_does(net: Callable[[], nn.Module], published: str) -> None:
    """Multiply-adds are those published, and parameters all that the net has."""
    with torch.device("meta"):
        built = net()
    found = of_pictures(built, 224)
    assert f"{sum(layer.multiply_adds for layer in found) / 1e9:.2f}" == published
    assert sum(layer.parameters for layer in found) == sum(weights.numel() for weights in built.parameters())


def test_takes_texts_and_tables() -> None:
    """Nets for words and for numbers are told too."""
    words = example(Classification(text=TextInput(length=7)))
    text = layers(nn.Identity(), TextCNN(20, 2, dimensions=4, filters=3), words)
    assert text[0] == Layer(name="vectors", kind="Embedding", output=(17, 4), parameters=80, multiply_adds=0)
    table = layers(Columns(3), Perceptron(3), example(Classification(table=TableInput(columns=["a", "b", "c"]))))
    assert table == [Layer(name="output", kind="Linear", output=(1,), parameters=4, multiply_adds=3)]


def test_counts_shared_weights_once() -> None:
    """A layer that an example passes twice is told twice, and its weights are counted the first time."""
    shared = nn.Linear(3, 3, bias=False)
    found = layers(
        Columns(3),
        nn.Sequential(shared, nn.Tanh(), shared),
        example(Classification(table=TableInput(columns=["a", "b", "c"]))),
    )
    assert [(layer.parameters, layer.multiply_adds) for layer in found] == [(9, 9), (0, 0), (0, 9)]
