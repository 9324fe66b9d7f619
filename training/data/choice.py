"""Which data set is meant by what a user gives, or by nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hondo.errors import InvalidRequest, MissingData
from training.data import cifar10, digits, fashion_mnist, folder, idx, mnist, mr, sst, students, table, trec, tsv
from training.data.dataset import DataSet, Raw
from training.inputs import Characters, Image
from training.recipe import Recipe

PLACES: Final = f"FOLDER|FILE|{digits.NAME}|{students.NAME}"
KINDS: Final = (
    "Folder of MNIST or one in its form, CIFAR-10, TREC, MR or SST. Of your own: pictures as train/CLASS/*.jpg and "
    "test/CLASS/*.jpg, or CLASS/*.jpg; texts as train.tsv and test.tsv, or one file, LABEL<TAB>TEXT on each line; a "
    "table as train.csv and test.csv, or one file, with a column named label. Or what comes with the packages: digits "
    "(scikit-learn's), students (made up). For nets that write: any UTF-8 text file, or python (the source of its "
    "standard library)."
)

_IDX: Final = (mnist.MNIST, fashion_mnist.FASHION_MNIST)
_PUBLISHED: Final = (*_IDX, trec.TREC, mr.MR, sst.FINE, sst.BINARY)
# What recipes are made for, and how a user says where it is.
_NEEDS: Final = {
    **{known.name: f"--data FOLDER with {known.name}, from {known.where}" for known in _PUBLISHED},
    cifar10.NAME: f"--data FOLDER with {cifar10.NAME}, from {cifar10.WHERE}",
    folder.NAME: f"--data FOLDER with {folder.WHERE}",
    students.NAME: f"--data {students.NAME}",
}


@dataclass(frozen=True, slots=True)
class _Form:
    """A form that data sets have."""

    # Which files, in words.
    looked_for: str
    recognises: Callable[[Path], bool]
    read: Callable[[Path], DataSet[Raw]]


# The first that recognises the place reads it.
_FORMS: Final = (
    _Form(idx.LOOKED_FOR, idx.recognises, lambda path: idx.read(path, _IDX)),
    _Form(cifar10.LOOKED_FOR, cifar10.recognises, cifar10.read),
    _Form(trec.LOOKED_FOR, trec.recognises, trec.read),
    _Form(mr.LOOKED_FOR, mr.recognises, mr.read),
    _Form(sst.LOOKED_FOR, sst.recognises, sst.read),
    _Form(tsv.LOOKED_FOR, tsv.recognises, tsv.read),
    _Form(table.LOOKED_FOR, table.recognises, table.read),
)


class NoDataSet(MissingData):
    """There is nothing that looks like a data set."""


def choose(place: str | None, recipe: Recipe, *, skip_corrupt: bool = False) -> DataSet[Raw]:
    """Reads the data set that a user means.

    Args:
        place: a folder or a file, which tell themselves what they are; or the name of a data set that the package has;
            or None for what this machine has.
        recipe: what is to be trained.
        skip_corrupt: leaves out pictures that cannot be read.

    Raises:
        MissingData: there is none, or a file is missing, damaged or disagrees with another.
        InvalidRequest: the recipe is for a text, which has no examples.
    """
    if isinstance(recipe.input, Characters):
        raise InvalidRequest(f"{recipe.name} writes on from a text, so there are no examples: `hondo train` takes it")
    if place is None:
        return _at_hand(recipe)
    try:
        return read(place, skip_corrupt=skip_corrupt)
    except NoDataSet as error:
        raise MissingData(f"{error}\n{recipe.name} is made for {recipe.data}: {_NEEDS[recipe.data]}") from error


def read(place: str, *, skip_corrupt: bool = False) -> DataSet[Raw]:
    """Reads the data set in a folder or file, or the one of that name that the package has: see `choose`.

    Raises:
        MissingData: there is none, or a file is missing, damaged or disagrees with another.
    """
    if place == digits.NAME:
        return digits.read()
    if place == students.NAME:
        return students.read()
    path = Path(place)
    if not path.exists():
        raise NoDataSet(f"there is no {path}")
    for form in _FORMS:
        if form.recognises(path):
            return form.read(path)
    if folder.recognises(path):
        return folder.read(path, skip_corrupt=skip_corrupt)
    looked_for = "".join(f"\n  {files}" for files in (*(form.looked_for for form in _FORMS), folder.LOOKED_FOR))
    raise NoDataSet(f"no data set is in {path}; looked for{looked_for}")


def _at_hand(recipe: Recipe) -> DataSet[Raw]:
    if isinstance(recipe.input, Image) and recipe.data in {known.name for known in _IDX}:
        if fashion_mnist.DEBIAN.is_dir():
            return idx.read(fashion_mnist.DEBIAN, _IDX)
        if recipe.data == mnist.NAME:
            return digits.read()
    if recipe.data == students.NAME:
        return students.read()
    raise MissingData(_NEEDS[recipe.data])


def better(recipe: Recipe, data: DataSet[Raw]) -> str | None:
    """Says where to get the data that a recipe is made for; None where that is what it has, or any will do."""
    if recipe.data in {data.name, folder.NAME}:
        return None
    return f"made for {recipe.data}: {_NEEDS[recipe.data]}"
