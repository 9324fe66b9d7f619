"""Legend: N pictures, H height, W width, C channels, K classes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from protos.manifest_pb2 import ImageInput
from tests.training.conftest import hondo
from training import run, testtime
from training.data.dataset import PictureFiles, Pictures
from training.pixels import Pixels
from training.testtime import TestTime, Views

SMALL = ImageInput(height=4, width=4, channels=1, resize=ImageInput.STRETCH, filter=ImageInput.BILINEAR)
FRONT = Pixels([0.0], [1.0])


class OneSize(nn.Module):
    """Logits [0, z] with z a weighted sum over the 16 pixels of a picture of 4x4; other sizes fail."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Linear(16, 1)
        nn.init.normal_(self.weight.weight, std=2, generator=torch.Generator().manual_seed(0))

    def forward(self, image_NCHW: Tensor) -> Tensor:
        """Gives logits_NK."""
        logit_N1: Tensor = self.weight(image_NCHW.flatten(1))
        return torch.cat([torch.zeros_like(logit_N1), logit_N1], dim=1)


class AnySize(nn.Module):
    """Logits [0, z] with z the mean over all places of a filter's answer."""

    def __init__(self) -> None:
        super().__init__()
        self.filter = nn.Conv2d(1, 1, 3, padding=1)
        nn.init.normal_(self.filter.weight, std=2, generator=torch.Generator().manual_seed(0))

    def forward(self, image_NCHW: Tensor) -> Tensor:
        """Gives logits_NK."""
        logit_N1 = self.filter(image_NCHW).relu().mean((2, 3))
        return torch.cat([torch.zeros_like(logit_N1), logit_N1], dim=1)


def picture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Gives random noise u8[H,W,1]."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 1), dtype=np.uint8)


