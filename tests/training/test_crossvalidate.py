import json
import statistics
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import Result

from tests.training.conftest import cut_off, hondo
from training import run
from training.crossvalidate import RESULTS
from training.data import students

FOLDS = 3


def cross_validate(out: Path, *options: object) -> Result:
    """Runs three short trainings of the perceptron."""
    few = ("--folds", FOLDS, "--epochs", 2, "--accelerator", "cpu")
    return hondo("cross-validate", "student-pass", "--out", out, *few, *options)


@pytest.fixture(scope="module")
def folded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished cross-validation."""
    folder = tmp_path_factory.mktemp("cross") / "student-pass"
    result = cross_validate(folder)
    assert result.exit_code == 0, result.output
    (folder / "output.txt").write_text(result.output)
    return folder


def weights(folder: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(run.checkpoint_path(folder, run.BEST), weights_only=True)["state_dict"]
    return state


def test_every_fold_is_a_run(folded: Path) -> None:
    """Each fold is a finished run of its own, tested on its own examples, and says which fold it left out."""
    samples = []
    for fold in range(FOLDS):
        loaded = run.load(folded / f"fold-{fold + 1}")
        (source,) = loaded.data
        assert source.name == f"students fold {fold + 1} of {FOLDS}"
        assert loaded.scores[0].data == f"{source.name} test"
        assert loaded.scores[0].samples in {333, 334}
        samples.append({tuple(row) for row in loaded.samples.inputs.tolist()})
    assert len(set.union(*samples)) > 2.5 * max(map(len, samples))


def test_tells_the_mean_and_the_deviation(folded: Path) -> None:
    """The result has each fold's error as its run has it, their mean and their standard deviation."""
    results = json.loads((folded / RESULTS).read_text("utf-8"))
    errors = [run.read_results(folded / fold["run"]).scores[0].value for fold in results["folds"]]
    assert [fold["error_percent"] for fold in results["folds"]] == errors
    assert sum(fold["examples"] for fold in results["folds"]) == 1000
    assert (results["model"], results["data"], results["seed"]) == ("student-pass", "students", 0)
    assert results["mean_error_percent"] == pytest.approx(np.mean(errors))
    assert results["standard_deviation_percent"] == pytest.approx(statistics.stdev(errors))
    output = (folded / "output.txt").read_text()
    assert f"{FOLDS} folds of its 1,000 examples" in output
    assert f"fold  2 of 3: error {errors[1]:6.2f} %" in output
    assert f"mean error {np.mean(errors):.2f} %, standard deviation {statistics.stdev(errors):.2f} points" in output


def test_goes_on_where_it_was_cut_off(folded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Resumed, finished folds are kept, the one that was cut off is finished, and all ends as if nothing had been."""
    assert cross_validate(tmp_path).exit_code == 0
    run.clear(tmp_path / "fold-2")
    run.clear(tmp_path / "fold-3")
    first = (tmp_path / "fold-1" / "results.json").stat().st_mtime_ns
    with monkeypatch.context() as patched:
        cut_off(patched, after_epochs=1, by=MemoryError())
        assert isinstance(cross_validate(tmp_path, "--resume").exception, MemoryError)
    assert not run.is_finished(tmp_path / "fold-2")
    resumed = cross_validate(tmp_path, "--resume")
    assert resumed.exit_code == 0, resumed.output
    assert (tmp_path / "fold-1" / "results.json").stat().st_mtime_ns == first
    for fold in ("fold-1", "fold-2", "fold-3"):
        torch.testing.assert_close(weights(tmp_path / fold), weights(folded / fold), rtol=0, atol=0)
    assert (tmp_path / RESULTS).read_text() == (folded / RESULTS).read_text()


def test_keeps_folds_unless_told(folded: Path, tmp_path: Path) -> None:
    """Folds that are there are left alone, unless --resume or --overwrite says otherwise."""
    assert cross_validate(tmp_path).exit_code == 0
    again = cross_validate(tmp_path)
    assert again.exit_code == 2
    assert "--resume goes on with them, --overwrite replaces them" in again.output
    assert cross_validate(tmp_path, "--overwrite", "--seed", 1).exit_code == 0
    assert not torch.equal(
        weights(tmp_path / "fold-1")["net.output.weight"], weights(folded / "fold-1")["net.output.weight"]
    )


@pytest.mark.parametrize(
    ("option", "complaint"), [(("--seed", 3), "seed is 3, was 0"), (("--epochs", 3), "recipe.epochs is 3, was 2")]
)
def test_goes_on_with_the_same_settings(folded: Path, option: tuple[str, int], complaint: str) -> None:
    """Folds of other settings are not mixed."""
    result = cross_validate(folded, "--resume", *option)
    assert result.exit_code == 2
    assert complaint in result.output


def test_a_vocabulary_knows_nothing_of_its_fold(tmp_path: Path) -> None:
    """Each fold's net has the words of its own training part, and none that stands in its test alone."""
    path = tmp_path / "own.tsv"
    lines = [f"{label}\tcommon word{label}{number}" for label in ("a", "b") for number in range(15)]
    path.write_text("\n".join(lines) + "\n")
    small = (
        "--set",
        "net.dimensions=4",
        "--set",
        "net.filters=2",
        "--set",
        "input.length=5",
        "--set",
        "input.min_count=1",
    )
    result = hondo(
        *("cross-validate", "textcnn-trec", "--data", path, "--out", tmp_path / "out", "--folds", FOLDS),
        *("--epochs", 1, "--accelerator", "cpu", *small),
    )
    assert result.exit_code == 0, result.output
    known = [set(run.load(tmp_path / "out" / f"fold-{fold + 1}").task.text.vocabulary) for fold in range(FOLDS)]
    words = {line.split()[-1] for line in lines}
    assert [len(words & vocabulary) for vocabulary in known] == [20, 20, 20]
    assert [sum(word in vocabulary for vocabulary in known) for word in sorted(words)] == [2] * 30


def test_a_given_test_stays_unseen(tmp_path: Path) -> None:
    """Where the data have a part to test on, the folds are of the others."""
    lines = students.FILE.read_text().splitlines()
    (tmp_path / "train.csv").write_text("\n".join(lines[:61]))
    (tmp_path / "test.csv").write_text("\n".join([lines[0], *lines[-30:]]))
    result = cross_validate(tmp_path / "out", "--data", tmp_path)
    assert result.exit_code == 0, result.output
    assert "3 folds of its 60 training examples; its test stays unseen" in result.output
    assert sum(fold["examples"] for fold in json.loads((tmp_path / "out" / RESULTS).read_text())["folds"]) == 60
