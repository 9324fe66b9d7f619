"""A data set of labelled examples, in memory: as they are published, and as a net takes them.

Legend: N examples, H height, W width, C channels, T words, F columns.
"""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hondo import images, text
from hondo.errors import InvalidImage, InvalidRequest, MissingData
from protos.manifest_pb2 import Classification, DataSource, ImageInput, TableInput, TextInput
from training import inputs


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """What a graph takes, and the class of each."""

    # u8[N,H,W,C], i64[N,T] or f32[N,F].
    inputs: NDArray[Any]
    # Position in the task's labels.
    labels_N: NDArray[np.int64]

    def __post_init__(self) -> None:
        _check(self, len(self.inputs))

    def __len__(self) -> int:
        return len(self.labels_N)

    def take(self, index_N: NDArray[np.int64]) -> "Examples":
        """Gives the examples at these positions."""
        return Examples(self.inputs[index_N], self.labels_N[index_N])


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Pictures of one size."""

    images_NHWC: NDArray[np.uint8]
    labels_N: NDArray[np.int64]

    def __post_init__(self) -> None:
        _check(self, len(self.images_NHWC))

    def __len__(self) -> int:
        return len(self.labels_N)

    def take(self, index_N: NDArray[np.int64]) -> "Pictures":
        """Gives the pictures at these positions."""
        return Pictures(self.images_NHWC[index_N], self.labels_N[index_N])

    def fit(self, task: Classification) -> Examples:
        """Brings all pictures to the shape that a graph takes, by the code that serving runs."""
        spec = task.image
        if self.images_NHWC.shape[1:] == (spec.height, spec.width, spec.channels):
            return Examples(self.images_NHWC, self.labels_N)
        fitted = [images.fit(image(picture_HWC), spec) for picture_HWC in self.images_NHWC]
        return Examples(np.stack(fitted), self.labels_N)


@dataclass(frozen=True, slots=True, eq=False)
class PictureFiles:
    """Pictures of any size, as files."""

    paths: tuple[Path, ...]
    labels_N: NDArray[np.int64]

    def __post_init__(self) -> None:
        _check(self, len(self.paths))

    def __len__(self) -> int:
        return len(self.labels_N)

    def take(self, index_N: NDArray[np.int64]) -> "PictureFiles":
        """Gives the pictures at these positions."""
        return PictureFiles(tuple(self.paths[index] for index in index_N), self.labels_N[index_N])

    def fit(self, task: Classification) -> Examples:
        """Reads all pictures by the code that serving runs.

        Raises:
            MissingData: some cannot be read; the text names each.
        """
        spec = task.image
        inputs_NHWC = np.empty((len(self), spec.height, spec.width, spec.channels), np.uint8)
        with ThreadPoolExecutor() as pool:
            faults = pool.map(lambda place: _read(self.paths[place], spec, inputs_NHWC[place]), range(len(self)))
        if lines := [f"{path}: {fault}" for path, fault in zip(self.paths, faults, strict=True) if fault]:
            found = "\n".join(lines)
            raise MissingData(
                f"{len(lines):,} of {len(self):,} pictures cannot be read (--skip-corrupt leaves them out):\n{found}"
            )
        return Examples(inputs_NHWC, self.labels_N)


@dataclass(frozen=True, slots=True, eq=False)
class Sentences:
    """Texts as they are written."""

    texts: tuple[str, ...]
    labels_N: NDArray[np.int64]

    def __post_init__(self) -> None:
        _check(self, len(self.texts))

    def __len__(self) -> int:
        return len(self.labels_N)

    def take(self, index_N: NDArray[np.int64]) -> "Sentences":
        """Gives the sentences at these positions."""
        return Sentences(tuple(self.texts[index] for index in index_N), self.labels_N[index_N])

    def fit(self, task: Classification) -> Examples:
        """Encodes all sentences by the code that serving runs."""
        ids = text.index(task.text.vocabulary)
        encoded = [text.encode(sentence, ids, task.text.length) for sentence in self.texts]
        return Examples(np.stack(encoded), self.labels_N)

    def vocabulary(self, min_count: int) -> list[str]:
        """Gives the words that occur so often, the special ones first, then the most frequent, then by alphabet."""
        counts = Counter(word for sentence in self.texts for word in text.words(sentence))
        kept = [word for word, count in counts.items() if count >= min_count]
        return [*text.SPECIAL, *sorted(kept, key=lambda word: (-counts[word], word))]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The rows of a table of numbers."""

    columns: tuple[str, ...]
    values_NF: NDArray[np.float32]
    labels_N: NDArray[np.int64]

    def __post_init__(self) -> None:
        _check(self, len(self.values_NF))

    def __len__(self) -> int:
        return len(self.labels_N)

    def take(self, index_N: NDArray[np.int64]) -> "Rows":
        """Gives the rows at these positions."""
        return Rows(self.columns, self.values_NF[index_N], self.labels_N[index_N])

    def fit(self, task: Classification) -> Examples:
        """Gives the rows as they are."""
        return Examples(self.values_NF, self.labels_N)


