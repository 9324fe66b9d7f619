"""scikit-learn's digits: 1,797 handwritten digits of 8x8 pixels, which the package itself ships.

Legend: N pictures, H height, W width.
"""

from pathlib import Path
from typing import Final

import numpy as np
import sklearn.datasets

from hondo import artifact
from protos.manifest_pb2 import DataSource
from training.data.dataset import DataSet, Pictures

NAME: Final = "digits"
# One picture in so many is kept for the test.
_TEST_EVERY: Final = 5
_BRIGHTEST: Final = 16


def read() -> DataSet[Pictures]:
    """Reads the digits as u8[N,8,8,1].

    The authors give no split of these; every fifth picture is for the test, so that most writers are in both parts.
    """
    bunch = sklearn.datasets.load_digits()
    images_NHW = np.rint(bunch.images * (255 / _BRIGHTEST)).astype(np.uint8)
    pictures = Pictures(images_NHW[..., np.newaxis], bunch.target.astype(np.int64))
    place_N = np.arange(len(pictures))
    is_test_N = place_N % _TEST_EVERY == _TEST_EVERY - 1
    return DataSet(
        source=_source(),
        labels=tuple(str(name) for name in bunch.target_names),
        train=pictures.take(place_N[~is_test_N]),
        test=pictures.take(place_N[is_test_N]),
        whole=pictures,
    )


def _source() -> DataSource:
    file = Path(sklearn.datasets.__file__).parent / "data" / "digits.csv.gz"
    return DataSource(
        name=NAME,
        origin="Optical Recognition of Handwritten Digits, E. Alpaydin, C. Kaynak, UCI, as shipped by scikit-learn",
        terms="CC BY 4.0",
        sha256={file.name: artifact.sha256(file)},
    )
