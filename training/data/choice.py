"""Which data set is meant by the folder that a user gives, or by none."""

from pathlib import Path
from typing import Final

from training.data import digits, fashion_mnist, idx, mnist
from training.data.dataset import DataSet

_KNOWN: Final = (mnist.MNIST, fashion_mnist.FASHION_MNIST)


def choose(place: str | None) -> DataSet:
    """Reads the data set that a user means.

    Args:
        place: a folder of idx files, of which MNIST and Fashion-MNIST are told apart by their hashes; or "digits" for
            scikit-learn's; or None for what this machine has, which is Fashion-MNIST where Debian's package of it is
            installed, else the digits.

    Raises:
        MissingData: a file is missing, damaged or disagrees with another.
    """
    if place is None:
        place = str(fashion_mnist.DEBIAN) if fashion_mnist.DEBIAN.is_dir() else digits.NAME
    return digits.read() if place == digits.NAME else idx.read(Path(place), _KNOWN)
