import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.training.conftest import cut_off, train
from training import run
from training.checkpoint import Facts
from training.classifier import VALIDATION_LOSS, Classifier
from training.data.choice import choose
from training.data.dataset import Examples
from training.fit import Devices, fit
from training.optimizers import Optimizer
from training.recipe import find


class PowerCutError(Exception):
    """What ends a run in the middle of an epoch."""


def content(folder: Path, which: str) -> dict[str, Any]:
    loaded: dict[str, Any] = torch.load(run.checkpoint_path(folder, which), weights_only=True)
    return loaded


def weights(folder: Path, which: str) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = content(folder, which)["state_dict"]
    return state


def assert_equal(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> None:
    torch.testing.assert_close(left, right, rtol=0, atol=0)


def column(folder: Path, name: str) -> list[float]:
    """Gives the logged values of one figure, in order."""
    logs = [path.read_text().splitlines() for path in sorted(folder.glob("logs/csv/*/metrics.csv"))]
    return [float(row[name]) for lines in logs for row in csv.DictReader(lines) if row.get(name)]


def test_same_seed_gives_the_same_net(idx_dir: Path, trained: Path, tmp_path: Path) -> None:
    """Two trainings with the same settings end with the same weights, to the bit."""
    assert train(idx_dir, tmp_path / "again").exit_code == 0
    assert_equal(weights(tmp_path / "again", run.BEST), weights(trained, run.BEST))
    assert_equal(weights(tmp_path / "again", run.LAST), weights(trained, run.LAST))


def test_another_seed_gives_another_net(idx_dir: Path, trained: Path, tmp_path: Path) -> None:
    """The seed decides the weights."""
    assert train(idx_dir, tmp_path / "other", "--seed", 1).exit_code == 0
    name = "net.c1.weight"
    assert not torch.equal(weights(tmp_path / "other", run.BEST)[name], weights(trained, run.BEST)[name])


def test_resumed_run_ends_like_an_uninterrupted_one(
    idx_dir: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that was cut off and resumed has the same weights, average and optimiser at its end, to the bit."""
    folder = tmp_path / "cut"
    with monkeypatch.context() as patched:
        cut_off(patched, after_epochs=2, by=PowerCutError())
        assert isinstance(train(idx_dir, folder).exception, PowerCutError)
    assert not run.is_finished(folder)
    resumed = train(idx_dir, folder, "--resume")
    assert resumed.exit_code == 0, resumed.output
    for which in (run.BEST, run.LAST):
        assert_equal(weights(folder, which), weights(trained, which))
    assert_equal(content(folder, run.LAST)["current_model_state"], content(trained, run.LAST)["current_model_state"])
    assert_equal(content(folder, run.LAST)["optimizer_states"], content(trained, run.LAST)["optimizer_states"])
    assert column(folder, VALIDATION_LOSS) == column(trained, VALIDATION_LOSS)


def test_best_checkpoint_has_the_averaged_weights(trained: Path) -> None:
    """The weights that are exported are the average, beside which the checkpoint keeps the current ones."""
    best = content(trained, run.BEST)
    name = "net.f6.weight"
    assert not torch.equal(best["state_dict"][name], best["current_model_state"][name])
    assert best["averaging_state"]["n_averaged"] > 1


def test_learning_rate_rises_and_falls(trained: Path) -> None:
    """The learning rate comes near the recipe's soon, falls from there, and is down to nothing at the end."""
    first, *later = column(trained, "lr-AdamW")
    highest = find("lenet5").optimizer.lr
    assert first < max(later) < highest
    assert later == sorted(later, reverse=True)
    (group,) = content(trained, run.LAST)["optimizer_states"][0]["param_groups"]
    assert group["lr"] < highest / 50


def test_logs_the_mean_loss(idx_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The training loss of an epoch is the mean of its steps'."""
    losses: list[float] = []
    measure = Classifier.loss

    def loss(classifier: Classifier, inputs: torch.Tensor, label_N: torch.Tensor) -> torch.Tensor:
        value = measure(classifier, inputs, label_N)
        losses.append(value.item())
        return value

    monkeypatch.setattr(Classifier, "loss", loss)
    assert train(idx_dir, tmp_path / "run", "--epochs", 2).exit_code == 0
    assert column(tmp_path / "run", "train_loss") == pytest.approx([np.mean(losses[:4]), np.mean(losses[4:])])


def test_logs_for_people_and_tensorboard(trained: Path) -> None:
    """Each epoch is a row with its figures in the CSV file, and TensorBoard has its own."""
    assert len(column(trained, "train_loss")) == len(column(trained, VALIDATION_LOSS)) == 4
    assert len(column(trained, "validation_error_percent")) == 4
    assert list(trained.glob("logs/tensorboard/*/events.out.tfevents.*"))


def short(idx_dir: Path, **changes: Any) -> tuple[Facts, Examples]:
    """Gives what a short training of LeNet-5 needs, some of its settings changed."""
    recipe = replace(find("lenet5"), **{"epochs": 3, "batch_size": 64, **changes})
    data = choose(str(idx_dir), recipe)
    task = data.task(recipe.input)
    return Facts(recipe=recipe, task=task, data=(data.source,), seed=0), data.train.fit(task)


def test_stops_early(idx_dir: Path, tmp_path: Path) -> None:
    """A training whose validation loss does not fall any more stops after as many epochs as its patience says."""
    facts, examples = short(idx_dir, epochs=20, patience_epochs=2, optimizer=Optimizer(kind="sgd", lr=1e-12))
    fit(facts, examples, tmp_path, Devices(accelerator="cpu"))
    assert content(tmp_path, run.LAST)["hondo"]["epoch"] < 20


def test_validation_examples_are_never_trained_on(
    idx_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No example of a validation batch comes in a training batch."""
    trained_on: set[bytes] = set()
    validated_with: set[bytes] = set()
    for step, seen in (("training_step", trained_on), ("validation_step", validated_with)):
        monkeypatch.setattr(Classifier, step, _noting(getattr(Classifier, step), seen))
    facts, examples = short(idx_dir)
    fit(facts, examples, tmp_path, Devices(accelerator="cpu"))
    assert len(validated_with) == np.ceil(len(examples) * facts.recipe.validation)
    assert trained_on.isdisjoint(validated_with)


def _noting(step: Any, seen: set[bytes]) -> Any:
    def noting(classifier: Classifier, batch: tuple[torch.Tensor, torch.Tensor]) -> Any:
        seen.update(example.numpy().tobytes() for example in batch[0])
        return step(classifier, batch)

    return noting
