"""A complete edge detector without torch: how much brighter a pixel's right neighbour is than its left one.

Legend: N pictures, H height, W width, C channels, S side outputs.
"""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from hondo.artifact import GOLDEN, describe
from protos.manifest_pb2 import EdgeDetection, Graph, Manifest
from tests.serving import graphs
from tests.serving.artifacts import write_golden, write_manifest

# Of the side output that looks at blocks of pixels.
STEP_PX: Final = 4
REACH_PX: Final = STEP_PX

Map = NDArray[np.float32]


def edges(image_NHWC: NDArray[np.uint8]) -> Map:
    """Gives edges_NHW, computed with numpy alone; the picture's border is as bright as the pixel inside it."""
    grey_NHW = image_NHWC.astype(np.float32).mean(axis=3) / 255
    wide_NHW = np.pad(grey_NHW, ((0, 0), (0, 0), (1, 1)), "edge")
    found_NHW: Map = np.abs(wide_NHW[:, :, 2:] - wide_NHW[:, :, :-2])
    return found_NHW


def side_edges(image_NHWC: NDArray[np.uint8]) -> Map:
    """Gives side_edges_NSHW: the edges themselves, and of each block of pixels the strongest."""
    edges_NHW = edges(image_NHWC)
    count, height, width = edges_NHW.shape
    rest = ((0, 0), (0, -height % STEP_PX), (0, -width % STEP_PX))
    whole_NHW = np.pad(edges_NHW, rest)
    block_NHW = whole_NHW.reshape(count, whole_NHW.shape[1] // STEP_PX, STEP_PX, -1, STEP_PX).max(axis=(2, 4))
    coarse_NHW = block_NHW.repeat(STEP_PX, axis=1).repeat(STEP_PX, axis=2)[:, :height, :width]
    return np.stack([edges_NHW, coarse_NHW], axis=1)


def write_graph(path: Path, channels: int, *, sides: bool) -> Path:
    """Writes the same as a graph."""
    node = helper.make_node
    nodes = [
        node("Cast", ["image"], ["numbers"], to=1),
        node("ReduceMean", ["numbers", "last"], ["grey"], keepdims=0),
        node("Div", ["grey", "white"], ["light"]),
        node("Pad", ["light", "border"], ["wide"], mode="edge"),
        node("Slice", ["wide", "two", "end", "two"], ["right"]),
        node("Slice", ["wide", "zero", "minus_two", "two"], ["left"]),
        node("Sub", ["right", "left"], ["difference"]),
        node("Abs", ["difference"], ["edges"]),
    ]
    outputs = [graphs.tensor("edges", "FP32", ["n", "h", "w"])]
    if sides:
        nodes += [
            node("Unsqueeze", ["edges", "one"], ["fine"]),
            node("MaxPool", ["fine"], ["blocks"], kernel_shape=[STEP_PX] * 2, strides=[STEP_PX] * 2, ceil_mode=1),
            node(
                "Resize",
                ["blocks", "", "scales"],
                ["large"],
                mode="nearest",
                nearest_mode="floor",
                coordinate_transformation_mode="asymmetric",
            ),
            node("Shape", ["edges"], ["sides"], start=1),
            node("Slice", ["large", "corner", "sides", "plane"], ["coarse"]),
            node("Concat", ["fine", "coarse"], ["side_edges"], axis=1),
        ]
        outputs.append(graphs.tensor("side_edges", "FP32", ["n", 2, "h", "w"]))
    return graphs.save(
        path,
        nodes,
        [graphs.tensor("image", "UINT8", ["n", "h", "w", channels])],
        outputs,
        last=np.array([3], np.int64),
        white=np.array(255, np.float32),
        border=np.array([0, 0, 1, 0, 0, 1], np.int64),
        zero=np.array([0], np.int64),
        one=np.array([1], np.int64),
        two=np.array([2], np.int64),
        minus_two=np.array([-2], np.int64),
        end=np.array([2**31 - 1], np.int64),
        scales=np.array([1, 1, STEP_PX, STEP_PX], np.float32),
        corner=np.array([0, 0], np.int64),
        plane=np.array([2, 3], np.int64),
    )


def picture(height: int, width: int, channels: int = 3, seed: int = 0) -> NDArray[np.uint8]:
    """Gives a picture full of edges, u8[H,W,C]."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def write_detector(
    models: Path, name: str = "edgy", *, channels: int = 3, sides: bool = True, reach_px: int = REACH_PX
) -> Path:
    """Writes the artifact below the folder `models`; gives its folder.

    Args:
        models: the folder of all models.
        name: the model's name.
        channels: of the pictures that the graph takes.
        sides: whether it has side outputs.
        reach_px: what the manifest says of it.
    """
    folder = models / name / "1"
    graph = write_graph(folder / "model.onnx", channels, sides=sides)
    image_NHWC = np.stack([picture(20, 24, channels, seed) for seed in range(2)])
    golden: dict[str, NDArray[np.generic]] = {"model/in/image": image_NHWC, "model/out/edges": edges(image_NHWC)}
    if sides:
        golden["model/out/side_edges"] = side_edges(image_NHWC)
    write_golden(folder, golden)
    manifest = Manifest(
        name=name,
        version=1,
        summary="Says where brightness changes from left to right.",
        graphs=[Graph(role="model", file=describe(graph))],
        golden=describe(folder / GOLDEN),
        edge_detection=EdgeDetection(channels=channels, reach_px=reach_px, step_px=STEP_PX if reach_px else 0),
    )
    write_manifest(folder, manifest)
    return folder
