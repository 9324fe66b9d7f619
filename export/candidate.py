"""What is to become an artifact: a trained run or something imported, with what its file must agree with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from export import provenance
from export.convert import convert
from export.graphs import ClassifierGraph
from protos.manifest_pb2 import Classification, Provenance, Score
from training.run import Run


class Reference(Protocol):
    """Whose answers an exported file must give."""

    @property
    def author(self) -> str:
        """Who it is, in the texts of errors and on the card: "PyTorch"."""

    def answer(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """Gives probabilities_NK f32 of what the graph takes."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    """Everything that an artifact is made of."""

    name: str
    # One sentence: what the model does.
    summary: str
    task: Classification
    provenance: Provenance
    # Of the reference, on data that the training never saw.
    scores: tuple[Score, ...]
    # Real ones that the training never saw, as the graph takes them.
    samples: NDArray[Any]
    # What the samples are, on the card: "samples that the training never saw".
    samples_are: str
    reference: Reference
    # Writes the graph in 32-bit floats, with these facts in the file's metadata.
    write: Callable[[Path, Mapping[str, str]], None]


def of_run(run: Run) -> Candidate:
    """Gives what becomes of a finished training."""
    graph = ClassifierGraph(run.front, run.net)
    return Candidate(
        name=run.name,
        summary=run.summary,
        task=run.task,
        provenance=provenance.of_run(run),
        scores=run.scores,
        samples=run.samples.inputs,
        samples_are="samples that the training never saw",
        reference=graph,
        write=partial(convert, graph, run.task),
    )
