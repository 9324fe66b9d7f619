"""A small data set in MNIST's form, and a short training of LeNet-5 on it.

Legend: N pictures, H height, W width.
"""

import gzip
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from hondo.cli import main
from protos.manifest_pb2 import Classification, ImageInput
from tests.training.edges.squares import write_split
from training.classifier import Classifier
from training.data import digits, idx

TRAIN_PICTURES: Final = 300
TEST_PICTURES: Final = 50


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Keeps torch to one thread: two that wait for each other take many times as long where the cores are busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def pack(array: NDArray[np.uint8]) -> bytes:
    """Gives an array as the contents of an idx file."""
    return struct.pack(f">{1 + array.ndim}I", 0x0800 + array.ndim, *array.shape) + array.tobytes()


def write_idx(folder: Path, arrays: dict[str, NDArray[np.uint8]]) -> None:
    """Writes idx files, gzipped, each named by its key."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(pack(array), compresslevel=1))


@pytest.fixture(scope="session")
def idx_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the four idx files, with handwritten digits of 28x28."""
    spec = ImageInput(height=28, width=28, channels=1, resize=ImageInput.STRETCH, filter=ImageInput.BILINEAR)
    task = Classification(image=spec)
    data = digits.read()
    train = data.train.take(np.arange(TRAIN_PICTURES)).fit(task)
    test = data.test.take(np.arange(TEST_PICTURES)).fit(task)
    folder = tmp_path_factory.mktemp("idx")
    write_idx(
        folder,
        {
            idx.TRAIN_IMAGES: train.inputs.squeeze(3),
            idx.TRAIN_LABELS: train.labels_N.astype(np.uint8),
            idx.TEST_IMAGES: test.inputs.squeeze(3),
            idx.TEST_LABELS: test.labels_N.astype(np.uint8),
        },
    )
    return folder


def hondo(*arguments: object) -> Result:
    """Runs the `hondo` command in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def train(idx_dir: Path, out: Path, *options: object) -> Result:
    """Runs a training of four epochs with four steps each, by the command."""
    few = ("--epochs", 4, "--batch-size", 64, "--accelerator", "cpu", "--no-report")
    return hondo("train", "lenet5", "--data", idx_dir, "--out", out, *few, *options)


@pytest.fixture(scope="session")
def trained(idx_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of one such training, with its report."""
    folder = tmp_path_factory.mktemp("runs") / "lenet5"
    result = train(idx_dir, folder, "--report")
    assert result.exit_code == 0, result.output
    return folder


def cut_off(monkeypatch: pytest.MonkeyPatch, after_epochs: int, by: BaseException) -> None:
    """Ends the next training while it validates the epoch after so many."""
    measure = Classifier.validation_step

    def validation_step(classifier: Classifier, batch: tuple[torch.Tensor, torch.Tensor]) -> None:
        if classifier.current_epoch == after_epochs:
            raise by
        measure(classifier, batch)

    monkeypatch.setattr(Classifier, "validation_step", validation_step)


@pytest.fixture(scope="session")
def bsds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in BSDS500's form."""
    folder = tmp_path_factory.mktemp("bsds")
    write_split(folder, "train", ["1", "2", "3"])
    write_split(folder, "val", ["4", "5"])
    write_split(folder, "test", ["6", "7"])
    return folder
