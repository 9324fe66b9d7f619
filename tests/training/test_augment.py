"""Legend: N batch, C channels, H height, W width."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from hondo.errors import InvalidRequest
from hondo.text import PADDING, UNKNOWN
from training.augment import WordDropout, augment
from training.augmentation import Augmentation

MANY = 2000


def distort(image_NCHW: Tensor, seed: int = 0, **settings: Any) -> Tensor:
    """Gives pictures distorted as the settings say."""
    torch.manual_seed(seed)
    _, channels, height, width = image_NCHW.shape
    module = augment(Augmentation(**settings), height, width, channels)
    distorted_NCHW: Tensor = module(image_NCHW)
    return distorted_NCHW


def noise(count: int, channels: int = 3, height: int = 9, width: int = 7) -> Tensor:
    """Gives pictures f32[N,C,H,W] in 0..1, all of one random pattern that nothing but itself looks like."""
    return torch.rand(1, channels, height, width, generator=torch.Generator().manual_seed(1)).repeat(count, 1, 1, 1)


def square(count: int = 8) -> Tensor:
    """Gives the same white square on black many times, f32[N,1,28,28]."""
    image_NCHW = torch.zeros(count, 1, 28, 28)
    image_NCHW[:, :, 8:20, 8:20] = 1
    return image_NCHW


ALL: list[dict[str, Any]] = [
    {"flip": 0.5},
    {"pad_px": 2},
    {"crop_share": 0.3},
    {"rotation_deg": 20},
    {"shift": 0.2},
    {"scale": 0.3},
    {"shear_deg": 20},
    {"elastic_sigma_px": 4, "elastic_alpha": 2},
    {"brightness": 0.5},
    {"contrast": 0.5},
    {"saturation": 0.5},
    {"hue": 0.3},
    {"pca_colour": 0.5},
    {"cutout": 0.8, "cutout_px": 4},
]


def test_nothing_asked_changes_nothing() -> None:
    """Without settings each picture stays as it is, to the bit."""
    assert torch.equal(distort(noise(5)), noise(5))


@pytest.mark.parametrize("settings", ALL, ids=lambda settings: next(iter(settings)))
def test_each_keeps_shape_and_range_and_goes_by_the_seed(settings: dict[str, Any]) -> None:
    """Each distortion alone gives different pictures of the same shape in 0..1, and for the same seed the same."""
    image_NCHW = noise(16, height=24, width=20)
    first_NCHW = distort(image_NCHW, seed=5, **settings)
    assert first_NCHW.shape == image_NCHW.shape
    assert first_NCHW.dtype == torch.float32
    assert first_NCHW.min() >= 0
    assert first_NCHW.max() <= 1 + 1e-6
    assert len({tuple(picture.flatten().tolist()) for picture in first_NCHW}) > 1
    assert torch.equal(distort(image_NCHW, seed=5, **settings), first_NCHW)
    assert not torch.equal(distort(image_NCHW, seed=6, **settings), first_NCHW)


@pytest.mark.parametrize("settings", [s for s in ALL if not {"saturation", "hue", "pca_colour"} & set(s)])
def test_grey_pictures_stay_grey(settings: dict[str, Any]) -> None:
    """What is not about colours works for pictures of one channel."""
    assert distort(square(), **settings).shape == (8, 1, 28, 28)


@pytest.mark.parametrize("settings", [s for s in ALL if {"saturation", "hue", "pca_colour"} & set(s)])
def test_grey_pictures_have_no_colours(settings: dict[str, Any]) -> None:
    """What is about colours is refused for pictures of one channel, before it could make three of it."""
    with pytest.raises(InvalidRequest, match=next(iter(settings))):
        distort(square(), **settings)


def test_all_together_keep_most_of_the_picture() -> None:
    """LeNet-5's distortions are mild: ink stays within the frame, about as much as before, on black."""
    settings: dict[str, Any] = {"rotation_deg": 10, "shift": 0.07, "scale": 0.1, "shear_deg": 10}
    distorted_NCHW = distort(square(), **settings, elastic_sigma_px=4, elastic_alpha=1)
    ink_N = distorted_NCHW.sum(dim=(1, 2, 3)) / square().sum(dim=(1, 2, 3))
    assert ((ink_N > 0.6) & (ink_N < 1.5)).all()
    assert distorted_NCHW[:, :, 0, 0].max() == 0


