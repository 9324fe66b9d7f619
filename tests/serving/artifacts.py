"""A complete artifact without torch: a classifier that says on which side a picture is bright.

Legend: N pictures, H height, W width, C channels, K classes.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hondo.artifact import GOLDEN, MANIFEST, describe, to_json
from protos.manifest_pb2 import Classification, Graph, ImageInput, Manifest, Score
from tests.serving import graphs

SIDE: Final = 8  # pixels
LABELS: Final = ("top", "bottom", "left", "right")


def weights() -> NDArray[np.float32]:
    """Gives f32[H*W,K]: each class adds up the light in its half of the picture."""
    halves_HWK = np.zeros((SIDE, SIDE, len(LABELS)), np.float32)
    half = SIDE // 2
    halves_HWK[:half, :, 0] = halves_HWK[half:, :, 1] = halves_HWK[:, :half, 2] = halves_HWK[:, half:, 3] = 1
    return halves_HWK.reshape(SIDE * SIDE, len(LABELS)) / np.float32(255 * SIDE)


def probabilities(image_NHWC: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Gives what the classifier answers, f32[N,K], computed with numpy alone."""
    logits_NK = image_NHWC.reshape(len(image_NHWC), -1).astype(np.float32) @ weights()
    powers_NK = np.exp(logits_NK - logits_NK.max(axis=1, keepdims=True))
    answer: NDArray[np.float32] = powers_NK / powers_NK.sum(axis=1, keepdims=True)
    return answer


def bright(label: str) -> NDArray[np.uint8]:
    """Gives u8[H,W] that is white on the side of that label, black elsewhere."""
    on_K = weights()[:, LABELS.index(label)].reshape(SIDE, SIDE) > 0
    return np.where(on_K, np.uint8(255), np.uint8(0))


def samples() -> NDArray[np.uint8]:
    """Gives u8[N,H,W,C], one picture for each label."""
    return np.stack([bright(label) for label in LABELS])[..., np.newaxis]


def image_input() -> ImageInput:
    """Gives how the classifier wants its pictures."""
    return ImageInput(height=SIDE, width=SIDE, channels=1, resize=ImageInput.STRETCH, filter=ImageInput.BILINEAR)


def write_classifier(
    models: Path, name: str = "side", version: int = 1, *, only_batch: int | None = None, turn: int = 0
) -> Path:
    """Writes the artifact below the folder `models`; gives its folder.

    Args:
        models: the folder of all models.
        name: the model's name.
        version: its version.
        only_batch: the one batch at which the graph does not fail, whatever its signature says; any unless given.
        turn: by how many places the classes are moved, so that an answer tells which version it is from.
    """
    folder = models / name / str(version)
    graph = graphs.linear_classifier(folder / "model.onnx", np.roll(weights(), turn, axis=1), SIDE, only_batch)
    right = np.roll(probabilities(samples()), turn, axis=1)
    write_golden(folder, {"model/in/image": samples(), "model/out/probabilities": right})
    manifest = Manifest(
        name=name,
        version=version,
        summary="Says on which side a picture is bright.",
        graphs=[Graph(role="model", file=describe(graph))],
        golden=describe(folder / GOLDEN),
        classification=Classification(image=image_input(), labels=np.roll(LABELS, turn).tolist()),
        scores=[Score(metric="error", value=0.25, unit="%", data="four halves", samples=4)],
    )
    write_manifest(folder, manifest)
    return folder


def write_two_graphs(models: Path, name: str = "two") -> Path:
    """Writes an artifact of two graphs, `encode` and `step`, both y = x; gives its folder."""
    folder = models / name / "1"
    roles = ("encode", "step")
    x = np.array([1, 2, 3], np.float32)
    files = [graphs.same(folder / f"{role}.onnx", "FP32", ["n"]) for role in roles]
    write_golden(folder, {f"{role}/{tensor}": x for role in roles for tensor in ("in/x", "out/y")})
    manifest = Manifest(
        name=name,
        version=1,
        graphs=[Graph(role=role, file=describe(file)) for role, file in zip(roles, files, strict=True)],
        golden=describe(folder / GOLDEN),
    )
    write_manifest(folder, manifest)
    return folder


def write_golden(folder: Path, arrays: Mapping[str, NDArray[np.generic]]) -> None:
    """Writes or overwrites the golden samples of an artifact, by the names that the manifest's contract gives them."""
    np.savez(folder / GOLDEN, allow_pickle=False, **arrays)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes or overwrites the manifest of an artifact."""
    (folder / MANIFEST).write_text(to_json(manifest), "utf-8")
