from pathlib import Path

import pytest

from hondo.errors import MissingData
from tests.training.conftest import TRAIN_PICTURES
from training.data import fashion_mnist
from training.data.choice import choose


def test_takes_digits_where_nothing_else_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a folder, and without Debian's Fashion-MNIST, it is scikit-learn's digits."""
    monkeypatch.setattr(fashion_mnist, "DEBIAN", tmp_path / "absent")
    assert choose(None).name == "digits"


def test_takes_debians_fashion_mnist(monkeypatch: pytest.MonkeyPatch, idx_dir: Path) -> None:
    """Without a folder, what Debian's package installed comes before the digits."""
    monkeypatch.setattr(fashion_mnist, "DEBIAN", idx_dir)
    assert len(choose(None).train) == TRAIN_PICTURES


def test_takes_digits_by_name(monkeypatch: pytest.MonkeyPatch, idx_dir: Path) -> None:
    """The word "digits" asks for the digits, whatever is installed."""
    monkeypatch.setattr(fashion_mnist, "DEBIAN", idx_dir)
    assert choose("digits").name == "digits"


def test_misses_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """A folder that does not exist is answered like one without the files."""
    with pytest.raises(MissingData, match="is missing"):
        choose(str(tmp_path / "absent"))


@pytest.mark.data
def test_knows_mnist(data_dir: Path) -> None:
    """The official MNIST is told by its hashes."""
    data = choose(str(data_dir / "mnist"))
    assert data.name == "mnist"
    assert data.labels == tuple("0123456789")
    assert (len(data.train), len(data.test)) == (60_000, 10_000)