def test_flips_a_share_left_for_right() -> None:
    """Each picture is either as it was or its mirror image, and as many are mirrored as asked."""
    image_NCHW = noise(MANY)
    flipped_NCHW = distort(image_NCHW, flip=0.3)
    is_mirror_N = (flipped_NCHW == image_NCHW.flip(3)).flatten(1).all(1)
    is_same_N = (flipped_NCHW == image_NCHW).flatten(1).all(1)
    assert (is_mirror_N ^ is_same_N).all()
    assert is_mirror_N.float().mean().item() == pytest.approx(0.3, abs=0.04)


def test_padding_and_cropping_only_shifts() -> None:
    """Each picture is the original moved by whole pixels, each of the 25 ways equally often, black coming in."""
    image_NCHW = noise(MANY)
    cropped_NCHW = distort(image_NCHW, pad_px=2)
    padded_NCHW = functional.pad(image_NCHW[:1], (2, 2, 2, 2))
    ways = [padded_NCHW[:, :, top : top + 9, left : left + 7] for top in range(5) for left in range(5)]
    counts = [int((cropped_NCHW == way).flatten(1).all(1).sum()) for way in ways]
    assert sum(counts) == MANY
    assert min(counts) > MANY / 25 / 2
    assert max(counts) < MANY / 25 * 2


def test_large_pictures_are_shifted_by_whole_pixels_too() -> None:
    """No pixel of a large picture is lost or doubled by rounding."""
    image_NCHW = noise(4, height=224, width=224)
    cropped_NCHW = distort(image_NCHW, pad_px=3)
    padded_NCHW = functional.pad(image_NCHW[:1], (3, 3, 3, 3))
    ways = [padded_NCHW[:, :, top : top + 224, left : left + 224] for top in range(7) for left in range(7)]
    assert sum(int((cropped_NCHW == way).flatten(1).all(1).sum()) for way in ways) == 4


def _extent(ramp_N: Tensor, last: int) -> Tensor:
    """Gives how large a share of a side was cut out, from how much the ramp rises over what is shown of it."""
    return (ramp_N * last + 1) / (last + 1)


def test_crops_a_share_of_the_area() -> None:
    """What is cut out has at least its share of the area, its sides' ratio is 3:4 to 4:3, and it is shown whole."""
    side = 64
    ramp_W = torch.linspace(0, 1, side)
    image_NCHW = torch.stack([ramp_W.expand(side, side), ramp_W[:, None].expand(side, side)]).repeat(MANY, 1, 1, 1)
    cropped_NCHW = distort(image_NCHW, crop_share=0.25)
    width_N = _extent(cropped_NCHW[:, 0, 0, -1] - cropped_NCHW[:, 0, 0, 0], side - 1)
    height_N = _extent(cropped_NCHW[:, 1, -1, 0] - cropped_NCHW[:, 1, 0, 0], side - 1)
    area_N = width_N * height_N
    assert area_N.min() > 0.25 * 0.95
    assert area_N.max() <= 1 + 1e-5
    assert area_N.min() < 0.3
    assert area_N.max() > 0.9
    ratio_N = width_N / height_N
    assert ratio_N.min() > 3 / 4 * 0.95
    assert ratio_N.max() < 4 / 3 * 1.05


def test_rotation_turns_by_so_many_degrees_at_most() -> None:
    """A point to the right of the centre moves along the circle, up and down, no further than asked."""
    image_NCHW = torch.zeros(MANY, 1, 41, 41)
    image_NCHW[:, :, 19:22, 34:37] = 1
    degrees_N = _angle(distort(image_NCHW, rotation_deg=30))
    assert degrees_N.abs().max() < 31
    assert degrees_N.min() < -25
    assert degrees_N.max() > 25
    assert degrees_N.abs().mean().item() == pytest.approx(15, abs=1)


def _angle(image_NCHW: Tensor) -> Tensor:
    """Gives the direction in degrees in which the ink lies, seen from the centre."""
    place_S = torch.arange(41.0) - 20
    total_N = image_NCHW.sum((1, 2, 3))
    down_N = (image_NCHW.sum(3)[:, 0] * place_S).sum(1) / total_N
    right_N = (image_NCHW.sum(2)[:, 0] * place_S).sum(1) / total_N
    return torch.rad2deg(torch.atan2(down_N, right_N))


