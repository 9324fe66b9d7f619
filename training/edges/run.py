"""The run folder of an edge detector's training: as `training.run` has it, but for the examples.

    drawn.npz               test pictures, which the net was never trained on, and what people drew in them
    results.json            how it went; written last, so that a folder with it is finished

Legend: A annotators, C channels, H height, W width.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
import torch
from google.protobuf import json_format
from torch import Tensor, nn

from hondo.artifact import Tensors
from hondo.errors import InvalidArtifact
from protos.manifest_pb2 import DataSource, Score
from training import checkpoint, recipe, results, run
from training.data.bsds500 import Drawn
from training.edges.recipe import EdgeRecipe
from training.pixels import Pixels
from training.settings import restored

# Test pictures that are kept, to look at.
_KEPT: Final = 6


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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EdgeRun:
    """A finished training."""

    facts: Facts
    # In eval mode, on the CPU: what `front` gives to logits f32[N,M,H,W], those of the fusion last.
    net: nn.Module
    # In eval mode: image u8[N,H,W,C] to what the net takes.
    front: nn.Module
    # Of the net that is exported, on the test pictures.
    scores: tuple[Score, ...]
    library_versions: Mapping[str, str]
    # How many epochs of training the net is the result of.
    epoch: int

    @property
    def maps(self) -> nn.Module:
        """Gives what makes maps f32[N,M,H,W] from 0 to 1 of what `front` gives."""
        return nn.Sequential(self.net, Softened(self.facts.recipe.temperature)).eval()

    @property
    def parameters(self) -> int:
        """How many numbers the net learnt."""
        return sum(parameter.numel() for parameter in self.net.parameters())


class Softened(nn.Module):
    """From logits to strengths from 0 to 1.

    Args:
        temperature: what logits are divided by (Guo et al., "On calibration of modern neural networks", 2017, 4.2).
    """

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self._temperature = temperature

    def forward(self, logits: Tensor) -> Tensor:
        """Gives them, of the same shape."""
        return torch.sigmoid(logits / self._temperature)


def is_edge_run(folder: Path) -> bool:
    """Says whether a finished run is that of an edge detector."""
    return (folder / run.DRAWN).is_file()


def load(folder: Path) -> EdgeRun:
    """Loads a finished training.

    Raises:
        MissingData: the folder holds none.
        InvalidArtifact: one of its files is damaged.
        ModelNotFound: its recipe is no longer there.
    """
    run.check_finished(folder)
    path = run.checkpoint_path(folder, run.LAST)
    plain, weights = checkpoint.read_plain(path)
    return _loaded(plain, weights, read_results(folder).scores)


def _loaded(plain: Mapping[str, Any], weights: Mapping[str, Tensor], scores: tuple[Score, ...]) -> EdgeRun:
    facts = _facts(plain)
    front, net = Pixels(facts.recipe.input.mean, facts.recipe.input.std), facts.recipe.make()
    front.load_state_dict(checkpoint.weights_of(weights, "front"))
    net.load_state_dict(checkpoint.weights_of(weights, "net"))
    return EdgeRun(
        facts=facts,
        net=net.eval(),
        front=front.eval(),
        scores=scores,
        library_versions=plain["library_versions"],
        epoch=plain["epoch"],
    )


def _facts(plain: Mapping[str, Any]) -> Facts:
    found = recipe.load(plain["recipe"]["name"])
    if not isinstance(found, EdgeRecipe):
        raise InvalidArtifact(f"the run is that of an edge detector, but {found.name} is none any more")
    return Facts(
        recipe=restored(found, plain["recipe"]),
        data=tuple(json_format.ParseDict(source, DataSource()) for source in plain["data"]),
        seed=plain["seed"],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeResults:
    """How a training went."""

    # On the test pictures.
    scores: tuple[Score, ...]
    seconds: float


def trained(folder: Path) -> EdgeRun:
    """Gives the net of a training that is over but not scored."""
    return _loaded(*checkpoint.read_plain(run.checkpoint_path(folder, run.LAST)), scores=())


def finish(folder: Path, test: Sequence[Drawn], went: EdgeResults) -> None:
    """Makes the folder complete.

    Args:
        folder: has the last checkpoint.
        test: pictures that the training never saw.
        went: how it went.
    """
    kept = test[:: max(1, len(test) // _KEPT)][:_KEPT]
    arrays: Tensors = {f"{drawn.name}/image_HWC": drawn.image_HWC for drawn in kept}
    arrays |= {f"{drawn.name}/boundaries_AHW": drawn.boundaries_AHW for drawn in kept}
    np.savez_compressed(folder / run.DRAWN, allow_pickle=False, **arrays)
    results.write(folder / run.RESULTS, went)


def read_results(folder: Path) -> EdgeResults:
    """Reads how the training in a folder went.

    Raises:
        InvalidArtifact: the file is missing or damaged.
    """
    return results.read(folder / run.RESULTS, EdgeResults)


def read_drawn(folder: Path) -> list[Drawn]:
    """Reads the test pictures that were kept.

    Raises:
        InvalidArtifact: the file is missing or damaged.
    """
    path = folder / run.DRAWN
    try:
        with np.load(path, allow_pickle=False) as arrays:
            names = dict.fromkeys(key.split("/")[0] for key in arrays.files)
            return [Drawn(name, arrays[f"{name}/image_HWC"], arrays[f"{name}/boundaries_AHW"]) for name in names]
    except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
        raise InvalidArtifact(f"{path} cannot be read: {error}") from error
