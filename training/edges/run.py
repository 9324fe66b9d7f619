"""A run folder of an edge detector's training.

checkpoints/best.ckpt   the averaged weights of the best epoch, and all that rebuilds the net
checkpoints/last.ckpt   to resume from
logs/                   CSV and TensorBoard
samples.npz             pictures that the training never saw, and what people drew
report/                 pages and plots for people to look at
results.json            how it went; written last, so that a folder with it is finished
"""

from dataclasses import dataclass
from typing import Any

from google.protobuf import json_format

from protos.manifest_pb2 import DataSource
from training.edges.recipe import EdgeRecipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a run was started with."""

    recipe: EdgeRecipe
    data: tuple[DataSource, ...]
    seed: int

    def plain(self) -> dict[str, Any]:
        """Gives the same as JSON types."""
        return {
            "recipe": self.recipe.settings(),
            "data": [json_format.MessageToDict(source) for source in self.data],
            "seed": self.seed,
        }
