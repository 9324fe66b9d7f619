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
    graph = graphs.table_classifier(folder / "model.onnx", weights())
    values_NF = np.array(list(ROWS.values()), np.float32)
    golden = {"model/in/values": values_NF, "model/out/probabilities": probabilities(values_NF)}
    artifacts.write_golden(folder, golden)
    manifest = Manifest(
        name=name,
        version=1,
        summary="Says in which direction a point lies.",
        graphs=[Graph(role="model", file=describe(graph))],
        golden=describe(folder / GOLDEN),
        classification=Classification(table=TableInput(columns=COLUMNS), labels=LABELS),
    )
    artifacts.write_manifest(folder, manifest)
    return folder
