from pathlib import Path

import pytest

from hondo.errors import InvalidArtifact
from training.report import history

HEAD = "epoch,lr-SGD,step,train_loss,validation_loss\n"


def write(folder: Path, version: int, *rows: str) -> None:
    """Writes a log as Lightning does."""
    place = folder / "logs" / "csv" / f"version_{version}"
    place.mkdir(parents=True)
    (place / "metrics.csv").write_text(HEAD + "".join(f"{row}\n" for row in rows))


def test_gathers_what_several_rows_say_of_an_epoch(tmp_path: Path) -> None:
    """Figures of an epoch stand in several rows; the learning rate has its first step alone. Epochs count from 1."""
    write(tmp_path, 0, ",0.1,0,,", "0,,9,,1.5", "0,,9,2.0,", ",0.05,10,,", "1,,19,,1.25", "1,,19,1.75,")
    assert history.read(tmp_path) == {
        "train_loss": {1: 2.0, 2: 1.75},
        "validation_loss": {1: 1.5, 2: 1.25},
        "learning_rate": {1: 0.1, 2: 0.05},
    }


def test_a_resumed_run_goes_on(tmp_path: Path) -> None:
    """Of a run in several parts what came later holds, the tenth part after the ninth."""
    write(tmp_path, 0, ",0.1,0,,", "0,,9,2.0,", ",0.09,10,,")
    write(tmp_path, 9, ",0.08,10,,", "1,,19,1.5,")
    write(tmp_path, 10, ",0.07,10,,", "1,,19,1.25,")
    found = history.read(tmp_path)
    assert found["train_loss"] == {1: 2.0, 2: 1.25}
    assert found["learning_rate"] == {1: 0.1, 2: 0.07}


def test_reads_what_a_training_wrote(trained: Path) -> None:
    """A run of four epochs has four of each figure."""
    found = history.read(trained)
    for name in ("train_loss", "validation_loss", "validation_error_percent", "learning_rate"):
        assert list(found[name]) == [1, 2, 3, 4]


@pytest.mark.parametrize("content", ["nonsense", HEAD + "0,,x,1,\n", HEAD + "0,,9,much,\n"])
def test_refuses_a_damaged_log(tmp_path: Path, content: str) -> None:
    """A damaged log is named, and a missing one as well."""
    with pytest.raises(InvalidArtifact, match="has no CSV log"):
        history.read(tmp_path)
    write(tmp_path, 0)
    (tmp_path / "logs/csv/version_0/metrics.csv").write_text(content + "\n1,2,3,4,5,6\n")
    with pytest.raises(InvalidArtifact, match=r"metrics\.csv cannot be read"):
        history.read(tmp_path)
