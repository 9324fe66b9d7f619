"""Legend: H height, W width, P crop's side."""

import numpy as np
import pytest
import torch

from tests.training.edges.squares import square
from training.data.batches import Order
from training.data.bsds500 import Drawn
from training.edges.consensus import DISPUTED, EDGE, NONE
from training.edges.crops import CropBatches, Taught, crop, taught
from training.edges.recipe import Crops

PICTURE: Taught = taught(Drawn("square", *square(60, 80, 20, 30, 24)), 0.5)


def at(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_crop_is_a_part_of_the_picture() -> None:
    """Not turned, scaled or mirrored, it is cut out as it is, wherever that may be; its truth moves along."""
    places = set()
    for seed in range(10):
        image_CPP, truth_PP = crop(PICTURE, Crops(side_px=32), at(seed))
        assert truth_PP.dtype == torch.uint8
        # Between pixels, a line's fainter half is disputed.
        assert set(truth_PP.flatten().tolist()) <= {NONE, DISPUTED, EDGE}
        light_PP = image_CPP[0] > 0.5
        # What is drawn is the outermost of the light pixels; between pixels it may be two wide.
        assert bool(light_PP[truth_PP == EDGE].float().mean() > 0.4)
        places.add(int(light_PP.sum()))
    assert len(places) > 1


def test_mirroring_is_all_that_mirroring_does() -> None:
    """A crop as large as the picture is the picture, or the same from right to left."""
    whole = Taught(torch.randint(0, 255, (32, 32, 3), dtype=torch.uint8), torch.zeros(32, 32, dtype=torch.uint8))
    plain_CPP = whole.image_HWC.permute(2, 0, 1).float() / 255
    (as_it_is, _), (mirrored, _) = (crop(whole, Crops(side_px=32, flip=flip), at(1)) for flip in (0, 1))
    assert torch.allclose(as_it_is, plain_CPP, atol=1e-4)
    assert torch.allclose(mirrored, plain_CPP.flip(2), atol=1e-4)


def test_what_lies_beyond_the_picture_is_disputed() -> None:
    """A crop that is larger than the picture teaches nothing about what is not in it."""
    _, truth_PP = crop(PICTURE, Crops(side_px=100), at(0))
    assert (truth_PP[:19] == DISPUTED).all()
    assert (truth_PP[:, :9] == DISPUTED).all()
    assert (truth_PP[21:79, 11:89] != DISPUTED).all()


def test_turned_lines_stay_whole() -> None:
    """However a crop is turned and scaled, about as many pixels are edges as the scaled line is long."""
    drawn = int((PICTURE.truth_HW == EDGE).sum())
    settings = Crops(side_px=128, turned=1, scale=(1.2, 1.2))
    for seed in range(20):
        _, truth_PP = crop(PICTURE, settings, at(seed))
        assert 0.9 * 1.2 * drawn < int((truth_PP == EDGE).sum()) < 2.2 * 1.2 * drawn


def test_light_is_changed_within_its_bounds() -> None:
    """Brightness multiplies all values alike, by no more than it may."""
    settings = Crops(side_px=32, brightness=0.2)
    for seed in range(10):
        plain_CPP, relit_CPP = (crop(PICTURE, each, at(seed))[0] for each in (Crops(side_px=32), settings))
        ratio = relit_CPP / plain_CPP
        assert 0.8 <= ratio.min().item() <= ratio.max().item() <= 1.2
        assert ratio.std().item() < 1e-4


def test_an_epoch_repeats_itself_and_the_next_is_another() -> None:
    """The same seed and epoch give the same crops, whatever came before; every picture is cut as often as is asked."""
    order = Order(examples=4, batch_size=2, shuffle_seed=1, rank=0, processes=1)
    batches = CropBatches([PICTURE, PICTURE], Crops(side_px=16, turned=0.5), order, seed=1)
    assert len(batches) == 2
    first, again = ([image for image, _ in batches] for _ in range(2))
    assert all(torch.equal(*pair) for pair in zip(first, again, strict=True))
    order.set_epoch(1)
    assert not torch.equal(next(iter(batches))[0], first[0])


def test_refuses_scales_the_wrong_way_round() -> None:
    """The smaller scale comes first."""
    with pytest.raises(ValueError, match="scale begins above its end"):
        Crops(side_px=32, scale=(2, 1))


def test_taught_pictures_have_the_consensus() -> None:
    """Two of three people drew the square: more than half, so it is an edge."""
    assert np.array_equal(PICTURE.truth_HW.numpy() == EDGE, square(60, 80, 20, 30, 24)[1][0])
