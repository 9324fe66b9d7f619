"""The parity gate for pictures of any size: the file must say at every size what its reference says.

Legend: N batch, H height, W width.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from export.gate import check_tensors
from export.whole.candidate import WholeCandidate
from hondo.artifact import MODEL, Artifact, Tensors
from hondo.errors import ParityError
from protos.manifest_pb2 import EdgeDetection, ImageFilter
from serving.runtime.session import Session


@dataclass(frozen=True, slots=True)
class Trial:
    """A batch of pictures of one size."""

    pictures: int
    height: int
    width: int

    def __str__(self) -> str:
        """In words, for people."""
        return f"{self.pictures} of {self.height} x {self.width}"


# Landscape, portrait and odd; the smallest that is served; and several at once.
TRIALS: Final = (Trial(1, 256, 384), Trial(1, 400, 272), Trial(1, 321, 243), Trial(2, 16, 16), Trial(3, 97, 130))


def tolerance(task: EdgeDetection | ImageFilter) -> float:
    """Gives the largest allowed difference of two values: of edges from 0 to 1, of filtered pictures from 0 to 255."""
    match task:
        case EdgeDetection():
            return 1e-4
        case ImageFilter():
            return 1e-2


def check_signature(session: Session, candidate: WholeCandidate) -> None:
    """Checks that the file's inputs and outputs are those that the server relies on.

    Raises:
        ParityError: they are not.
    """
    check_tensors(session, candidate.takes, candidate.gives)


def check_parity(session: Session, candidate: WholeCandidate) -> dict[Trial, float]:
    """Checks that file and reference agree on real pictures of every size.

    Returns:
        The largest difference of two values, by trial.

    Raises:
        ParityError: a value differs by more than is allowed or is no number, or the file does not run.
    """
    return dict(_tried(session, candidate))


def _tried(session: Session, candidate: WholeCandidate) -> Iterator[tuple[Trial, float]]:
    for trial in TRIALS:
        image_NHWC = candidate.samples.cut(trial.pictures, trial.height, trial.width, candidate.task.channels)
        expected = candidate.graph.answer(image_NHWC)
        yield trial, _compare(_run(session, image_NHWC, str(trial)), expected, tolerance(candidate.task), str(trial))


def check_golden(artifact: Artifact, session: Session, allowed: float) -> None:
    """Checks that the golden samples, as they lie on disk, come out of the file.

    Raises:
        ParityError: they do not.
    """
    inputs, outputs = artifact.golden(MODEL)
    found = _run(session, inputs[session.inputs[0].name].astype(np.uint8), "golden samples")
    _compare(found, outputs, allowed, "golden samples")


def _run(session: Session, image_NHWC: NDArray[np.uint8], where: str) -> Tensors:
    try:
        return session.run({session.inputs[0].name: image_NHWC})
    except Exception as error:  # onnxruntime's exceptions share no base but Exception
        raise ParityError(f"graph {MODEL!r}, {where}: ONNX Runtime fails: {error}") from error


def _compare(found: Tensors, expected: Tensors, allowed: float, where: str) -> float:
    """Gives the largest difference."""
    return max(_compare_tensor(found[name], expected[name], allowed, f"{where}, {name!r}") for name in expected)


def _compare_tensor(found: NDArray[np.generic], expected: NDArray[np.generic], allowed: float, where: str) -> float:
    if found.shape != expected.shape:
        raise ParityError(f"graph {MODEL!r}, {where}: ONNX Runtime gives shape {found.shape}, PyTorch {expected.shape}")
    difference = np.abs(found.astype(np.float64) - expected.astype(np.float64))
    # What is no number is as wrong as can be, and must not pass because it compares false.
    difference[np.isnan(difference)] = np.inf
    worst = float(difference.max())
    if worst > allowed:
        place = tuple(int(index) for index in np.unravel_index(difference.argmax(), difference.shape))
        raise ParityError(
            f"graph {MODEL!r}, {where}: at {place} ONNX Runtime gives {found[place]:.9g}, PyTorch "
            f"{expected[place]:.9g}: a difference of {worst:.2g}, at most {allowed:g} is allowed"
        )
    return worst
