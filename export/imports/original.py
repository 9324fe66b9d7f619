"""An ONNX file from elsewhere as it is: what it says of pictures, run by ONNX Runtime without any change.

Legend: N batch, K classes.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from export.imports.front import Front
from hondo.errors import InvalidArtifact, InvalidRequest
from serving.runtime.session import Session, Signature, in_words

_TYPES: Final = {"UINT8", "FP16", "FP32"}


@dataclass(frozen=True, slots=True, eq=False)
class Original:
    """The file, with pictures made for it in numpy and its output made probabilities in numpy."""

    session: Session
    front: Front
    output: Signature
    softmax: bool
    author = "the original file"

    def answer(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """Gives probabilities_NK f32 of image_NHWC u8."""
        numbers = self.front.apply(inputs)
        fixed = self.session.inputs[0].shape[0]
        size = fixed if isinstance(fixed, int) else len(numbers)
        parts = [self._run(numbers[start : start + size], size) for start in range(0, len(numbers), size)]
        output_NK = np.concatenate(parts)
        return _softmax(output_NK) if self.softmax else output_NK.astype(np.float32)

    def _run(self, numbers: NDArray[Any], size: int) -> NDArray[np.generic]:
        """Gives the output's rows of some pictures; a fixed batch is filled up with the first of them."""
        rows = len(numbers)
        filled = np.concatenate([numbers, np.repeat(numbers[:1], size - rows, axis=0)])
        try:
            output = self.session.run({self.session.inputs[0].name: filled}, [self.output.name])[self.output.name]
        except InvalidRequest as error:
            raise InvalidRequest(f"the file does not take pictures made so: {error}") from error
        except Exception as error:  # onnxruntime's exceptions share no base but Exception
            raise InvalidArtifact(f"the file fails on a real picture: {error}") from error
        return output[:rows].reshape(rows, -1)


def _softmax(logits_NK: NDArray[np.generic]) -> NDArray[np.float32]:
    exact_NK = logits_NK.astype(np.float64)
    powers_NK = np.exp(exact_NK - exact_NK.max(axis=1, keepdims=True))
    probabilities_NK: NDArray[np.float32] = (powers_NK / powers_NK.sum(axis=1, keepdims=True)).astype(np.float32)
    return probabilities_NK


def open_session(path: Path) -> Session:
    """Loads the file.

    Raises:
        InvalidRequest: ONNX Runtime does not load it, or it does not take one tensor of pictures.
    """
    try:
        session = Session.open(path)
    except InvalidArtifact as error:
        raise InvalidRequest(str(error)) from error
    fits = len(session.inputs) == 1 and len(session.inputs[0].shape) == 4
    if not fits or session.inputs[0].datatype.name not in _TYPES:
        raise InvalidRequest(
            f"{path} takes {in_words(session.inputs)}: one tensor of pictures was expected, with four axes, of "
            f"{', '.join(sorted(_TYPES))}"
        )
    return session


def output(session: Session, name: str | None) -> Signature:
    """Gives the output of that name; the only one unless given.

    Raises:
        InvalidRequest: there is none, or there are several and none was named.
    """
    has = in_words(session.outputs)
    if name is None:
        if len(session.outputs) > 1:
            raise InvalidRequest(f"the file gives {has}: name the one with the classes by --output")
        return session.outputs[0]
    found = next((each for each in session.outputs if each.name == name), None)
    if found is None:
        raise InvalidRequest(f"the file has no output {name!r}: it gives {has}")
    return found
