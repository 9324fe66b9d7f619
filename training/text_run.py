"""The run folder of a net that writes: as `training.run` has it, but for the examples.

    text.npz                the text that was kept for validation, which the net was never trained on
    results.json            scores; written last, so that a folder with it is finished

Legend: N batch, T tokens.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from hondo.errors import InvalidArtifact
from protos.manifest_pb2 import DataSource, Score, TextGeneration
from training import checkpoint, results, run
from training.checkpoint import Checkpoint
from training.data.corpus import Corpus
from training.models.recurrent import Recurrent

# Tokens that go through the net at once when it is scored.
_WINDOW: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TextRun:
    """A finished training of a net that writes."""

    name: str
    # In eval mode, on the CPU.
    net: Recurrent
    task: TextGeneration
    # The text that was kept for validation, as token ids.
    text_T: NDArray[np.int64]
    # All settings, JSON types.
    recipe: dict[str, object]
    source: str
    summary: str
    data: tuple[DataSource, ...]
    # Of the best checkpoint, on the text kept for validation.
    scores: tuple[Score, ...]
    seed: int
    library_versions: dict[str, str]
    parameters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TextResults:
    """How a training went."""

    best_epoch: int
    # The loss in nats, then in bits.
    scores: tuple[Score, ...]
    seconds: float


def is_text_run(folder: Path) -> bool:
    """Says whether a finished run is that of a net that writes."""
    return (folder / run.TEXT).is_file()


def load(folder: Path) -> TextRun:
    """Loads a finished training.

    Raises:
        MissingData: the folder holds none.
        InvalidArtifact: one of its files is damaged.
        ModelNotFound: its recipe is no longer there.
    """
    run.check_finished(folder)
    saved = checkpoint.read(run.checkpoint_path(folder, run.BEST))
    recipe, net = saved.facts.recipe, _net(saved)
    assert isinstance(saved.facts.task, TextGeneration), "the run is that of a net that writes"
    return TextRun(
        name=recipe.name,
        net=net,
        task=saved.facts.task,
        text_T=_read_text(folder),
        recipe=recipe.settings(),
        source=recipe.source,
        summary=recipe.summary,
        data=saved.facts.data,
        scores=read_results(folder).scores,
        seed=saved.facts.seed,
        library_versions=dict(saved.library_versions),
        parameters=sum(parameter.numel() for parameter in net.parameters()),
    )


def _net(saved: Checkpoint) -> Recurrent:
    """Gives the net of a checkpoint, in eval mode."""
    net = saved.facts.recipe.make(saved.facts.task)
    assert isinstance(net, Recurrent), "recipes for characters build recurrent nets"
    net.load_state_dict(saved.weights_of("net"))
    return net.eval()


def _read_text(folder: Path) -> NDArray[np.int64]:
    try:
        with np.load(folder / run.TEXT, allow_pickle=False) as arrays:
            text_T: NDArray[np.int64] = arrays["text_T"].astype(np.int64)
            return text_T
    except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
        raise InvalidArtifact(f"{folder / run.TEXT} cannot be read: {error}") from error


def read_results(folder: Path) -> TextResults:
    """Reads how the training in a folder went.

    Raises:
        InvalidArtifact: the file is missing or damaged.
    """
    return results.read(folder / run.RESULTS, TextResults)


def finish(folder: Path, corpus: Corpus, seconds: float) -> TextResults:
    """Scores the best checkpoint on the text kept for validation, and makes the folder complete.

    Args:
        folder: has the best checkpoint.
        corpus: what it was trained on.
        seconds: how long the training took.
    """
    saved = checkpoint.read(run.checkpoint_path(folder, run.BEST))
    nats = loss(_net(saved), corpus.validation_T)
    scores = loss_scores(nats, f"{corpus.source.name}, its last characters", len(corpus.validation_T) - 1)
    made = TextResults(best_epoch=saved.epoch, scores=scores, seconds=seconds)
    # Token ids beyond 65,535 are those of no alphabet.
    np.savez_compressed(folder / run.TEXT, text_T=corpus.validation_T.astype(np.uint16))
    results.write(folder / run.RESULTS, made)
    return made


@torch.inference_mode()
def loss(net: Recurrent, text_T: NDArray[np.int64]) -> float:
    """Gives the loss in nats a character over a text that is read from its beginning to its end, but for the first."""
    tokens_NT = torch.from_numpy(text_T).unsqueeze(0)
    total, state = 0.0, None
    for start in range(0, len(text_T) - 1, _WINDOW):
        window_NT = tokens_NT[:, start : start + _WINDOW + 1]
        logits_NTV, state = net(window_NT[:, :-1], state)
        total += functional.cross_entropy(logits_NTV[0], window_NT[0, 1:], reduction="sum").item()
    return total / (len(text_T) - 1)


def loss_scores(nats: float, data: str, count: int) -> tuple[Score, Score]:
    """Gives a loss as a manifest has it, in nats and in bits a character."""
    bits = nats / math.log(2)
    return (
        Score(metric="loss", value=nats, unit="nats/character", data=data, samples=count),
        Score(metric="loss", value=bits, unit="bits/character", data=data, samples=count),
    )