def test_shifts_by_a_share_of_the_side() -> None:
    """The ink's centre moves by at most the share of height and of width."""
    image_NCHW = torch.zeros(MANY, 1, 40, 60)
    image_NCHW[:, :, 18:22, 28:32] = 1
    moved_NCHW = distort(image_NCHW, shift=0.1)
    down_N = (moved_NCHW.sum(3)[:, 0] * torch.arange(40)).sum(1) / 16 - 19.5
    right_N = (moved_NCHW.sum(2)[:, 0] * torch.arange(60)).sum(1) / 16 - 29.5
    assert 3.8 < down_N.abs().max() <= 4.1
    assert 5.7 < right_N.abs().max() <= 6.1


def test_scales_by_a_share() -> None:
    """A square's side becomes 0.8 to 1.2 of what it was."""
    side_N = distort(square(MANY), scale=0.2).sum(dim=(1, 2, 3)).sqrt() / 12
    assert side_N.min().item() == pytest.approx(0.8, abs=0.03)
    assert side_N.max().item() == pytest.approx(1.2, abs=0.03)


def test_elastic_distortion_is_local_and_bounded() -> None:
    """Parts of a picture move different ways, by pixels at most, and more for a larger amplitude."""
    ramp_W = torch.linspace(0, 1, 28)
    image_NCHW = ramp_W.expand(64, 1, 28, 28).clone()
    moves = []
    for alpha in (0.5, 1.0):
        moved_NHW = (distort(image_NCHW, elastic_sigma_px=4, elastic_alpha=alpha) - image_NCHW)[:, 0, 8:20, 8:20] * 27
        assert (moved_NHW.flatten(1).std(1) > 0.01).all()
        moves.append(moved_NHW.abs().mean().item())
    assert 0.05 < moves[0] < 2
    assert moves[1] == pytest.approx(2 * moves[0], rel=0.1)


def test_brightness_multiplies() -> None:
    """Each picture's values are multiplied by one number of its own, evenly spread over 1 - b to 1 + b."""
    image_NCHW = noise(MANY) / 2
    factor_NCHW = distort(image_NCHW, brightness=0.4) / image_NCHW
    factor_N = factor_NCHW[:, 0, 0, 0]
    torch.testing.assert_close(factor_NCHW, factor_N[:, None, None, None].expand_as(factor_NCHW))
    assert (factor_N.min().item(), factor_N.max().item()) == pytest.approx((0.6, 1.4), abs=0.01)
    assert factor_N.mean().item() == pytest.approx(1, abs=0.02)


def grey(image_NCHW: Tensor) -> Tensor:
    """Gives the luma of ITU-R 601."""
    return (image_NCHW * torch.tensor([0.299, 0.587, 0.114]).reshape(3, 1, 1)).sum(1, keepdim=True)


def test_contrast_multiplies_distances_from_the_mean() -> None:
    """Each picture's mean grey stays, and all distances from it are multiplied by one number."""
    image_NCHW = 0.35 + 0.3 * noise(MANY)
    mean_N111 = grey(image_NCHW).mean((2, 3), keepdim=True)
    factor_NCHW = (distort(image_NCHW, contrast=0.4) - mean_N111) / (image_NCHW - mean_N111)
    factor_N = factor_NCHW.flatten(1).median(1).values
    difference_NCHW = (factor_NCHW - factor_N[:, None, None, None]) * (image_NCHW - mean_N111)
    assert difference_NCHW.abs().max() < 1e-5
    assert (factor_N.min().item(), factor_N.max().item()) == pytest.approx((0.6, 1.4), abs=0.01)


def test_saturation_multiplies_distances_from_grey() -> None:
    """Each pixel's grey stays, and its colours' distances from it are multiplied by the picture's number."""
    image_NCHW = 0.35 + 0.3 * noise(MANY)
    grey_N1HW = grey(image_NCHW)
    saturated_NCHW = distort(image_NCHW, saturation=0.4)
    torch.testing.assert_close(grey(saturated_NCHW), grey_N1HW, rtol=0, atol=1e-3)
    factor_NCHW = (saturated_NCHW - grey_N1HW) / (image_NCHW - grey_N1HW)
    factor_N = factor_NCHW.flatten(1).median(1).values
    assert (factor_N.min().item(), factor_N.max().item()) == pytest.approx((0.6, 1.4), abs=0.02)