def answer(net: nn.Module, image_HWC: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Gives the net's probabilities f32[K] for one picture."""
    with torch.inference_mode():
        return torch.softmax(net(torch.tensor(image_HWC[None].copy()).permute(0, 3, 1, 2) / 255), dim=1)[0].numpy()


def average(
    net: nn.Module,
    images_HWC: list[NDArray[np.uint8]],
    kind: TestTime,
    spec: ImageInput = SMALL,
    mirrored: bool = False,
) -> NDArray[np.float32]:
    """Gives the average answer f32[N,K] to pictures of one size."""
    pictures = Pictures(np.stack(images_HWC), np.zeros(len(images_HWC), np.int64))
    views = Views(kind=kind, spec=spec, mirrored=mirrored, takes=testtime.accepts(FRONT, net, 1))
    return testtime.probabilities(FRONT, net, pictures, views)


def test_none_is_what_the_graph_says() -> None:
    """Without views each picture is answered as it is served."""
    net, image_HWC = OneSize(), picture(4, 4)
    np.testing.assert_allclose(average(net, [image_HWC], "none")[0], answer(net, image_HWC), rtol=1e-6)


def test_flip_averages_with_the_mirror_image() -> None:
    """The answer is the mean of that to the picture and that to its mirror image."""
    net, image_HWC = OneSize(), picture(4, 4)
    expected = (answer(net, image_HWC) + answer(net, image_HWC[:, ::-1])) / 2
    np.testing.assert_allclose(average(net, [image_HWC], "flip")[0], expected, rtol=1e-6)


def test_ten_crops_by_hand() -> None:
    """A picture of 5x5 for a net of 4x4 has corners at 0 and 1 and its centre at 0; with mirror images that is ten."""
    net, images_HWC = OneSize(), [picture(5, 5, seed) for seed in range(3)]
    found = average(net, images_HWC, "ten_crop")
    for image_HWC, probability_K in zip(images_HWC, found, strict=True):
        crops = [image_HWC[top : top + 4, left : left + 4] for top, left in ((0, 0), (0, 1), (1, 0), (1, 1), (0, 0))]
        answers = [answer(net, crop) for crop in crops] + [answer(net, crop[:, ::-1]) for crop in crops]
        np.testing.assert_allclose(probability_K, np.mean(answers, axis=0), rtol=1e-6)


def test_ten_crops_are_of_what_the_centre_is_cut_from() -> None:
    """Where the rule scales the shorter side to 6 and cuts 4 out, the crops are of the middle 6x6."""
    spec = ImageInput(
        height=4, width=4, channels=1, resize=ImageInput.CENTER_CROP, filter=ImageInput.BILINEAR, shorter_side=6
    )
    net, image_HWC = OneSize(), picture(6, 10)
    middle_HWC = image_HWC[:, 2:8]
    crops = [middle_HWC[top : top + 4, left : left + 4] for top, left in ((0, 0), (0, 2), (2, 0), (2, 2), (1, 1))]
    answers = [answer(net, crop) for crop in crops] + [answer(net, crop[:, ::-1]) for crop in crops]
    np.testing.assert_allclose(average(net, [image_HWC], "ten_crop", spec)[0], np.mean(answers, axis=0), rtol=1e-6)


def scaled(image_HWC: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Gives a grey picture at another size, by Pillow."""
    resized = Image.fromarray(image_HWC[..., 0]).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(resized)[..., np.newaxis]


@pytest.mark.parametrize("mirrored", [False, True])
def test_several_scales_by_hand(mirrored: bool) -> None:
    """A net that takes any size sees the whole picture at 224, 256, 384, 480 and 640 of 224ths, each counting alike."""
    net, image_HWC = AnySize(), picture(14, 14)
    spec = ImageInput(height=14, width=14, channels=1, resize=ImageInput.STRETCH, filter=ImageInput.BILINEAR)
    whole = [scaled(image_HWC, side, side) for side in (14, 16, 24, 30, 40)]
    answers = [answer(net, seen) for seen in whole]
    if mirrored:
        answers += [answer(net, seen[:, ::-1]) for seen in whole]
    found = average(net, [image_HWC], "multi_scale", spec, mirrored)
    np.testing.assert_allclose(found[0], np.mean(answers, axis=0), rtol=1e-6)


def test_several_scales_keep_the_sides_ratio() -> None:
    """Where the rule cuts out the centre, several scales see all of the picture, its shorter side scaled."""
    net, image_HWC = AnySize(), picture(7, 14)
    spec = ImageInput(
        height=14, width=14, channels=1, resize=ImageInput.CENTER_CROP, filter=ImageInput.BILINEAR, shorter_side=16
    )
    answers = [answer(net, scaled(image_HWC, side, 2 * side)) for side in (14, 16, 24, 30, 40)]
    np.testing.assert_allclose(average(net, [image_HWC], "multi_scale", spec)[0], np.mean(answers, axis=0), rtol=1e-6)


def test_a_net_of_one_size_sees_overlapping_parts() -> None:
    """A net that takes 4x4 alone sees parts of the larger scales, at most 2 pixels apart; scales still count alike."""
    net, image_HWC = OneSize(), picture(4, 4)
    expected = np.zeros(2)
    for side, places in ((4, (0,)), (5, (0, 1)), (7, (0, 2, 3)), (9, (0, 2, 3, 5)), (11, (0, 2, 4, 5, 7))):
        whole_HWC = scaled(image_HWC, side, side)
        parts = [answer(net, whole_HWC[top : top + 4, left : left + 4]) for top in places for left in places]
        expected += np.mean(parts, axis=0) / 5
    np.testing.assert_allclose(average(net, [image_HWC], "multi_scale")[0], expected, rtol=1e-6)


def test_pictures_of_many_sizes_are_each_answered(tmp_path: Path) -> None:
    """Files of several sizes, more than are held at once, get the answers that each gets alone, in their order."""
    net, count = AnySize(), 70
    paths = tuple(tmp_path / f"{number}.png" for number in range(count))
    for number, path in enumerate(paths):
        Image.fromarray(picture(4 + number % 3, 5 + number % 2, seed=number)[..., 0]).save(path)
    spec = ImageInput(
        height=4, width=4, channels=1, resize=ImageInput.CENTER_CROP, filter=ImageInput.BILINEAR, shorter_side=5
    )
    views = Views(kind="multi_scale", spec=spec, mirrored=True, takes=lambda *_: True)
    labels_N = np.zeros(count, np.int64)
    found = testtime.probabilities(FRONT, net, PictureFiles(paths, labels_N), views)
    for number in (0, 1, 35, 69):
        alone = testtime.probabilities(FRONT, net, PictureFiles(paths[number : number + 1], labels_N[:1]), views)
        np.testing.assert_allclose(found[number], alone[0], rtol=1e-5)
    np.testing.assert_allclose(found.sum(1), np.ones(count), rtol=1e-5)


def test_tells_which_sizes_a_net_takes() -> None:
    """A net is asked about a size once; a failure means that it does not take it."""
    one, any_size = testtime.accepts(FRONT, OneSize(), 1), testtime.accepts(FRONT, AnySize(), 1)
    assert [one(4, 4), one(5, 4), one(5, 4)] == [True, False, False]
    assert [any_size(4, 4), any_size(50, 40)] == [True, True]


@pytest.mark.parametrize("kind", ["flip", "ten_crop", "multi_scale"])
def test_training_records_a_second_score(kind: TestTime, idx_dir: Path, tmp_path: Path) -> None:
    """A recipe that asks for it has its second score beside the served graph's, which stays first."""
    options = ("--set", f"test_time={kind}", "--epochs", 1, "--accelerator", "cpu")
    result = hondo("train", "lenet5", "--data", idx_dir, "--out", tmp_path / "run", *options)
    assert result.exit_code == 0, result.output
    first, second = run.load(tmp_path / "run").scores
    assert (first.metric, second.metric) == ("error", testtime.SCORES[kind])
    assert second.samples == first.samples
    assert f"test {second.metric}" in result.output


def test_only_pictures_have_views(tmp_path: Path) -> None:
    """A recipe for texts cannot ask for views."""
    result = hondo("train", "textcnn-trec", "--set", "test_time=flip", "--out", tmp_path, "--settings")
    assert result.exit_code == 1
    assert "test_time is for pictures" in result.output
