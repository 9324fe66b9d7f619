from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from export.imports import samples
from hondo.errors import MissingData
from protos.manifest_pb2 import ImageInput

SPEC = ImageInput(height=20, width=24, channels=3, resize=ImageInput.STRETCH, filter=ImageInput.BILINEAR)


def test_crops_are_many_different_pictures_and_the_same_each_time() -> None:
    """Without a folder there are as many pictures as are wanted, no two alike, and the same ones at every import."""
    first, again = samples.take(SPEC, None, 60), samples.take(SPEC, None, 60)
    assert first.images_NHWC.shape == (60, 20, 24, 3)
    np.testing.assert_array_equal(first.images_NHWC, again.images_NHWC)
    assert len({picture.tobytes() for picture in first.images_NHWC}) == 60
    assert first.are == "crops of scikit-learn's two sample pictures"


def test_pictures_of_a_folder_come_before_crops_of_them(tmp_path: Path) -> None:
    """Each file below the folder is seen once as it is; what is wanted beyond that are crops."""
    random = np.random.default_rng(0)
    for number in range(3):
        (tmp_path / f"part{number}").mkdir()
        pixels = random.integers(0, 256, (20, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"part{number}" / "picture.PNG")
    taken = samples.take(SPEC, tmp_path, 7)
    assert taken.images_NHWC.shape == (7, 20, 24, 3)
    files = {np.asarray(Image.open(path)).tobytes() for path in tmp_path.rglob("*.PNG")}
    assert {picture.tobytes() for picture in taken.images_NHWC[:3]} == files
    assert files.isdisjoint(picture.tobytes() for picture in taken.images_NHWC[3:])
    assert taken.are.endswith(" and crops of them")
    assert not samples.take(SPEC, tmp_path, 2).are.endswith(" and crops of them")


def test_a_folder_without_a_picture_is_refused(tmp_path: Path) -> None:
    """The text says what was looked for."""
    (tmp_path / "notes.txt").touch()
    with pytest.raises(MissingData, match="holds no picture: expected files such as"):
        samples.take(SPEC, tmp_path, 2)


def test_a_broken_picture_is_named(tmp_path: Path) -> None:
    """A file that is no picture in spite of its name stops the import, which would else be proved on fewer."""
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(MissingData, match=r"broken\.png: the image is in none of the formats"):
        samples.take(SPEC, tmp_path, 2)