def test_hue_turns_the_colour_circle() -> None:
    """Red turned by a third or less becomes neither darker nor paler, and goes both ways towards yellow and purple."""
    red_NCHW = torch.zeros(MANY, 3, 2, 2)
    red_NCHW[:, 0] = 1
    turned_NCHW = distort(red_NCHW, hue=1 / 6)
    torch.testing.assert_close(turned_NCHW.amax(1), torch.ones(MANY, 2, 2))
    torch.testing.assert_close(turned_NCHW.amin(1), torch.zeros(MANY, 2, 2), rtol=0, atol=1e-5)
    green_N, blue_N = turned_NCHW[:, 1, 0, 0], turned_NCHW[:, 2, 0, 0]
    assert (turned_NCHW[:, 0] > 0.99).all()
    assert (green_N.max().item(), blue_N.max().item()) == pytest.approx((1, 1), abs=0.01)
    assert ((green_N < 1e-5) | (blue_N < 1e-5)).all()


def test_pca_colour_shifts_along_the_components() -> None:
    """Each picture shifts by P (a1 l1, a2 l2, a3 l3), P the components, l their deviations, a normal numbers.

    By hand: the covariance of the shifts is P diag(l^2) P^T times the square of the setting.
    """
    image_NCHW = torch.full((20_000, 3, 2, 2), 0.5)
    shift_NCHW = distort(image_NCHW, pca_colour=0.1) - image_NCHW
    assert torch.equal(shift_NCHW[:, :, 0, 0], shift_NCHW[:, :, 1, 1])
    covariance_33 = torch.cov(shift_NCHW[:, :, 0, 0].T)
    # 0.2175^2 x 0.5675^2 + 0.0188^2 x 0.7192^2 + 0.0045^2 x 0.4009^2 = 0.015421 for red, and so on.
    assert (covariance_33.diag() / 0.1**2).tolist() == pytest.approx([0.015421, 0.015971, 0.016286], rel=0.05)
    # 0.2175^2 x 0.5675 x 0.5808 - 0.0188^2 x 0.7192 x 0.0045 - 0.0045^2 x 0.4009 x 0.8140 = 0.015584.
    assert covariance_33[0, 1].item() / 0.1**2 == pytest.approx(0.015584, rel=0.05)


def test_cutout_blacks_out_a_square() -> None:
    """As many pictures as asked lose a square, the rest of which stays; its centre may be anywhere in the picture."""
    image_NCHW = torch.ones(MANY, 2, 12, 10)
    cut_NCHW = distort(image_NCHW, cutout=0.6, cutout_px=4)
    hidden_NHW = cut_NCHW[:, 0] == 0
    assert torch.equal(hidden_NHW, cut_NCHW[:, 1] == 0)
    assert (cut_NCHW[:, 0][~hidden_NHW] == 1).all()
    rows_N, columns_N = hidden_NHW.any(2).sum(1), hidden_NHW.any(1).sum(1)
    assert torch.equal(hidden_NHW.sum((1, 2)), rows_N * columns_N)
    cut_N = rows_N > 0
    assert cut_N.float().mean().item() == pytest.approx(0.6, abs=0.04)
    assert set(rows_N[cut_N].tolist()) == set(columns_N[cut_N].tolist()) == {2, 3, 4}
    assert (hidden_NHW.sum(0) > 0).all()


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"flip": 1.5}, "flip"),
        ({"pad_px": -1}, "pad_px"),
        ({"hue": 0.6}, "hue"),
        ({"elastic_alpha": 1}, "elastic_sigma_px"),
        ({"elastic_sigma_px": 4}, "elastic_alpha"),
        ({"cutout": 0.5}, "cutout_px"),
        ({"cutout_px": 8}, "cutout"),
        ({"blur": 1}, "blur"),
    ],
)
def test_refuses_settings_that_cannot_be(settings: dict[str, Any], name: str) -> None:
    """An augmentation is checked when it is made, and the text names the setting."""
    with pytest.raises(ValueError, match=name):
        Augmentation(**settings)


def test_word_dropout_makes_words_unknown() -> None:
    """As large a share of the words as asked is unknown; the others, and what fills a text up, stay."""
    tokens_NT = torch.arange(2, 22).repeat(MANY, 1)
    tokens_NT[:, 15:] = PADDING
    torch.manual_seed(0)
    dropped_NT = WordDropout(0.3)(tokens_NT)
    is_unknown_NT = dropped_NT == UNKNOWN
    assert torch.equal(dropped_NT[~is_unknown_NT], tokens_NT[~is_unknown_NT])
    assert not is_unknown_NT[:, 15:].any()
    assert is_unknown_NT[:, :15].float().mean().item() == pytest.approx(0.3, abs=0.02)
    assert torch.equal(WordDropout(0)(tokens_NT), tokens_NT)
