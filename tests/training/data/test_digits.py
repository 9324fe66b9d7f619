"""Legend: N pictures, H height, W width, C channels."""

import numpy as np

from training.data import digits


def test_has_all_digits_of_the_package() -> None:
    """The 1,797 pictures are parted into 1,438 and 359, each digit in both."""
    data = digits.read()
    assert (len(data.train), len(data.test)) == (1438, 359)
    assert data.train.images_NHWC.shape[1:] == (8, 8, 1)
    assert data.labels == tuple("0123456789")
    assert set(data.train.labels_N.tolist()) == set(data.test.labels_N.tolist()) == set(range(10))


def test_uses_all_of_a_byte() -> None:
    """Greys of 0 to 16 become 0 to 255."""
    values = np.unique(digits.read().train.images_NHWC)
    np.testing.assert_array_equal(values, np.rint(np.arange(17) * 255 / 16).astype(np.uint8))


def test_names_its_file() -> None:
    """The source names the file of the package and its hash."""
    source = digits.read().source
    assert list(source.sha256) == ["digits.csv.gz"]
    assert len(source.sha256["digits.csv.gz"]) == 64
