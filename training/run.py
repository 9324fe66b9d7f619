"""A run folder: what a finished training leaves, and all that an export needs.

    checkpoints/best.ckpt   the averaged weights of the best epoch, and all that rebuilds the net
    checkpoints/last.ckpt   to resume from
    logs/                   CSV and TensorBoard
    samples.npz             real pictures that the training never saw, with their labels
    results.json            scores; written last, so that a folder with it is finished

Legend: N pictures, H height, W width, C channels.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
import torch
from google.protobuf import json_format
from numpy.typing import NDArray
from torch import nn

from hondo.errors import InvalidArtifact, MissingData
from protos.manifest_pb2 import DataSource, ImageInput, Score
from training import checkpoint
from training.checkpoint import Checkpoint
from training.data.dataset import Pictures
from training.pixels import Pixels

CHECKPOINTS: Final = "checkpoints"
BEST: Final = "best"
LAST: Final = "last"
LOGS: Final = "logs"
_RESULTS: Final = "results.json"
_SAMPLES: Final = "samples.npz"
_SAMPLE_COUNT: Final = 256
_TEST_BATCH: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """A finished training."""

    name: str
    # In eval mode, on the CPU: image_NCHW f32, as `pixels` gives it, to logits_NK f32.
    net: nn.Module
    pixels: Pixels
    # How a picture becomes the array that `pixels` takes.
    image: ImageInput
    labels: tuple[str, ...]
    # u8, of the test pictures.
    samples_NHWC: NDArray[np.uint8]
    sample_labels: NDArray[np.int64]
    # All settings, JSON types.
    recipe: dict[str, object]
    source: str
    summary: str
    data: tuple[DataSource, ...]
    # Of the best checkpoint, on the test pictures.
    scores: tuple[Score, ...]
    seed: int
    library_versions: dict[str, str]
    parameters: int


def checkpoint_path(folder: Path, which: str) -> Path:
    """Gives the path of the BEST or the LAST checkpoint."""
    return folder / CHECKPOINTS / f"{which}.ckpt"


def is_finished(folder: Path) -> bool:
    """Says whether the folder holds a training that came to its end."""
    return (folder / _RESULTS).is_file()


def clear(folder: Path) -> None:
    """Removes the run from the folder, and nothing else that may lie there."""
    for part in (CHECKPOINTS, LOGS):
        shutil.rmtree(folder / part, ignore_errors=True)
    for part in (_RESULTS, _SAMPLES):
        (folder / part).unlink(missing_ok=True)


def load(folder: Path) -> Run:
    """Loads a finished training.

    Raises:
        MissingData: the folder holds none.
        InvalidArtifact: one of its files is damaged.
        ModelNotFound: its recipe is no longer there.
    """
    if not is_finished(folder):
        raise MissingData(
            f"{folder} holds no finished training ({_RESULTS} is missing): "
            f"`hondo train MODEL --out {folder}` makes one; with --resume it finishes one that was cut off"
        )
    saved = checkpoint.read(checkpoint_path(folder, BEST))
    samples_NHWC, sample_labels = _read_samples(folder)
    recipe = saved.facts.recipe
    net = _net(saved)
    return Run(
        name=recipe.name,
        net=net,
        pixels=_pixels(saved),
        image=recipe.image,
        labels=saved.facts.labels,
        samples_NHWC=samples_NHWC,
        sample_labels=sample_labels,
        recipe=recipe.settings(),
        source=recipe.source,
        summary=recipe.summary,
        data=saved.facts.data,
        scores=_read_scores(folder),
        seed=saved.facts.seed,
        library_versions=dict(saved.library_versions),
        parameters=sum(parameter.numel() for parameter in net.parameters()),
    )


def _net(saved: Checkpoint) -> nn.Module:
    net = saved.facts.recipe.net(len(saved.facts.labels))
    net.load_state_dict(saved.weights_of("net"))
    return net.eval()


def _pixels(saved: Checkpoint) -> Pixels:
    recipe = saved.facts.recipe
    return Pixels(recipe.mean, recipe.std, recipe.bright_on_dark)


def _read_samples(folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    try:
        with np.load(folder / _SAMPLES, allow_pickle=False) as arrays:
            return arrays["images_NHWC"], arrays["labels_N"]
    except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
        raise InvalidArtifact(f"{folder / _SAMPLES} cannot be read: {error}") from error


def _read_scores(folder: Path) -> tuple[Score, ...]:
    try:
        results = json.loads((folder / _RESULTS).read_text("utf-8"))
        return tuple(json_format.ParseDict(score, Score()) for score in results["scores"])
    except (OSError, ValueError, KeyError, json_format.ParseError) as error:
        raise InvalidArtifact(f"{folder / _RESULTS} cannot be read: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """How a training went."""

    best_epoch: int
    validation_error_percent: float
    test_error: Score
    seconds: float


def finish(folder: Path, test: Pictures, seconds: float) -> Results:
    """Scores the best checkpoint on the test pictures, and makes the folder complete.

    Args:
        folder: has the best checkpoint.
        test: what the training never saw, fitted to the recipe's image.
        seconds: how long the training took.
    """
    saved = checkpoint.read(checkpoint_path(folder, BEST))
    results = Results(
        best_epoch=saved.epoch,
        validation_error_percent=saved.validation_error_percent,
        test_error=_test_error(saved, test),
        seconds=seconds,
    )
    samples = test.take(np.arange(min(_SAMPLE_COUNT, len(test))))
    np.savez_compressed(folder / _SAMPLES, images_NHWC=samples.images_NHWC, labels_N=samples.labels_N)
    (folder / _RESULTS).write_text(json.dumps(_plain(results), indent=2) + "\n", "utf-8")
    return results


def _plain(results: Results) -> Mapping[str, Any]:
    return {
        "best_epoch": results.best_epoch,
        "validation_error_percent": results.validation_error_percent,
        "scores": [json_format.MessageToDict(results.test_error)],
        "seconds": results.seconds,
    }


def _test_error(saved: Checkpoint, test: Pictures) -> Score:
    wrong = int((predict(_net(saved), _pixels(saved), test.images_NHWC) != test.labels_N).sum())
    name = " and ".join(source.name for source in saved.facts.data)
    return Score(metric="error", value=100 * wrong / len(test), unit="%", data=f"{name} test", samples=len(test))


def predict(net: nn.Module, pixels: Pixels, images_NHWC: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Gives the class of each picture, i64[N]."""
    with torch.inference_mode():
        starts = range(0, len(images_NHWC), _TEST_BATCH)
        batches = [torch.tensor(images_NHWC[start : start + _TEST_BATCH]) for start in starts]
        class_N = torch.cat([net(pixels(image_NHWC)).argmax(1) for image_NHWC in batches])
        return class_N.numpy()
