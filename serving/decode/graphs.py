"""The two graphs of a net that writes, as the decode loop needs them: "prefill" reads tokens, "step" writes them.

What they compute stands with `TextGeneration` in protos/manifest.proto.

Legend: N batch, K tokens that a run of "step" writes for a row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from hondo.errors import InvalidArtifact
from serving.session import Session, Signature, in_words

PREFILL: Final = "prefill"
STEP: Final = "step"

TOKENS: Final = "tokens"
LENGTH: Final = "length"
TOKEN: Final = "token"  # noqa: S105  of a text
UNIFORM: Final = "uniform"
NEXT_TOKEN: Final = "next_token"  # noqa: S105  likewise
LOG_PROBABILITY: Final = "log_probability"

_STATE: Final = "state_"
_NEXT: Final = "next_"


@dataclass(frozen=True, slots=True)
class Graphs:
    """The sessions of both graphs, and what their signatures say."""

    prefill: Session
    step: Session
    # The parts of the state, as "step" takes them.
    states: tuple[Signature, ...]
    # What else a row brings along for all of its steps.
    constants: tuple[Signature, ...]
    # K.
    steps: int

    @classmethod
    def of(cls, sessions: Mapping[str, Session]) -> "Graphs":
        """Gives the graphs of a model.

        Raises:
            InvalidArtifact: they are not these two, or lack an input or output that the loop needs.
        """
        if set(sessions) != {PREFILL, STEP}:
            raise InvalidArtifact(f"what writes has graphs {PREFILL!r} and {STEP!r}; here are {', '.join(sessions)}")
        prefill, step = sessions[PREFILL], sessions[STEP]
        states = tuple(each for each in step.inputs if each.name.startswith(_STATE))
        after = [next_of(each.name) for each in states]
        _check_has(STEP, step.inputs, [TOKEN, UNIFORM])
        _check_has(STEP, step.outputs, [NEXT_TOKEN, LOG_PROBABILITY, *after])
        _check_has(PREFILL, prefill.inputs, [TOKENS, LENGTH, *(each.name for each in states)])
        _check_has(PREFILL, prefill.outputs, [LOG_PROBABILITY, *after])
        _check_fixed(step.inputs)
        fixed = {TOKEN, UNIFORM, *(each.name for each in states)}
        constants = tuple(each for each in step.inputs if each.name not in fixed)
        uniform = next(each for each in step.inputs if each.name == UNIFORM)
        steps = uniform.shape[-1]
        assert isinstance(steps, int), "it was checked"
        return cls(prefill, step, states, constants, steps)


def next_of(state: str) -> str:
    """Gives the name of the output that is a part of the state afterwards."""
    return _NEXT + state


def sides(signature: Signature) -> tuple[int, ...]:
    """Gives the shape of one row of an input."""
    return tuple(side for side in signature.shape[1:] if isinstance(side, int))


def _check_has(role: str, signatures: Sequence[Signature], names: Sequence[str]) -> None:
    has = {signature.name for signature in signatures}
    if missing := [name for name in names if name not in has]:
        raise InvalidArtifact(f"graph {role!r} has no {', '.join(map(repr, missing))}, but {in_words(signatures)}")


def _check_fixed(signatures: Sequence[Signature]) -> None:
    """Holds that only the batch is free, so that buffers can be made once."""
    for each in signatures:
        if not each.shape or isinstance(each.shape[0], int) or not all(isinstance(s, int) for s in each.shape[1:]):
            raise InvalidArtifact(f"graph {STEP!r}: only the batch may be free, not so in {in_words([each])}")
