"""A run folder: what a finished training leaves, and all that an export needs.

    checkpoints/best.ckpt   the averaged weights of the best epoch, and all that rebuilds the net
    checkpoints/last.ckpt   to resume from
    logs/                   CSV and TensorBoard
    samples.npz             real examples that the training never saw, with their labels
    answers.npz             what the net answered to all of these, and its worst mistakes
    report/                 pages and plots for people to look at
    results.json            scores; written last, so that a folder with it is finished

Legend: N examples, H height, W width, C channels, T words, F columns, K classes.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from torch import nn

from hondo.errors import InvalidArtifact, MissingData, WrongTask
from protos.manifest_pb2 import Classification, DataSource, Score
from training import checkpoint, inputs, results, review, testtime
from training.answers import Answers, judge, probabilities
from training.checkpoint import Checkpoint
from training.data.dataset import Examples, PictureFiles, Pictures, Raw
from training.review import Review
from training.testtime import Views

CHECKPOINTS: Final = "checkpoints"
BEST: Final = "best"
LAST: Final = "last"
LOGS: Final = "logs"
REPORT: Final = "report"
RESULTS: Final = "results.json"
_SAMPLES: Final = "samples.npz"
TEXT: Final = "text.npz"
DRAWN: Final = "drawn.npz"
CAPTIONED: Final = "captioned.npz"
_ANSWERS: Final = "answers.npz"
_SAMPLE_COUNT: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """A finished training."""

    name: str
    # In eval mode, on the CPU: what `front` gives to logits f32[N,K], or f32[N,1] for two classes.
    net: nn.Module
    # In eval mode: the served graph's input to what the net takes.
    front: nn.Module
    task: Classification
    # What the served graph takes, of the test examples.
    samples: Examples
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
    return (folder / RESULTS).is_file()


def clear(folder: Path) -> None:
    """Removes the run from the folder, and nothing else that may lie there."""
    for part in (CHECKPOINTS, LOGS, REPORT):
        shutil.rmtree(folder / part, ignore_errors=True)
    for part in (RESULTS, _SAMPLES, _ANSWERS, TEXT, DRAWN, CAPTIONED):
        (folder / part).unlink(missing_ok=True)


def load(folder: Path) -> Run:
    """Loads a finished training.

    Raises:
        MissingData: the folder holds none.
        InvalidArtifact: one of its files is damaged.
        ModelNotFound: its recipe is no longer there.
        WrongTask: it is no classifier's.
    """
    check_finished(folder)
    saved = checkpoint.read(checkpoint_path(folder, BEST))
    recipe = saved.facts.recipe
    front, net = _modules(saved)
    return Run(
        name=recipe.name,
        net=net,
        front=front,
        task=_task(saved),
        samples=_read_samples(folder),
        recipe=recipe.settings(),
        source=recipe.source,
        summary=recipe.summary,
        data=saved.facts.data,
        scores=read_results(folder).scores,
        seed=saved.facts.seed,
        library_versions=dict(saved.library_versions),
        parameters=sum(parameter.numel() for parameter in net.parameters()),
    )


def check_finished(folder: Path) -> None:
    """Holds that the folder has a training that came to its end.

    Raises:
        MissingData: it has none.
    """
    if not is_finished(folder):
        raise MissingData(
            f"{folder} holds no finished training ({RESULTS} is missing): "
            f"`hondo train MODEL --out {folder}` makes one; with --resume it finishes one that was cut off"
        )


def _task(saved: Checkpoint) -> Classification:
    task = saved.facts.task
    if not isinstance(task, Classification):
        raise WrongTask(f"{saved.facts.recipe.name} is no classifier")
    return task


def _modules(saved: Checkpoint) -> tuple[nn.Module, nn.Module]:
    """Gives the front and the net of a checkpoint, in eval mode."""
    task, recipe = _task(saved), saved.facts.recipe
    front, net = inputs.front(recipe.input, task), recipe.make(task)
    front.load_state_dict(saved.weights_of("front"))
    net.load_state_dict(saved.weights_of("net"))
    return front.eval(), net.eval()


def _read_samples(folder: Path) -> Examples:
    try:
        with np.load(folder / _SAMPLES, allow_pickle=False) as arrays:
            return Examples(arrays["inputs"], arrays["labels_N"])
    except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
        raise InvalidArtifact(f"{folder / _SAMPLES} cannot be read: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """How a training went."""

    best_epoch: int
    validation_error_percent: float
    # On the test examples, that of the served graph first.
    scores: tuple[Score, ...]
    seconds: float


def read_results(folder: Path) -> Results:
    """Reads how the training in a folder went.

    Raises:
        InvalidArtifact: the file is missing or damaged.
    """
    return results.read(folder / RESULTS, Results)


def read_review(folder: Path, loaded: Run) -> Review:
    """Reads what the net answered to the test examples; of an older run, asks it about the samples.

    Raises:
        InvalidArtifact: the file is damaged.
    """
    if (folder / _ANSWERS).exists():
        return review.load(folder / _ANSWERS)
    answered = judge(probabilities(loaded.front, loaded.net, loaded.samples.inputs), loaded.samples.labels_N)
    return review.review(answered, loaded.samples)


def finish(folder: Path, test: Examples, raw: Raw, seconds: float) -> Results:
    """Scores the best checkpoint on the test examples, and makes the folder complete.

    Args:
        folder: has the best checkpoint.
        test: what the training never saw.
        raw: the same, as it was published.
        seconds: how long the training took.
    """
    saved = checkpoint.read(checkpoint_path(folder, BEST))
    front, net = _modules(saved)
    answered = judge(probabilities(front, net, test.inputs), test.labels_N)
    assert saved.validation_error_percent is not None, "a classifier's checkpoints have it"
    made = Results(
        best_epoch=saved.epoch,
        validation_error_percent=saved.validation_error_percent,
        scores=(_error(saved, "error", answered), *_more_scores(saved, front, net, raw)),
        seconds=seconds,
    )
    samples = test.take(np.arange(min(_SAMPLE_COUNT, len(test))))
    review.review(answered, test).save(folder / _ANSWERS)
    np.savez_compressed(folder / _SAMPLES, inputs=samples.inputs, labels_N=samples.labels_N)
    results.write(folder / RESULTS, made)
    return made


def _error(saved: Checkpoint, metric: str, answered: Answers) -> Score:
    name = " and ".join(source.name for source in saved.facts.data)
    count = len(answered.labels_N)
    value = 100 * int(answered.wrong().sum()) / count
    return Score(metric=metric, value=value, unit="%", data=f"{name} test", samples=count)


def _more_scores(saved: Checkpoint, front: nn.Module, net: nn.Module, raw: Raw) -> list[Score]:
    """Gives the score from several views of each picture, where the recipe asks for it."""
    recipe, spec = saved.facts.recipe, _task(saved).image
    if recipe.test_time == "none":
        return []
    assert isinstance(raw, Pictures | PictureFiles), "the recipe has made sure"
    takes = testtime.accepts(front, net, spec.channels)
    views = Views(kind=recipe.test_time, spec=spec, mirrored=recipe.augmentation.flip > 0, takes=takes)
    answered = judge(testtime.probabilities(front, net, raw, views), raw.labels_N)
    return [_error(saved, testtime.SCORES[recipe.test_time], answered)]


def predict(front: nn.Module, net: nn.Module, examples: NDArray[Any]) -> NDArray[np.int64]:
    """Gives the class i64[N] of each of the examples, which are what the served graph takes."""
    class_N: NDArray[np.int64] = probabilities(front, net, examples).argmax(1)
    return class_N
