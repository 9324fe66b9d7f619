"""The two graphs of a net that makes captions, run by the session that serves.

Legend: N pictures, H height, W width, C channels, T tokens.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.captions import signature
from export.captions.said import Said
from export.signature import IMAGE
from export.writing.signature import LOG_PROBABILITY, NEXT_TOKEN, TEMPERATURE, TOKEN, TOP_K, TOP_P, UNIFORM
from export.writing.written import Controls
from hondo.artifact import ENCODE, STEP, Tensors
from serving.runtime.session import Session

_STATE = "state_"


class Describer:
    """An "encode" and a "step" that belong together."""

    def __init__(self, encode: Session, step: Session) -> None:
        self.encode = encode
        self.step = step
        self.attends = any(each.name == signature.ATTENTION for each in step.outputs)

    @classmethod
    def open(cls, folder: Path) -> "Describer":
        """Loads the graphs of an artifact.

        Raises:
            InvalidArtifact: one of them does not load.
        """
        return cls(*(Session.open(folder / f"{role}.onnx") for role in (ENCODE, STEP)))

    def look(self, image_NHWC: NDArray[np.uint8]) -> Tensors:
        """Gives what is known of pictures before the first word, by the names that "step" has for it."""
        return self.encode.run({IMAGE: image_NHWC})

    def say(self, seen: Tensors, token_N: NDArray[np.int64], how: Controls) -> Said:
        """Says as many tokens as there are numbers for, after `token_N`."""
        known, runs = dict(seen), []
        for place in range(how.uniform_NT.shape[1]):
            runs.append(self.step.run(step_feeds(known, token_N, how, place)))
            token_N = np.ascontiguousarray(runs[-1][NEXT_TOKEN][:, 0].astype(np.int64))
            known |= {name: runs[-1][f"next_{name}"] for name in known if name.startswith(_STATE)}
        return said(runs, {name: known[name] for name in known if name.startswith(_STATE)})


def step_feeds(seen: Tensors, token_N: NDArray[np.int64], how: Controls, place: int = 0) -> Tensors:
    """Gives the inputs of a run of "step", with the numbers at a place."""
    return {
        TOKEN: token_N,
        **seen,
        TEMPERATURE: how.temperature_N,
        TOP_K: how.top_k_N,
        TOP_P: how.top_p_N,
        UNIFORM: np.ascontiguousarray(how.uniform_NT[:, place : place + 1]),
    }


def said(runs: list[Tensors], state: Tensors) -> Said:
    """Gives the outputs of runs, one token each, as one."""
    nothing_N0 = np.zeros((len(runs[0][NEXT_TOKEN]), 0), np.float32)
    return Said(
        tokens_NT=np.concatenate([run[NEXT_TOKEN] for run in runs], axis=1).astype(np.int64),
        log_probability_NT=np.concatenate([run[LOG_PROBABILITY] for run in runs], axis=1).astype(np.float32),
        candidate_NTB=np.stack([run[signature.CANDIDATE] for run in runs], axis=1).astype(np.int64),
        candidate_log_probability_NTB=np.stack(
            [run[signature.CANDIDATE_LOG_PROBABILITY] for run in runs], axis=1
        ).astype(np.float32),
        attention_NTP=np.stack([run.get(signature.ATTENTION, nothing_N0) for run in runs], axis=1).astype(np.float32),
        state=state,
    )
