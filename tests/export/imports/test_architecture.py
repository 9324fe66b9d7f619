from collections import OrderedDict
from functools import partial
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from torch import nn

from export.build import build
from export.imports import architecture, samples
from export.imports.architecture import TORCHVISION, Architecture, Given
from hondo import artifact
from hondo.cli import main
from hondo.errors import InvalidRequest
from protos.manifest_pb2 import ImageInput
from training import pretrained
from training.models.efficientnet_lite import Size


def tiny(classes: int) -> nn.Module:
    pool, flat = nn.AdaptiveAvgPool2d(2), nn.Flatten()
    return nn.Sequential(OrderedDict(conv=nn.Conv2d(3, 4, 3), norm=nn.BatchNorm2d(4), pool=pool, flat=flat)).append(
        nn.Linear(16, classes)
    )


TINY = Architecture(
    title="Tiny",
    source="Nobody 1999",
    build=tiny,
    last="4",
    image=ImageInput(height=8, width=8, channels=3, resize=ImageInput.STRETCH, filter=ImageInput.BILINEAR),
    mean=(0.5, 0.5, 0.5),
    std=(0.25, 0.25, 0.25),
)


def weights(folder: Path, classes: int) -> Path:
    torch.manual_seed(3)
    torch.save(tiny(classes).state_dict(), folder / "tiny.pth")
    return folder / "tiny.pth"


def given(path: Path) -> Given:
    return Given(path=path, origin="Jane Doe", terms="MIT", data=(), library_versions={"janes": "1.0"})


def test_weights_become_an_artifact(tmp_path: Path) -> None:
    """The number of classes is the weights', the labels are the file's, and the manifest says where both are from."""
    (tmp_path / "labels.txt").write_text("a\nb\n", "utf-8")
    path = weights(tmp_path, 2)
    take = partial(samples.take, folder=None, count=42)
    made = architecture.candidate("tiny", TINY, given(path), tmp_path / "labels.txt", take)
    folder = tmp_path / "models" / "tiny" / "1"
    folder.mkdir(parents=True)
    build(made, folder, say=lambda _: None)
    manifest = artifact.read(folder).manifest
    assert list(manifest.classification.labels) == ["a", "b"]
    told = manifest.provenance
    assert (told.weights.origin, told.weights.terms, told.weights.file) == ("Jane Doe", "MIT", "tiny.pth")
    assert told.weights.sha256 == artifact.sha256(path)
    assert told.library_versions["janes"] == "1.0"
    assert told.parameters == sum(parameter.numel() for parameter in tiny(2).parameters())


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvisions_architectures_have_their_last_layer(name: str) -> None:
    """The layer that the number of classes is read from is there, and is the last."""
    net = TORCHVISION[name]
    with torch.device("meta"):
        state = net.build(7).state_dict()
    assert list(state)[-2:] == [f"{net.last}.weight", f"{net.last}.bias"]
    assert len(state[f"{net.last}.weight"]) == 7


def test_torchvisions_pictures_are_made_as_it_makes_them() -> None:
    """Shorter side to 256, the centre of 224, and ImageNet's mean and deviation: torchvision's documented presets."""
    net = TORCHVISION["resnet50"]
    assert (net.image.height, net.image.width, net.image.shorter_side) == (224, 224, 256)
    assert (net.image.resize, net.image.filter) == (ImageInput.CENTER_CROP, ImageInput.BILINEAR)
    assert (net.mean, net.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@pytest.mark.parametrize(("size", "side", "shorter"), [(0, 224, 256), (1, 240, 272), (2, 260, 292)])
def test_efficientnet_lites_pictures_are_made_as_its_source_makes_them(size: Size, side: int, shorter: int) -> None:
    """The shorter side is 32 pixels longer than the cut, bicubic; a byte becomes (byte - 127) / 128."""
    net = architecture.efficientnet_lite(size)
    assert (net.image.height, net.image.width, net.image.shorter_side) == (side, side, shorter)
    assert (net.image.resize, net.image.filter) == (ImageInput.CENTER_CROP, ImageInput.BICUBIC)
    for byte in (0, 127, 255):
        assert (byte / 255 - net.mean[0]) / net.std[0] == pytest.approx((byte - 127) / 128)


def test_the_wrong_file_of_weights_is_told_on_the_command_line(tmp_path: Path) -> None:
    """Weights of another net end the command with their names, not with a traceback."""
    line = ["import", "torchvision:resnet18", str(weights(tmp_path, 2)), "--to", str(tmp_path / "models")]
    ran = CliRunner().invoke(main, line)
    assert ran.exit_code == 1
    assert "tiny.pth has no matrix 'fc.weight', which the last layer of this architecture is: it has conv.weight" in (
        ran.output
    )


def test_classes_without_names_are_refused(tmp_path: Path) -> None:
    """Two classes are not ImageNet's thousand."""
    with pytest.raises(InvalidRequest, match="has 2 classes: name them in a file"):
        architecture.candidate(
            "tiny", TINY, given(weights(tmp_path, 2)), None, partial(samples.take, folder=None, count=42)
        )


def test_a_published_version_is_not_replaced(tmp_path: Path) -> None:
    """The same name and version are refused before any work."""
    (tmp_path / "models" / "resnet18" / "3").mkdir(parents=True)
    line = ["import", "torchvision:resnet18", str(weights(tmp_path, 2)), "--to", str(tmp_path / "models")]
    ran = CliRunner().invoke(main, [*line, "--version", "3"])
    assert ran.exit_code == 1
    assert "is there already" in ran.output


def test_every_package_has_a_command() -> None:
    """`hondo import --help` lists the packages, torchvision's names and a file of one's own."""
    ran = CliRunner().invoke(main, ["import", "--help"])
    for name in ("onnx", *(f"torchvision:{net}" for net in TORCHVISION), *(f"efficientnet-lite{n}" for n in (0, 1, 2))):
        assert name in ran.output
    assert set(pretrained.EFFICIENTNET_LITE) == {0, 1, 2}
