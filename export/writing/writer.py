"""The two graphs of a net that writes, run by the session that serves.

Legend: N batch, T tokens, K tokens a run of "step" writes, L layers, H units of a layer.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.signature import TOKENS
from export.writing import signature
from export.writing.written import Controls, Floats, Written
from hondo.artifact import PREFILL, STEP
from serving.runtime.session import Session


class Writer:
    """A "prefill" and a "step" that belong together."""

    def __init__(self, prefill: Session, step: Session) -> None:
        self.prefill = prefill
        self.step = step
        self.states = [each for each in step.inputs if each.name.startswith("state_")]

    @classmethod
    def open(cls, folder: Path) -> "Writer":
        """Loads the graphs of an artifact.

        Raises:
            InvalidArtifact: one of them does not load.
        """
        return cls(*(Session.open(folder / f"{role}.onnx") for role in (PREFILL, STEP)))

    def first_state(self, rows: int) -> list[Floats]:
        """Gives the state before a text: zeros."""
        sides = [[side for side in each.shape[1:] if isinstance(side, int)] for each in self.states]
        return [np.zeros((rows, *each), np.float32) for each in sides]

    def read(
        self, tokens_NT: NDArray[np.int64], length_N: NDArray[np.int64], before: Sequence[Floats]
    ) -> tuple[Floats, list[Floats]]:
        """Gives log_probability_NT and the state after a text."""
        feeds = {TOKENS: tokens_NT, signature.LENGTH: length_N, **self.named(before)}
        outputs = self.prefill.run(feeds)
        return _floats(outputs[signature.LOG_PROBABILITY]), self._after(outputs)

    def write(self, token_N: NDArray[np.int64], before: Sequence[Floats], how: Controls) -> Written:
        """Writes as many tokens as there are numbers for, a multiple of K."""
        tokens, log_probabilities, state = [], [], list(before)
        for start in range(0, how.uniform_NT.shape[1], self.steps):
            outputs = self.step.run(self.step_feeds(token_N, state, how, start))
            tokens.append(outputs[signature.NEXT_TOKEN].astype(np.int64))
            log_probabilities.append(_floats(outputs[signature.LOG_PROBABILITY]))
            state, token_N = self._after(outputs), np.ascontiguousarray(tokens[-1][:, -1])
        return Written(np.concatenate(tokens, axis=1), np.concatenate(log_probabilities, axis=1), state)

    def step_feeds(
        self, token_N: NDArray[np.int64], before: Sequence[Floats], how: Controls, start: int = 0
    ) -> dict[str, NDArray[Any]]:
        """Gives the inputs of a run of "step", with the numbers from the one at `start` on."""
        return {
            signature.TOKEN: token_N,
            **self.named(before),
            signature.TEMPERATURE: how.temperature_N,
            signature.TOP_K: how.top_k_N,
            signature.TOP_P: how.top_p_N,
            signature.UNIFORM: np.ascontiguousarray(how.uniform_NT[:, start : start + self.steps]),
        }

    @property
    def steps(self) -> int:
        """K."""
        steps = self.step.inputs[-1].shape[1]
        assert isinstance(steps, int), "K is fixed"
        return steps

    def named(self, state: Sequence[Floats]) -> dict[str, NDArray[Any]]:
        """Gives a state's parts by the names of the inputs."""
        return dict(zip((each.name for each in self.states), state, strict=True))

    def _after(self, outputs: dict[str, NDArray[np.generic]]) -> list[Floats]:
        return [_floats(outputs[f"next_{each.name}"]) for each in self.states]


def _floats(array: NDArray[np.generic]) -> Floats:
    return array.astype(np.float32, copy=False)
