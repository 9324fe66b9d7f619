"""What the net that sees has seen: computed once for each picture, and kept on disk for the next training.

Legend: N pictures, V views of each, P places, C channels, H height, W width.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm  # type: ignore[import-untyped]  # has no stubs of its own

from hondo import images
from hondo.errors import InvalidImage, MissingData
from protos.manifest_pb2 import ImageInput
from training.captions.sight import Sight
from training.captions.views import Views
from training.data.captioned import PictureFile
from training.pixels import Pixels

_BATCH: Final = 16


def folder() -> Path:
    """Gives where features are kept: below $XDG_CACHE_HOME, or ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hondo" / "features"


def features(
    files: Sequence[PictureFile], spec: ImageInput, front: Pixels, sight: Sight, views: Views
) -> NDArray[np.float16]:
    """Gives narrow_NVPC f16 of pictures, mapped from disk.

    Args:
        files: the pictures.
        spec: how they become arrays.
        front: makes the net's input of these.
        sight: the net, its weights loaded.
        views: which there are of each.

    Raises:
        MissingData: a picture cannot be read; the text names the first.
    """
    path = folder() / f"{_key(files, spec, front, sight, views)}.npy"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.part")
        try:
            _write(partial, len(files), _seen(files, spec, front, sight, views))
            partial.rename(path)
        finally:
            partial.unlink(missing_ok=True)
    found: NDArray[np.float16] = np.load(path, mmap_mode="r", allow_pickle=False)
    return found


def _key(files: Sequence[PictureFile], spec: ImageInput, front: Pixels, sight: Sight, views: Views) -> str:
    """Gives what changes when the features would."""
    told = hashlib.sha256()
    for file in files:
        told.update(f"{file.place.resolve()}/{file.name}\n".encode())
    for place in sorted({file.place for file in files}):
        told.update(f"{place.stat().st_size} {place.stat().st_mtime_ns}\n".encode())
    told.update(spec.SerializeToString(deterministic=True) + repr(views).encode())
    for module in (front, sight):
        for name, each in module.state_dict().items():
            told.update(name.encode() + each.numpy().tobytes())
    return told.hexdigest()[:32]


def _write(path: Path, count: int, seen: Iterable[NDArray[np.float16]]) -> None:
    """Writes narrow_NVPC of so many pictures, batch by batch."""
    narrow_NVPC = None
    first = 0
    # Where no terminal shows it, there is no bar.
    with tqdm(total=count, desc="looking at pictures", unit="", leave=False, disable=None) as bar:
        for batch_NVPC in seen:
            if narrow_NVPC is None:
                narrow_NVPC = np.lib.format.open_memmap(path, "w+", np.float16, (count, *batch_NVPC.shape[1:]))
            narrow_NVPC[first : first + len(batch_NVPC)] = batch_NVPC
            first += len(batch_NVPC)
            bar.update(len(batch_NVPC))
    assert narrow_NVPC is not None, "there are pictures"
    narrow_NVPC.flush()


@torch.inference_mode()
def _seen(
    files: Sequence[PictureFile], spec: ImageInput, front: Pixels, sight: Sight, views: Views
) -> Iterator[NDArray[np.float16]]:
    """Gives narrow_NVPC of one batch after another."""
    with ThreadPoolExecutor() as pool:
        for first in range(0, len(files), _BATCH):
            batch = files[first : first + _BATCH]
            images_NHWC = torch.from_numpy(np.stack(list(pool.map(lambda file: read(file, spec), batch))))
            scaled = views.of(front.scale(images_NHWC), first)
            yield torch.stack([sight.look(front.normalise(each_NCHW)) for each_NCHW in scaled], 1).half().numpy()


def read(file: PictureFile, spec: ImageInput) -> NDArray[np.uint8]:
    """Gives image_HWC of a picture.

    Raises:
        MissingData: it cannot be read.
    """
    try:
        return images.read(file.read(), spec)
    except InvalidImage as error:
        raise MissingData(f"{file.place / file.name} cannot be read: {error}") from error
