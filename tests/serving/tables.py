"""A complete artifact without torch: a classifier that says in which direction a point lies.

Legend: N rows, F columns, K classes.
"""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hondo.artifact import GOLDEN, describe
from protos.manifest_pb2 import Classification, Graph, Manifest, TableInput
from tests.serving import artifacts, graphs

COLUMNS: Final = ("x", "y")
LABELS: Final = ("east", "west", "north", "south")
# A point in the direction of each label.
ROWS: Final = {"east": (3.0, 0.5), "west": (-3.0, 1.0), "north": (1.0, 2.5), "south": (0.0, -0.5)}


def weights() -> NDArray[np.float32]:
    """Gives f32[F,K]: how far a column goes in each direction."""
    return np.array([[1, -1, 0, 0], [0, 0, 1, -1]], np.float32)


def probabilities(values_NF: NDArray[np.float32]) -> NDArray[np.float32]:
    """Gives what the classifier answers, f32[N,K], computed with numpy alone."""
    powers_NK = np.exp(values_NF @ weights())
    answer: NDArray[np.float32] = powers_NK / powers_NK.sum(axis=1, keepdims=True)
    return answer


def write_classifier(models: Path, name: str = "direction") -> Path:
    """Writes the artifact below the folder `models`; gives its folder."""
    folder = models / name / "1"
    graphs.table_classifier(folder / "model.onnx", weights())
    values_NF = np.array(list(ROWS.values()), np.float32)
    task = Classification(table=TableInput(columns=COLUMNS), labels=LABELS)
    _write(folder, task, "Says in which direction a point lies.", values_NF, probabilities(values_NF))
    return folder


def write_slow(models: Path, name: str = "slow") -> Path:
    """Writes a classifier that takes as long as its one column, `steps`, says; gives its folder."""
    folder = models / name / "1"
    graphs.slow_classifier(folder / "model.onnx")
    task = Classification(table=TableInput(columns=["steps"]), labels=["late", "later"])
    _write(folder, task, "Takes its time.", np.ones((2, 1), np.float32), np.full((2, 2), 0.5, np.float32))
    return folder


def _write(
    folder: Path,
    task: Classification,
    summary: str,
    values_NF: NDArray[np.float32],
    probabilities_NK: NDArray[np.float32],
) -> None:
    artifacts.write_golden(folder, {"model/in/values": values_NF, "model/out/probabilities": probabilities_NK})
    manifest = Manifest(
        name=folder.parent.name,
        version=int(folder.name),
        summary=summary,
        graphs=[Graph(role="model", file=describe(folder / "model.onnx"))],
        golden=describe(folder / GOLDEN),
        classification=task,
    )
    artifacts.write_manifest(folder, manifest)
