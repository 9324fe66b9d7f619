"""Legend: N batch, C channels, H height, W width."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from export.convert import write
from export.graphs import EdgeGraph
from export.whole import candidate, gate, pictures
from export.whole.candidate import WholeCandidate
from hondo.errors import MissingData, ParityError
from serving.runtime.session import Session
from training.fixed import FixedRecipe
from training.models.kernels import Values
from training.recipe import load


class Made(nn.Module):
    """A net of one function."""

    def __init__(self, make: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self._make = make

    def forward(self, image_N1HW: Tensor) -> Tensor:
        """Gives the function of values from 0 to 1."""
        return self._make(image_N1HW / 255)


def of(make: Callable[[Tensor], Tensor]) -> WholeCandidate:
    """Gives a candidate whose net is a function of values from 0 to 1."""
    sobel = load("sobel")
    assert isinstance(sobel, FixedRecipe)
    made = candidate.of_fixed(sobel, pictures.shipped())
    return replace(made, graph=EdgeGraph(Values(), Made(make), channels=1))


def opened(made: WholeCandidate, folder: Path) -> Session:
    write(made.graph, made.takes, made.gives, folder / "model.onnx", {})
    return Session.open(folder / "model.onnx")


def test_a_good_file_passes_at_every_size(tmp_path: Path) -> None:
    """Landscape, portrait, odd, smallest and several at once are tried, with the largest difference of each."""
    made = of(lambda image: image.square())
    session = opened(made, tmp_path)
    gate.check_signature(session, made)
    parity = gate.check_parity(session, made)
    sizes = {(trial.height, trial.width) for trial in parity}
    assert any(height < width for height, width in sizes)
    assert any(height > width for height, width in sizes)
    assert any(height % 2 and width % 2 for height, width in sizes)
    assert (16, 16) in sizes
    assert max(parity.values()) < 1e-6


def test_a_file_that_says_something_else_is_refused(tmp_path: Path) -> None:
    """A difference at one pixel is enough, and the text says where."""
    session = opened(of(lambda image: image), tmp_path)

    def touched(image_N1HW: Tensor) -> Tensor:
        image_N1HW = image_N1HW.clone()
        image_N1HW[..., 5, 7] += 0.01
        return image_N1HW

    with pytest.raises(ParityError, match=r"1 of 256 x 384, 'edges': at \(0, 5, 7\) ONNX Runtime gives"):
        gate.check_parity(session, of(touched))


def test_what_is_no_number_is_refused(tmp_path: Path) -> None:
    """NaN in the file's answers does not pass because it compares false."""
    session = opened(of(lambda image: image / (image - image)), tmp_path)
    with pytest.raises(ParityError, match="difference of inf"):
        gate.check_parity(session, of(lambda image: image))


def test_a_frozen_size_is_found(tmp_path: Path) -> None:
    """A net that answers at one width only is refused by its signature."""
    made = of(lambda image: image.mean(dim=-1, keepdim=True).expand(-1, -1, -1, 64))
    with pytest.raises(ParityError, match=r"must give edges FP32\[N,H,W\], but gives edges FP32\[N,H,64\]"):
        gate.check_signature(opened(made, tmp_path), made)


def test_parts_are_cut_from_the_middle() -> None:
    """As many as are asked for, of several pictures in turns; a picture that is too small is scaled up."""
    samples = pictures.shipped()
    image_NHWC = samples.cut(3, 20, 31, 3)
    assert image_NHWC.shape == (3, 20, 31, 3)
    assert np.array_equal(image_NHWC[0], image_NHWC[2])
    assert not np.array_equal(image_NHWC[0], image_NHWC[1])
    assert samples.cut(1, 2000, 40, 1).shape == (1, 2000, 40, 1)


def test_own_pictures_are_read_from_a_folder(tmp_path: Path) -> None:
    """A folder without a picture is refused, one with a damaged file too."""
    with pytest.raises(MissingData, match="holds no picture"):
        pictures.of_folder(tmp_path)
    samples = pictures.shipped()
    samples.pictures[0].save(tmp_path / "a.png")
    assert np.array_equal(pictures.of_folder(tmp_path).cut(1, 16, 16, 3), samples.cut(1, 16, 16, 3))
    (tmp_path / "b.jpg").write_bytes(b"no picture")
    with pytest.raises(MissingData, match=r"b\.jpg"):
        pictures.of_folder(tmp_path)


def test_pytorch_answers_by_tensor_name() -> None:
    """A graph with one map has edges alone; one with three has two side outputs."""
    image_NHWC = np.zeros((1, 16, 17, 1), np.uint8)
    assert set(EdgeGraph(Values(), nn.Identity(), channels=1).answer(image_NHWC)) == {"edges"}
    three = EdgeGraph(Values(), Made(lambda image: torch.cat([image, image, image + 1], dim=1)), channels=1)
    answer = three.answer(image_NHWC)
    assert answer["side_edges"].shape == (1, 2, 16, 17)
    assert (answer["edges"] == 1).all()
