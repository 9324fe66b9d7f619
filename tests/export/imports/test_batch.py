from pathlib import Path

import numpy as np
import onnx
import pytest

from export.imports import batch
from serving.runtime.session import Session
from tests.export.imports.conftest import HEIGHT, LABELS, WIDTH, thirds


@pytest.mark.parametrize("exported", [1, 4, "n"])
def test_a_batch_becomes_as_long_as_it_comes(exported: int | str, tmp_path: Path) -> None:
    """A file of a fixed batch, whose Reshape has it built in, takes any number of pictures and answers each alike."""
    model = thirds(batch=exported)
    batch.free(model)
    onnx.save(model, tmp_path / "free.onnx")
    onnx.checker.check_model(tmp_path / "free.onnx", full_check=True)
    session = Session.open(tmp_path / "free.onnx")
    assert session.inputs[0].shape == ("N", 3, HEIGHT, WIDTH)
    assert session.outputs[0].shape == ("N", len(LABELS))
    pixels = np.random.default_rng(0).random((5, 3, HEIGHT, WIDTH), dtype=np.float32)
    together = session.run({"pixels": pixels})["logits"]
    alone = np.concatenate([session.run({"pixels": pixels[n : n + 1]})["logits"] for n in range(5)])
    np.testing.assert_allclose(together.astype(np.float32), alone, rtol=1e-6)


def test_a_shape_that_is_no_batchs_stays() -> None:
    """Only a Reshape whose first side is the batch's is changed."""
    model = thirds(batch=4)
    shape = next(weights for weights in model.graph.initializer if weights.name == "flat")
    shape.CopyFrom(onnx.numpy_helper.from_array(np.array([2, -1]), "flat"))
    batch.free(model)
    shape = next(weights for weights in model.graph.initializer if weights.name == "flat")
    assert onnx.numpy_helper.to_array(shape).tolist() == [2, -1]