Raw = Pictures | PictureFiles | Sentences | Rows
# What a task's input is called among people.
PLURAL: Final = {
    "image": "pictures",
    "text": "sentences",
    "table": "rows of a table",
    "characters": "one text to write on from",
}
Raw_co = TypeVar("Raw_co", bound=Raw, covariant=True)


@dataclass(frozen=True, slots=True, eq=False)
class DataSet(Generic[Raw_co]):
    """Examples to train on, examples to test on, and where they are from."""

    source: DataSource
    # Name of each class.
    labels: tuple[str, ...]
    train: Raw_co
    test: Raw_co
    # All examples, where their publisher did not say which are for the test: then the parts above are our choice.
    whole: Raw_co | None = None
    # What a user should know: what was left out, and why.
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The short name, for example "mnist"."""
        return self.source.name

    @property
    def kind(self) -> Literal["image", "text", "table"]:
        """What its examples are, as a task has it."""
        match self.train:
            case Pictures() | PictureFiles():
                return "image"
            case Sentences():
                return "text"
            case Rows():
                return "table"

    def fit(self, task: Classification) -> tuple[Examples, Examples]:
        """Gives what a graph takes of the examples to train on, and of those to test on.

        Raises:
            MissingData: some cannot be read; the text names each, of both parts.
        """
        fitted, faults = [], []
        for part in (self.train, self.test):
            try:
                fitted.append(part.fit(task))
            except MissingData as error:
                faults.append(str(error))
        if faults:
            raise MissingData("\n".join(faults))
        train, test = fitted
        return train, test

    def task(self, settings: inputs.Input) -> Classification:
        """Gives the task of a net that is trained on this data.

        Raises:
            InvalidRequest: the net takes something else than the data set has.
        """
        match settings, self.train:
            case inputs.Image(), Pictures() | PictureFiles():
                return Classification(image=settings.spec(), labels=self.labels)
            case inputs.Text(), Sentences():
                spec = TextInput(
                    tokenizer=TextInput.KIM,
                    vocabulary=self.train.vocabulary(settings.min_count),
                    length=settings.length,
                )
                return Classification(text=spec, labels=self.labels)
            case inputs.Table(), Rows():
                return Classification(table=TableInput(columns=self.train.columns), labels=self.labels)
            case _:
                has, takes = PLURAL[self.kind], PLURAL[settings.kind]
                raise InvalidRequest(f"{self.name} has {has}, but the model takes {takes}")


def image(picture_HWC: NDArray[np.uint8]) -> Image.Image:
    """Gives an array u8[H,W,1] (grey) or u8[H,W,3] (RGB) as Pillow's image."""
    return Image.fromarray(picture_HWC.squeeze(2) if picture_HWC.shape[2] == 1 else picture_HWC)


def _read(path: Path, spec: ImageInput, into_HWC: NDArray[np.uint8]) -> str:
    """Reads a picture file; gives the reason where it cannot be read, else nothing."""
    try:
        into_HWC[:] = images.read(path.read_bytes(), spec)
    except (InvalidImage, OSError) as error:
        return str(error)
    return ""


def _check(examples: Examples | Raw, count: int) -> None:
    if count != len(examples.labels_N):
        raise ValueError(f"{count} examples have {len(examples.labels_N)} labels")
