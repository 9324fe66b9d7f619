"""`hondo train` of nets that write, from a text to a run folder.

Legend: T tokens.
"""

import json
import math
import shutil
from pathlib import Path
from typing import Final

import pytest
import torch

from hondo import characters
from hondo.errors import InvalidArtifact, WrongTask
from tests.training.conftest import hondo
from training import run, text_run
from training.writing import write

SMALL: Final = ("--set", "net.dropout=0", "--set", "net.input_dropout=0", "--set", "net.recurrent_dropout=0")
# Karpathy's toy of four letters, "The unreasonable effectiveness of recurrent neural networks", 2015.
HELLO: Final = (
    *("--set", "net.layers=1", "--set", "net.width=5", "--set", "net.dimensions=4", "--set", "input.window=5"),
    *("--set", "optimizer.lr=0.05", "--set", "optimizer.weight_decay=0", "--set", "precision=32-true"),
    *("--set", "average.kind=none", "--set", "patience_epochs=50", "--batch-size", "1"),
)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "hello.txt"
    path.write_text("hello" * 60, "utf-8")
    return path


def train(text: Path, out: Path, *more: object, model: str = "char-rnn", epochs: int = 20) -> str:
    result = hondo("train", model, "--data", text, "--out", out, *HELLO, *SMALL, "--epochs", epochs, *more)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def trained(text: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run folder, and what the command printed."""
    folder = tmp_path_factory.mktemp("runs") / "hello"
    return folder, train(text, folder)


def test_learns_hello(trained: tuple[Path, str]) -> None:
    """A plain net learns the toy: after "h" it writes "ello", and again, since it knows which l it is at."""
    loaded = text_run.load(trained[0])
    vocabulary = loaded.task.vocabulary
    assert list(vocabulary) == ["e", "h", "l", "o"]
    prompt_T = torch.from_numpy(characters.encode("h", characters.index(vocabulary)))
    tokens = write(loaded.net, prompt_T, 14, 0, torch.Generator())
    assert characters.decode(tokens, vocabulary) == "ellohellohello"


def test_says_how_it_goes(trained: tuple[Path, str]) -> None:
    """The command says what it reads, what the net writes at first and later, and the loss in nats and bits."""
    folder, output = trained
    assert "270 characters to train on, 4 different ones; the last 30 to validate with" in output
    assert "at first it writes:\n    | " in output
    assert "after 25 steps it writes:\n    | " in output
    nats, bits = text_run.read_results(folder).scores
    assert f"validation loss  {nats.value:.4f} nats ({bits.value:.4f} bits) a character, of 29" in output


def test_scores_the_text_kept_for_validation(trained: tuple[Path, str]) -> None:
    """The run has the validation's text, and its scores are the net's loss on it, in nats and in bits."""
    loaded = text_run.load(trained[0])
    assert characters.decode(loaded.text_T, loaded.task.vocabulary) == "hello" * 6
    nats, bits = loaded.scores
    logits_NTV, _ = loaded.net(torch.from_numpy(loaded.text_T[None, :-1]))
    expected = torch.nn.functional.cross_entropy(logits_NTV[0], torch.from_numpy(loaded.text_T[1:])).item()
    assert (nats.unit, bits.unit, nats.samples) == ("nats/character", "bits/character", 29)
    assert nats.value == pytest.approx(expected, rel=1e-5)
    assert bits.value == pytest.approx(expected / math.log(2), rel=1e-5)
    assert nats.value < 0.3


def test_loss_does_not_depend_on_how_much_is_read_at_once(
    trained: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text is scored from its beginning to its end, whatever the window."""
    loaded = text_run.load(trained[0])
    whole = text_run.loss(loaded.net, loaded.text_T)
    monkeypatch.setattr(text_run, "_WINDOW", 4)
    assert text_run.loss(loaded.net, loaded.text_T) == pytest.approx(whole, rel=1e-5)


@pytest.mark.parametrize("model", ["char-gru", "char-lstm"])
def test_every_kind_of_cell_trains(model: str, text: Path, tmp_path: Path) -> None:
    """GRU and LSTM learn the toy too."""
    train(text, tmp_path / "run", model=model)
    assert text_run.load(tmp_path / "run").scores[0].value < 0.3


def test_resumed_run_repeats_itself(text: Path, tmp_path: Path) -> None:
    """A run that was cut off ends, with --resume, with the weights that it has when it is not cut off."""
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train(text, whole, epochs=6)
    _stop_after(text, cut, epochs=3)
    output = train(text, cut, "--resume", epochs=6)
    assert "at first" not in output
    mine, theirs = (text_run.load(folder).net.state_dict() for folder in (cut, whole))
    for name, weights in mine.items():
        torch.testing.assert_close(weights, theirs[name], rtol=0, atol=0)


def _stop_after(text: Path, folder: Path, epochs: int) -> None:
    """Trains anew in a folder, and stops as a person does."""
    from lightning.pytorch import Callback, LightningModule, Trainer

    from training import fit

    class Stop(Callback):
        def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
            if trainer.current_epoch == epochs:
                raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "Specimens", lambda *_: Stop())
        hondo("train", "char-rnn", "--data", text, "--out", folder, *HELLO, *SMALL, "--epochs", 6)
    assert not run.is_finished(folder)


def test_other_commands_say_what_it_is(trained: tuple[Path, str]) -> None:
    """Commands for classifiers refuse a run, or a recipe, of a net that writes by what it is."""
    with pytest.raises(WrongTask, match="char-rnn is no classifier"):
        run.load(trained[0])
    for command in ("summary", "cross-validate"):
        result = hondo(command, "char-lstm")
        assert result.exit_code == 1
        assert "char-lstm" in result.output


def test_damaged_run_is_refused(trained: tuple[Path, str], tmp_path: Path) -> None:
    """A run whose text or results cannot be read says which file it is."""
    folder = tmp_path / "run"
    shutil.copytree(trained[0], folder)
    (folder / "results.json").write_text(json.dumps({"scores": 3}), "utf-8")
    with pytest.raises(InvalidArtifact, match=r"results\.json cannot be read"):
        text_run.load(folder)
    shutil.copy(trained[0] / "results.json", folder)
    (folder / "text.npz").write_bytes(b"no archive")
    with pytest.raises(InvalidArtifact, match=r"text\.npz cannot be read"):
        text_run.load(folder)
