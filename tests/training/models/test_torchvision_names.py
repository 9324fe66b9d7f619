"""Nets take torchvision's weight files as they are: their names and shapes are the same."""

import hashlib
from collections.abc import Callable

import pytest
import torch
from torch import nn

from training.models.alexnet import AlexNet
from training.models.resnet import ResNet
from training.models.vgg import VGG

# Of the sorted lines "name shape" of each state dict, from the code of torchvision 0.29.2 itself.
SHA256 = {
    "alexnet": "935c1ea73a7869eef424454bd79f9a16fdcb7a6342ab404d13f9ead2466d1092",
    "vgg11": "b11acd4f90d9643fb47e4326d0f40d1ae7ee580b0509f272826300b0996358c2",
    "vgg11_bn": "56ed5816909a813293b13a7b24c808b5f2594f625d2f5b4ae45cac233d75a268",
    "vgg13": "79ca8fd7a1480aa7c17b8cdc8d302bc34640bccfe080031fa21b40f7b70edc21",
    "vgg13_bn": "e4f52ce016e5e82f373b5f48665a1bbeb1a16e6ead9829c72cfed1b3d6635444",
    "vgg16": "ba63c2556d912509cba94697742dd762a05c284047650150bab0c2ddc806bb59",
    "vgg16_bn": "86bad13b66635552f31b1a53eaf739fc05bf6111f696e97fd006755355d50d26",
    "vgg19": "393fac8b08b63fbee1e3ef721e98f1710adc57be373a2067ea1af78fc5ccb504",
    "vgg19_bn": "faf0fdbb92f698c6862d90e64500a658c4328d5dbadfc9e24785038b3c1208a6",
    "resnet18": "5191d63ec398959223d67ef37376f9061e6965b859fc2d4e40e23d037147a0d7",
    "resnet34": "f8de2a1812ef85e46b3f60c61589921afee0c2a6d4165e27508ad215f101671b",
    "resnet50": "a87e91cd6bd1f939e0b723852e567a7205d33b0ac984ac02dd1a5f225d37c036",
    "resnet101": "dbc3ca74fffafc728641ec2b524ccedcbae337de9d3e3cf1f0552330d07303ea",
    "resnet152": "7d486dbdc941506eeed76c4b06e6a00c943ff5aa11c0ced1b2e1b12faebd4729",
}
NETS: dict[str, Callable[[], nn.Module]] = {
    "alexnet": lambda: AlexNet(1000),
    "vgg11": lambda: VGG(11, 1000),
    "vgg11_bn": lambda: VGG(11, 1000, batch_norm=True),
    "vgg13": lambda: VGG(13, 1000),
    "vgg13_bn": lambda: VGG(13, 1000, batch_norm=True),
    "vgg16": lambda: VGG(16, 1000),
    "vgg16_bn": lambda: VGG(16, 1000, batch_norm=True),
    "vgg19": lambda: VGG(19, 1000),
    "vgg19_bn": lambda: VGG(19, 1000, batch_norm=True),
    "resnet18": lambda: ResNet(18, 1000),
    "resnet34": lambda: ResNet(34, 1000),
    "resnet50": lambda: ResNet(50, 1000),
    "resnet101": lambda: ResNet(101, 1000),
    "resnet152": lambda: ResNet(152, 1000),
}


@pytest.mark.parametrize("name", SHA256)
def test_names_and_shapes_are_torchvisions(name: str) -> None:
    """What torchvision calls by this name has a state dict with the same names and shapes."""
    with torch.device("meta"):
        state = NETS[name]().state_dict()
    lines = sorted(f"{key} {tuple(weights.shape)}" for key, weights in state.items())
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == SHA256[name]
