"""Legend: N batch, C channels, H height, W width."""

import pytest
import scipy.fft
import torch

from training.spectral_dropout import SpectralDropout, dct, inverse_dct


def some_maps(n: int = 3, height_px: int = 6, width_px: int = 9) -> torch.Tensor:
    return torch.randn(n, 2, height_px, width_px, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("height_px", "width_px"), [(1, 1), (2, 5), (8, 8), (32, 31)])
def test_waves_are_scipys(height_px: int, width_px: int) -> None:
    """The transform is SciPy's orthonormal DCT-II over height and width."""
    maps_NCHW = some_maps(2, height_px, width_px)
    expected_NCHW = torch.from_numpy(scipy.fft.dctn(maps_NCHW.numpy(), axes=(2, 3), norm="ortho"))
    torch.testing.assert_close(dct(maps_NCHW), expected_NCHW, atol=1e-5, rtol=1e-5)


def test_waves_put_together_are_the_maps() -> None:
    """Taking apart and putting together loses nothing."""
    maps_NCHW = some_maps()
    torch.testing.assert_close(inverse_dct(dct(maps_NCHW)), maps_NCHW)


def test_leaves_out_weak_waves() -> None:
    """What is below the threshold is gone, what is not stays as it is, where nothing is dropped at random."""
    maps_NCHW = some_maps()
    before_NCHW = dct(maps_NCHW)
    after_NCHW = dct(SpectralDropout(threshold=0.8, dropout=0)(maps_NCHW))
    weak_NCHW = before_NCHW.abs() < 0.8
    assert 0 < weak_NCHW.sum() < weak_NCHW.numel()
    torch.testing.assert_close(after_NCHW, before_NCHW.masked_fill(weak_NCHW, 0))


def test_drops_strong_waves_at_random() -> None:
    """Of the strong waves the asked share goes; the others grow so that their mean over many tries is as it was."""
    torch.manual_seed(0)
    layer = SpectralDropout(threshold=0, dropout=0.25)
    maps_NCHW = some_maps(1).expand(4000, -1, -1, -1)
    before_NCHW, after_NCHW = dct(maps_NCHW), dct(layer(maps_NCHW))
    gone_NCHW = after_NCHW.abs() < 1e-4
    assert gone_NCHW.float().mean().item() == pytest.approx(0.25, abs=0.01)
    torch.testing.assert_close(after_NCHW[~gone_NCHW], before_NCHW[~gone_NCHW] / 0.75, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(after_NCHW.mean(0), before_NCHW[0], atol=0.1, rtol=0.05)


def test_every_example_loses_other_waves() -> None:
    """Two examples with the same maps differ after the layer."""
    torch.manual_seed(0)
    first, second = SpectralDropout(threshold=0.1, dropout=0.5)(some_maps(1).repeat(2, 1, 1, 1))
    assert not torch.equal(first, second)


def test_in_use_maps_pass_unchanged() -> None:
    """Outside training it does nothing."""
    maps_NCHW = some_maps()
    assert SpectralDropout(threshold=10, dropout=0.5).eval()(maps_NCHW) is maps_NCHW


def test_learns_through_it() -> None:
    """Gradients pass to the maps through the waves that stay, and through no other."""
    maps_NCHW = some_maps().requires_grad_()
    SpectralDropout(threshold=0.8, dropout=0)(maps_NCHW).square().sum().div(2).backward()
    assert maps_NCHW.grad is not None
    weak_NCHW = dct(maps_NCHW.detach()).abs() < 0.8
    assert dct(maps_NCHW.grad)[weak_NCHW].abs().max() < 1e-5
    assert dct(maps_NCHW.grad)[~weak_NCHW].abs().min() > 0.7


@pytest.mark.parametrize(("threshold", "dropout"), [(-0.1, 0.5), (0.1, -0.1), (0.1, 1.0)])
def test_refuses_shares_that_make_no_sense(threshold: float, dropout: float) -> None:
    """A threshold is no less than 0, and not all waves can be dropped."""
    with pytest.raises(ValueError, match="threshold must be"):
        SpectralDropout(threshold=threshold, dropout=dropout)
