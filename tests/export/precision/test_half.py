from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper
import pytest
from onnx import TensorProto

from export.candidate import Candidate
from export.precision import half
from hondo.errors import InvalidRequest
from serving.runtime.session import Session
from tests.export.precision.conftest import answers


def types(model: onnx.ModelProto) -> dict[str, int]:
    return {weights.name: weights.data_type for weights in model.graph.initializer if weights.dims}


def test_large_weights_are_kept_in_16_bits(full_path: Path, full: Session, made: Candidate, tmp_path: Path) -> None:
    """The file is smaller by half of the large weights, and its answers are those of weights rounded to 16 bits."""
    exact = onnx.load(full_path)
    stored = half.store(exact)
    halved = {name for name, kind in types(stored).items() if kind == TensorProto.FLOAT16}
    assert len(halved) == 1, "the first linear layer alone is large"
    onnx.save(stored, tmp_path / "half.onnx")
    saved = full_path.stat().st_size - (tmp_path / "half.onnx").stat().st_size
    assert saved == pytest.approx(256 * 128 * 2, abs=500)
    rounded = onnx.load(full_path)
    for weights in rounded.graph.initializer:
        if f"{weights.name}/fp16" in halved:
            half_precision = onnx.numpy_helper.to_array(weights).astype(np.float16).astype(np.float32)
            weights.CopyFrom(onnx.numpy_helper.from_array(half_precision, weights.name))
    onnx.save(rounded, tmp_path / "rounded.onnx")
    found, expected = (
        answers(Session.open(tmp_path / name), made.samples[:20]) for name in ("half.onnx", "rounded.onnx")
    )
    np.testing.assert_array_equal(found, expected)
    assert not np.array_equal(found, answers(full, made.samples[:20]))


def test_arithmetic_in_16_bits_runs_on_the_cpu(full_path: Path, full: Session, made: Candidate, tmp_path: Path) -> None:
    """No 32-bit weight is left, the tensors that it takes and gives are the same, and so are the answers, nearly."""
    lowered = half.compute(onnx.load(full_path))
    assert TensorProto.FLOAT not in types(lowered).values()
    onnx.save(lowered, tmp_path / "fp16.onnx")
    onnx.checker.check_model(tmp_path / "fp16.onnx", full_check=True)
    session = Session.open(tmp_path / "fp16.onnx")
    assert (session.inputs, session.outputs) == (full.inputs, full.outputs)
    np.testing.assert_allclose(answers(session, made.samples), answers(full, made.samples), atol=2e-2)


@pytest.mark.parametrize("lower", [half.store, half.compute])
@pytest.mark.parametrize("value", [7e4, np.inf, np.nan])
def test_weights_beyond_16_bits_are_refused(lower: object, value: float, full_path: Path) -> None:
    """A weight that 16 bits cannot hold would become infinite: the text names it."""
    assert callable(lower)
    model = onnx.load(full_path)
    weights = max(model.graph.initializer, key=lambda each: np.prod(each.dims))
    array = onnx.numpy_helper.to_array(weights).copy()
    array.flat[0] = value
    weights.CopyFrom(onnx.numpy_helper.from_array(array, weights.name))
    with pytest.raises(InvalidRequest, match=rf"weight '{weights.name}' has a value of .*: keep fp32"):
        lower(model)
