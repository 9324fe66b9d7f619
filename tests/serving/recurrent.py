"""A recurrent graph of one's own: its answer tells all that it has seen, so that no mix-up stays hidden."""

from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from serving.runtime.states import KEY
from tests.serving import graphs


def remember(path: Path) -> Path:
    """Writes y i64[n,1] = h i64[n,1] = 10 h + x i64[n,1], with h as the state; x from 1 to 9 gives the digits seen."""
    nodes = [
        helper.make_node("Mul", ["h", "ten"], ["tens"]),
        helper.make_node("Add", ["tens", "x"], ["next_h"]),
        helper.make_node("Identity", ["next_h"], ["y"]),
    ]
    inputs = [graphs.tensor("x", "INT64", ["n", 1]), graphs.tensor("h", "INT64", ["n", 1])]
    outputs = [graphs.tensor("y", "INT64", ["n", 1]), graphs.tensor("next_h", "INT64", ["n", 1])]
    graphs.save(path, nodes, inputs, outputs, ten=np.array(10, np.int64))
    model = onnx.load(path)
    helper.set_model_props(model, {KEY: '{"h": "next_h"}'})
    onnx.save(model, path)
    return path
