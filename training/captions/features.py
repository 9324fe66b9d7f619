"""What the net that sees has seen: computed once for each picture, and kept on disk for the next training.

Legend: N pictures, V views of each, P places, C channels, H height, W width.
"""

import hashlib
import os
from collections.abc import Sequence
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
from training.data.captioned import PictureFile
from training.pixels import Pixels

_BATCH: Final = 16


def folder() -> Path:
    """Gives where features are kept: below $XDG_CACHE_HOME, or ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hondo" / "features"


def features(
    files: Sequence[PictureFile], spec: ImageInput, front: Pixels, sight: Sight, *, flip: bool
) -> NDArray[np.float16]:
    """Gives narrow_NVPC f16 of pictures, mapped from disk: as they are, and mirrored where `flip` asks for it.

    Args:
        files: the pictures.
        spec: how they become arrays.
        front: makes the net's input of these.
        sight: the net, its weights loaded.
        flip: whether V is 2.

    Raises:
        MissingData: a picture cannot be read; the text names the first.
    """
    path = folder() / f"{_key(files, spec, front, sight, flip)}.npy"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.part")
        try:
            _compute(partial, files, spec, front, sight, views=2 if flip else 1)
            partial.rename(path)
        finally:
            partial.unlink(missing_ok=True)
    found: NDArray[np.float16] = np.load(path, mmap_mode="r", allow_pickle=False)
    return found


def _key(files: Sequence[PictureFile], spec: ImageInput, front: Pixels, sight: Sight, flip: bool) -> str:
    """Gives what changes when the features would."""
    told = hashlib.sha256()
    for file in files:
        told.update(f"{file.place.resolve()}/{file.name}\n".encode())
    for place in sorted({file.place for file in files}):
        told.update(f"{place.stat().st_size} {place.stat().st_mtime_ns}\n".encode())
    told.update(spec.SerializeToString(deterministic=True) + bytes([flip]))
    for module in (front, sight):
        for name, each in module.state_dict().items():
            told.update(name.encode() + each.numpy().tobytes())
    return told.hexdigest()[:32]


@torch.inference_mode()
def _compute(
    path: Path, files: Sequence[PictureFile], spec: ImageInput, front: Pixels, sight: Sight, *, views: int
) -> None:
    narrow_NVPC = None
    # Where no terminal shows it, there is no bar.
    bar = tqdm(total=len(files), desc="looking at pictures", unit="", leave=False, disable=None)
    with ThreadPoolExecutor() as pool, bar:
        for first in range(0, len(files), _BATCH):
            batch = files[first : first + _BATCH]
            images_NHWC = torch.from_numpy(np.stack(list(pool.map(lambda file: read(file, spec), batch))))
            seen = [sight.look(front(view)) for view in (images_NHWC, torch.flip(images_NHWC, [2]))[:views]]
            seen_NVPC = torch.stack(seen, 1).half().numpy()
            if narrow_NVPC is None:
                shape = (len(files), *seen_NVPC.shape[1:])
                narrow_NVPC = np.lib.format.open_memmap(path, "w+", np.float16, shape)
            narrow_NVPC[first : first + len(batch)] = seen_NVPC
            bar.update(len(batch))
    assert narrow_NVPC is not None, "there are pictures"
    narrow_NVPC.flush()


def read(file: PictureFile, spec: ImageInput) -> NDArray[np.uint8]:
    """Gives image_HWC of a picture.

    Raises:
        MissingData: it cannot be read.
    """
    try:
        return images.read(file.read(), spec)
    except InvalidImage as error:
        raise MissingData(f"{file.place / file.name} cannot be read: {error}") from error
