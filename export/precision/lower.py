"""From a proved graph in 32-bit floats to one of smaller numbers: made, scored, timed, or refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, assert_never

import onnx
from numpy.typing import NDArray

from export.gate import Standard
from export.precision import half, int8, score, speed
from export.precision.choice import Lowering, Name
from protos.manifest_pb2 import Precision
from serving.runtime.session import Session

# Largest allowed difference of two probabilities: 16 bits carry eleven digits of the binary point, and a net adds up
# the roundings of its layers.
_TOLERANCE: Final = {Name.FP16_WEIGHTS: 5e-3, Name.FP16: 3e-2}


def write(path: Path, target: Path, lowering: Lowering) -> None:
    """Writes the graph in `path`, which is in 32-bit floats, to `target` in the precision that is asked for.

    Raises:
        InvalidRequest: it cannot be had in that precision.
    """
    lowered = _lowered(onnx.load(path), lowering)
    onnx.save(lowered, target)
    onnx.checker.check_model(target, full_check=True)


def _lowered(model: onnx.ModelProto, lowering: Lowering) -> onnx.ModelProto:
    match lowering.name:
        case Name.FP16_WEIGHTS:
            return half.store(model)
        case Name.FP16:
            return half.compute(model)
        case Name.INT8:
            return int8.quantise(model, lowering.calibration)
        case Name.FP32:
            return model
        case _:
            assert_never(lowering.name)


def standard(lowering: Lowering, author: str) -> Standard | None:
    """Gives how near each answer must be to the reference's; None in 8 bits, where only the exam tells."""
    if lowering.name not in _TOLERANCE:
        return None
    return Standard(author, _TOLERANCE[lowering.name], same_best=False)


def measure(full: Session, lowered: Session, lowering: Lowering, say: Callable[[str], None]) -> Precision:
    """Scores and times a lowered graph beside the one in 32-bit floats.

    Raises:
        AccuracyError: it answers more of the exam wrongly than is allowed.
    """
    before, after = score.compare(full, lowered, lowering)
    say(
        f"{'score':8} {after.metric}: {after.value:.2f} % of {after.samples:,} ({after.data}), "
        f"fp32 {before.value:.2f} %; at most {lowering.max_drop_points:g} points more are allowed"
    )
    samples: NDArray[Any] = lowering.exam.inputs
    ratio, batch = speed.compare(full, lowered, samples)
    machine = speed.machine()
    say(f"{'speed':8} {ratio:.2f} times fp32's at batch {batch} on {machine}")
    return Precision(name=lowering.name, full=before, lowered=after, speed_ratio=ratio, batch=batch, machine=machine)
