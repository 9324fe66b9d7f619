"""Files with a labelled text on each line: what the readers of such data sets share.

Legend: N texts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hondo import text
from hondo.errors import InvalidText, MissingData
from training.data.dataset import Sentences


@dataclass(frozen=True, slots=True)
class Line:
    """A labelled text, and the line of the file that it is on, from 1."""

    number: int
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Part:
    """The texts of a file that can be trained on, and what a user should know of the others."""

    sentences: Sentences
    notes: tuple[str, ...] = ()


def join(parts: Sequence[Part]) -> Part:
    """Gives one part of several, in their order."""
    texts = tuple(sentence for part in parts for sentence in part.sentences.texts)
    labels_N = np.concatenate([part.sentences.labels_N for part in parts])
    return Part(Sentences(texts, labels_N), tuple(note for part in parts for note in part.notes))


def read_lines(path: Path, encoding: str) -> list[tuple[int, str]]:
    """Gives the lines of a file that are not blank, with their numbers from 1.

    Raises:
        MissingData: the file cannot be read, or is in another encoding.
    """
    try:
        content = path.read_bytes().decode(encoding)
    except OSError as error:
        raise MissingData(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise MissingData(f"{path}, line {line}: {error.reason}; the file is expected in {encoding}") from error
    # Not splitlines(): several of what it takes for an end of line stand inside of published sentences.
    return [(number, line.strip()) for number, line in enumerate(content.split("\n"), 1) if line.strip()]


def read_labelled(path: Path, encoding: str, parting: str) -> list[Line]:
    """Reads a file whose lines are a label, the parting character, and a text.

    Raises:
        MissingData: the file cannot be read, or a line has no label.
    """
    found = []
    for number, line in read_lines(path, encoding):
        label, parted, sentence = line.partition(parting)
        if not parted:
            shown = "a tab" if parting == "\t" else "a blank"
            raise MissingData(f"{path}, line {number}: expected a label, {shown} and a text, found {line[:60]!r}")
        found.append(Line(number, label.strip(), sentence.strip()))
    return found


def gather(path: Path, lines: Sequence[Line], labels: Mapping[str, int]) -> Part:
    """Gives the texts that can be trained on, and says which are left out: those that serving refuses, too.

    Args:
        path: where the lines are from.
        lines: the texts.
        labels: the class of each label.

    Raises:
        MissingData: a label is none of those, or no text is left.
    """
    for line in lines:
        if line.label not in labels:
            raise MissingData(f"{path}, line {line.number}: the label {line.label!r} is none of {', '.join(labels)}")
    kept = [line for line in lines if _is_taken(line.text)]
    if not kept:
        raise MissingData(f"{path} holds no text")
    labels_N = np.array([labels[line.label] for line in kept], np.int64)
    return Part(Sentences(tuple(line.text for line in kept), labels_N), _left_out(path, lines, kept))


def _is_taken(sentence: str) -> bool:
    try:
        text.encode(sentence, {}, 1)
    except InvalidText:
        return False
    return True


def _left_out(path: Path, lines: Sequence[Line], kept: Sequence[Line]) -> tuple[str, ...]:
    if len(kept) == len(lines):
        return ()
    numbers = sorted({line.number for line in lines} - {line.number for line in kept})
    shown = ", ".join(str(number) for number in numbers[:10]) + (", ..." if len(numbers) > 10 else "")
    limit = f"without a word or with more than {text.MAX_CHARACTERS:,} characters"
    return (f"{path.name}: left out {len(numbers):,} of {len(lines):,} texts, {limit} (line {shown})",)
