"""One long text that a net learns to write on from: any UTF-8 file, or what every machine has.

Legend: T characters.
"""

import math
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hondo import artifact, characters
from hondo.errors import MissingData
from protos.manifest_pb2 import DataSource, TextGeneration
from training.data import own

# The name of what a fresh machine has.
PYTHON: Final = "python"

_KARPATHY: Final = "https://github.com/karpathy/char-rnn"
# What is known of published texts, by their SHA-256.
PUBLISHED: Final = {
    "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed": DataSource(
        name="tinyshakespeare",
        origin=f"40,000 lines of Shakespeare's plays, gathered by Karpathy 2015, {_KARPATHY}",
        terms="public domain",
    ),
    "b0fc81c399971eaf738c8be89809e6a0d95c151749112b04f06b6af648d8a39f": DataSource(
        name="war-and-peace",
        origin="Tolstoy, War and Peace, in English, as Karpathy's warpeace_input.txt of 2015 has it",
        terms="public domain",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Corpus:
    """A text whose end is kept for validation."""

    source: DataSource
    task: TextGeneration
    # Token ids.
    train_T: NDArray[np.int64]
    # What follows on it.
    validation_T: NDArray[np.int64]


def read(place: str | None, share: float) -> Corpus:
    """Reads a text.

    Args:
        place: a UTF-8 file, or PYTHON; PYTHON too where it is None.
        share: of its characters, from the end, that are kept for validation.

    Raises:
        MissingData: there is no such file, or it is no UTF-8 text, or too short to tell its characters apart.
    """
    source, text = _python() if place in {None, PYTHON} else _file(Path(place or ""))
    if len(set(text)) < 2:
        raise MissingData(f"{source.origin} has {len(set(text))} different characters: there is nothing to learn")
    vocabulary = characters.vocabulary(text)
    tokens_T = characters.encode(text, characters.index(vocabulary))
    task = TextGeneration(vocabulary=vocabulary, start=characters.start(vocabulary))
    cut = len(text) - max(2, math.ceil(share * len(text)))
    return Corpus(source=source, task=task, train_T=tokens_T[:cut], validation_T=tokens_T[cut:])


def _file(path: Path) -> tuple[DataSource, str]:
    if not path.is_file():
        raise MissingData(f"{path} is no file: --data takes a UTF-8 text file, or {PYTHON}")
    sha256 = artifact.sha256(path)
    text = _text(path)
    source = DataSource()
    if sha256 in PUBLISHED:
        source.CopyFrom(PUBLISHED[sha256])
        source.sha256[path.name] = sha256
        return source, text
    return own.source(path, {path.name: sha256}), text


def _python() -> tuple[DataSource, str]:
    """Gives the source of Python's own standard library: the modules that are one file, by alphabet."""
    folder = Path(sysconfig.get_path("stdlib"))
    paths = sorted(folder.glob("*.py"))
    if not paths:
        raise MissingData(f"{folder} has no Python source to learn from: give a text with --data FILE")
    version = sysconfig.get_python_version()
    source = DataSource(
        name=PYTHON,
        origin=f"the source of Python {version}'s standard library ({len(paths)} modules)",
        terms="Python Software Foundation License",
        sha256={path.name: artifact.sha256(path) for path in paths},
    )
    return source, "".join(_text(path) for path in paths)


def _text(path: Path) -> str:
    """Reads a text with one kind of line ends."""
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MissingData(f"{path} is no UTF-8 text: {error.reason} at byte {error.start:,}") from error
