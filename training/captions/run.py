"""The run folder of a captioner's training: as `training.run` has it, but for the examples.

    captioned.npz           test pictures, which the net was never trained on, and what people said of them
    results.json            how it went; written last, so that a folder with it is finished

Legend: N pictures, H height, W width, C channels, P places.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from google.protobuf import json_format
from numpy.typing import NDArray
from torch import nn

from hondo.errors import InvalidArtifact
from protos.manifest_pb2 import DataSource, Score
from training import checkpoint, recipe, results, run
from training.captions.recipe import CaptionRecipe
from training.captions.sight import Sight
from training.models.captioner import Captioner
from training.pixels import Pixels
from training.settings import restored


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a run was started with."""

    recipe: CaptionRecipe
    # By token id, the special ones of `training.data.captioned` first.
    vocabulary: tuple[str, ...]
    data: tuple[DataSource, ...]
    seed: int

    def plain(self) -> dict[str, Any]:
        """Gives the same as JSON types."""
        return {
            "recipe": self.recipe.settings(),
            "vocabulary": list(self.vocabulary),
            "data": [json_format.MessageToDict(source) for source in self.data],
            "seed": self.seed,
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kept:
    """Pictures that the net was never trained on."""

    images_NHWC: NDArray[np.uint8]
    # What people said of each.
    captions: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CaptionRun:
    """A finished training; its nets are in eval mode, on the CPU."""

    facts: Facts
    # image u8[N,H,W,C] to what `sight` takes.
    front: nn.Module
    # To maps f32[N,P,C].
    sight: Sight
    net: Captioner
    # Of the net that is exported, on the test pictures.
    scores: tuple[Score, ...]
    library_versions: Mapping[str, str]
    # How many epochs of training the net is the result of.
    epoch: int

    @property
    def parameters(self) -> int:
        """How many numbers the net has, those of what sees among them."""
        return sum(parameter.numel() for part in (self.sight, self.net) for parameter in part.parameters())


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionResults:
    """How a training went."""

    best_epoch: int
    # On the test pictures.
    scores: tuple[Score, ...]
    seconds: float


def is_caption_run(folder: Path) -> bool:
    """Says whether a finished run is that of a captioner."""
    return (folder / run.CAPTIONED).is_file()


def load(folder: Path) -> CaptionRun:
    """Loads a finished training.

    Raises:
        MissingData: the folder holds none.
        InvalidArtifact: one of its files is damaged.
        ModelNotFound: its recipe is no longer there.
    """
    run.check_finished(folder)
    return _loaded(folder, read_results(folder).scores)


def trained(folder: Path) -> CaptionRun:
    """Gives the net of a training that is over but not scored."""
    return _loaded(folder, scores=())


def _loaded(folder: Path, scores: tuple[Score, ...]) -> CaptionRun:
    plain, weights = checkpoint.read_plain(run.checkpoint_path(folder, run.BEST))
    facts = _facts(plain)
    front, sight = Pixels(facts.recipe.input.mean, facts.recipe.input.std), Sight(facts.recipe.sight)
    net = facts.recipe.make(len(facts.vocabulary), sight.channels)
    for part, name in ((front, "front"), (sight, "sight"), (net, "net")):
        part.load_state_dict(checkpoint.weights_of(weights, name))
    return CaptionRun(
        facts=facts,
        front=front.eval(),
        sight=sight,
        net=net.eval(),
        scores=scores,
        library_versions=plain["library_versions"],
        epoch=plain["epoch"],
    )


def _facts(plain: Mapping[str, Any]) -> Facts:
    found = recipe.load(plain["recipe"]["name"])
    if not isinstance(found, CaptionRecipe):
        raise InvalidArtifact(f"the run is that of a captioner, but {found.name} is none any more")
    return Facts(
        recipe=restored(found, plain["recipe"]),
        vocabulary=tuple(plain["vocabulary"]),
        data=tuple(json_format.ParseDict(source, DataSource()) for source in plain["data"]),
        seed=plain["seed"],
    )


def finish(folder: Path, kept: Kept, went: CaptionResults) -> None:
    """Makes the folder complete.

    Args:
        folder: has the best checkpoint.
        kept: pictures that the training never saw.
        went: how it went.
    """
    captions = np.array(json.dumps(kept.captions))
    np.savez_compressed(folder / run.CAPTIONED, allow_pickle=False, images_NHWC=kept.images_NHWC, captions=captions)
    results.write(folder / run.RESULTS, went)


def read_results(folder: Path) -> CaptionResults:
    """Reads how the training in a folder went.

    Raises:
        InvalidArtifact: the file is missing or damaged.
    """
    return results.read(folder / run.RESULTS, CaptionResults)


def read_kept(folder: Path) -> Kept:
    """Reads the test pictures that were kept.

    Raises:
        InvalidArtifact: the file is missing or damaged.
    """
    path = folder / run.CAPTIONED
    try:
        with np.load(path, allow_pickle=False) as arrays:
            captions: Sequence[Sequence[str]] = json.loads(str(arrays["captions"]))
            return Kept(images_NHWC=arrays["images_NHWC"], captions=tuple(map(tuple, captions)))
    except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
        raise InvalidArtifact(f"{path} cannot be read: {error}") from error
