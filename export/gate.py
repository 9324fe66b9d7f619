"""The parity gate: what the serving session computes from the file must be what its reference answers.

Legend: N batch, K classes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from export import signature
from export.candidate import Reference
from hondo.artifact import MODEL, Artifact
from hondo.errors import ParityError
from protos.manifest_pb2 import Classification
from serving.runtime.session import Session, Signature

BATCH_SIZES: Final = (1, 2, 7, 32)
# Largest allowed difference of two probabilities, where the file computes in 32-bit floats.
TOLERANCE: Final = 1e-5


@dataclass(frozen=True, slots=True)
class Standard:
    """What a file's answers are held to."""

    # Who gave the expected ones.
    author: str
    # Largest allowed difference of two probabilities.
    tolerance: float = TOLERANCE
    # Whether the most probable class must be the same; where numbers are rounded, two that tie may change places.
    same_best: bool = True


def check_signature(session: Session, task: Classification) -> None:
    """Checks that the file's inputs and outputs are those that the server relies on.

    The exporter fixes the batch size without a word where a net does not take any: this finds it.

    Raises:
        ParityError: they are not those that `export.signature` gives for the task.
    """
    check_tensors(session, signature.takes(task), (signature.gives(task),))


def check_tensors(session: Session, takes: Signature, gives: tuple[Signature, ...]) -> None:
    """Checks that the file's tensors are these.

    Raises:
        ParityError: they are not.
    """
    for does, found, expected in (("take", session.inputs, (takes,)), ("give", session.outputs, gives)):
        if found != expected:
            should, has = (", ".join(map(signature.text, signatures)) for signatures in (expected, found))
            raise ParityError(f"graph {MODEL!r} must {does} {should}, but {does}s {has}")


def check_parity(
    session: Session,
    reference: Reference,
    samples: NDArray[Any],
    labels: Sequence[str],
    standard: Standard | None = None,
) -> dict[int, float]:
    """Checks that file and reference agree on real samples at every batch size, with other samples at each.

    Args:
        session: the file, as the server runs it.
        reference: what it must agree with.
        samples: real ones, as the graph takes them, at least as many as all the batch sizes together.
        labels: the name of each of the K classes.
        standard: how well they must agree; as well as two computations in 32-bit floats do, unless given.

    Returns:
        The largest difference of two probabilities, by batch size.

    Raises:
        ParityError: a probability differs by more than is allowed or is no number, or another class is the most
            probable, or the file does not run at some size; or there are too few samples to tell.
    """
    if len(samples) < sum(BATCH_SIZES):
        raise ParityError(f"parity takes {sum(BATCH_SIZES)} samples to prove, but there are {len(samples)}")
    standard = standard or Standard(reference.author)
    worst = {}
    for first, size in _batches():
        batch = samples[first : first + size]
        where = f"graph {MODEL!r}, batch of {size}"
        worst[size] = _compare(
            _run(session, batch, where), reference.answer(batch), labels, standard, where=where, first=first
        )
    return worst


def _batches() -> Iterator[tuple[int, int]]:
    """Gives each batch's first sample and size."""
    first = 0
    for size in BATCH_SIZES:
        yield first, size
        first += size


def check_golden(artifact: Artifact, session: Session, standard: Standard) -> None:
    """Checks that the golden samples, as they lie on disk, come out of the file.

    Raises:
        ParityError: they do not; the text says which.
    """
    inputs, outputs = artifact.golden(MODEL)
    task = artifact.manifest.classification
    where = f"graph {MODEL!r}, golden samples"
    found_NK = _run(session, inputs[signature.takes(task).name], where)
    _compare(found_NK, outputs[signature.PROBABILITIES], task.labels, standard, where=where, first=0)


def _run(session: Session, inputs: NDArray[Any], where: str) -> NDArray[np.generic]:
    try:
        return session.run({session.inputs[0].name: inputs})[signature.PROBABILITIES]
    except Exception as error:  # onnxruntime's exceptions share no base but Exception
        raise ParityError(f"{where}: ONNX Runtime fails: {error}") from error


def _compare(
    found_NK: NDArray[np.generic],
    expected_NK: NDArray[np.generic],
    labels: Sequence[str],
    standard: Standard,
    *,
    where: str,
    first: int,
) -> float:
    """Gives the largest difference; `first` is the number of the batch's first sample."""
    if found_NK.shape != expected_NK.shape:
        raise ParityError(f"{where}: ONNX Runtime gives shape {found_NK.shape}, {standard.author} {expected_NK.shape}")
    difference_NK = np.abs(found_NK.astype(np.float64) - expected_NK.astype(np.float64))
    # What is no number is as wrong as can be, and must not pass because it compares false.
    difference_NK[np.isnan(difference_NK)] = np.inf
    n, k = (int(index) for index in np.unravel_index(difference_NK.argmax(), difference_NK.shape))
    worst = float(difference_NK[n, k])
    if worst > standard.tolerance:
        raise ParityError(
            f"{where}, sample {first + n}: the probability of {labels[k]!r} is {found_NK[n, k]:.9g} in ONNX Runtime "
            f"but {expected_NK[n, k]:.9g} in {standard.author}: a difference of {worst:.2g}, "
            f"at most {standard.tolerance:g} is allowed"
        )
    if standard.same_best:
        _compare_best(found_NK, expected_NK, labels, standard, where=where, first=first)
    return worst


def _compare_best(
    found_NK: NDArray[np.generic],
    expected_NK: NDArray[np.generic],
    labels: Sequence[str],
    standard: Standard,
    *,
    where: str,
    first: int,
) -> None:
    found_N, expected_N = found_NK.argmax(axis=1), expected_NK.argmax(axis=1)
    for n in np.flatnonzero(found_N != expected_N):
        found, expected = int(found_N[n]), int(expected_N[n])
        raise ParityError(
            f"{where}, sample {first + n}: the most probable class is {labels[found]!r} ({found_NK[n, found]:.9g}) in "
            f"ONNX Runtime but {labels[expected]!r} ({expected_NK[n, expected]:.9g}) in {standard.author}"
        )
