"""The graphs of a net that writes tokens, as the decode loop needs them: "step" writes, and another one begins.

What comes before is read by "prefill", where it is text; or it is a picture, which "encode" has looked at before a job
comes to the loop. What they compute stands with `TextGeneration` and `Captioning` in protos/manifest.proto.

Legend: N batch, K tokens that a run of "step" writes for a row, P places of a picture.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from hondo.artifact import ENCODE, PREFILL, STEP
from hondo.errors import InvalidArtifact
from serving.runtime.session import Session, Signature, in_words

TOKENS: Final = "tokens"
LENGTH: Final = "length"
TOKEN: Final = "token"  # noqa: S105  of a text
UNIFORM: Final = "uniform"
NEXT_TOKEN: Final = "next_token"  # noqa: S105  likewise
LOG_PROBABILITY: Final = "log_probability"
CANDIDATE: Final = "candidate"
CANDIDATE_LOG_PROBABILITY: Final = "candidate_log_probability"
ATTENTION: Final = "attention"

_STATE: Final = "state_"
_NEXT: Final = "next_"


@dataclass(frozen=True, slots=True)
class Graphs:
    """The loop's sessions, and what their signatures say."""

    # None where jobs bring the state along that they begin with.
    prefill: Session | None
    step: Session
    # The parts of the state, as "step" takes them.
    states: tuple[Signature, ...]
    # What else a row brings along for all of its steps.
    constants: tuple[Signature, ...]
    # K.
    steps: int
    # Of each row, how many tokens "step" names of which a beam may choose; 0 where it names none.
    candidates: int
    # P: places of which "step" says how much it looked there; 0 where it does not say.
    places: int

    @classmethod
    def of(cls, sessions: Mapping[str, Session]) -> "Graphs":
        """Gives the graphs of a model that goes on from a text.

        Raises:
            InvalidArtifact: they are not these two, or lack an input or output that the loop needs.
        """
        if set(sessions) != {PREFILL, STEP}:
            raise InvalidArtifact(f"what writes has graphs {PREFILL!r} and {STEP!r}; here are {', '.join(sessions)}")
        prefill, step = sessions[PREFILL], sessions[STEP]
        made = cls._of_step(step, prefill)
        _check_has(PREFILL, prefill.inputs, [TOKENS, LENGTH, *(each.name for each in made.states)])
        _check_has(PREFILL, prefill.outputs, [LOG_PROBABILITY, *(next_of(each.name) for each in made.states)])
        return made

    @classmethod
    def of_captioner(cls, sessions: Mapping[str, Session]) -> "Graphs":
        """Gives the graphs of a model that tells of a picture.

        Raises:
            InvalidArtifact: they are not "encode" and "step", lack an input or output that the loop needs, or what
                "encode" gives is not what "step" takes.
        """
        if set(sessions) != {ENCODE, STEP}:
            raise InvalidArtifact(
                f"what makes captions has graphs {ENCODE!r} and {STEP!r}; here are {', '.join(sessions)}"
            )
        made = cls._of_step(sessions[STEP], None)
        _check_has(STEP, sessions[STEP].outputs, [CANDIDATE, CANDIDATE_LOG_PROBABILITY])
        if made.steps != 1:
            raise InvalidArtifact(f"graph {STEP!r} writes {made.steps} tokens a run, 1 expected of one with candidates")
        given = {each.name: (each.datatype, each.shape[1:]) for each in sessions[ENCODE].outputs}
        seen = [each for each in made.constants if len(each.shape) > 1]
        if given != {each.name: (each.datatype, each.shape[1:]) for each in (*seen, *made.states)}:
            takes, gives = in_words([*seen, *made.states]), in_words(sessions[ENCODE].outputs)
            raise InvalidArtifact(f"graph {STEP!r} takes {takes} of a picture, but {ENCODE!r} gives {gives}")
        return made

    @classmethod
    def _of_step(cls, step: Session, prefill: Session | None) -> "Graphs":
        states = tuple(each for each in step.inputs if each.name.startswith(_STATE))
        _check_has(STEP, step.inputs, [TOKEN, UNIFORM])
        _check_has(STEP, step.outputs, [NEXT_TOKEN, LOG_PROBABILITY, *(next_of(each.name) for each in states)])
        _check_fixed(step.inputs)
        fixed = {TOKEN, UNIFORM, *(each.name for each in states)}
        constants = tuple(each for each in step.inputs if each.name not in fixed)
        steps, candidates, places = (
            _last_side(signatures, name)
            for signatures, name in ((step.inputs, UNIFORM), (step.outputs, CANDIDATE), (step.outputs, ATTENTION))
        )
        return cls(prefill, step, states, constants, steps, candidates, places)

    @property
    def by_role(self) -> dict[str, Session]:
        """The sessions, by their roles."""
        return {STEP: self.step} if self.prefill is None else {PREFILL: self.prefill, STEP: self.step}


def next_of(state: str) -> str:
    """Gives the name of the output that is a part of the state afterwards."""
    return _NEXT + state


def sides(signature: Signature) -> tuple[int, ...]:
    """Gives the shape of one row of an input."""
    return signature.row_shape


def _last_side(signatures: Sequence[Signature], name: str) -> int:
    """Gives the last side of an input or output; 0 where there is none of that name."""
    side = next((each.shape[-1] for each in signatures if each.name == name), 0)
    if not isinstance(side, int):
        raise InvalidArtifact(f"graph {STEP!r}: the last side of {name!r} must be fixed")
    return side


def _check_has(role: str, signatures: Sequence[Signature], names: Sequence[str]) -> None:
    has = {signature.name for signature in signatures}
    if missing := [name for name in names if name not in has]:
        raise InvalidArtifact(f"graph {role!r} has no {', '.join(map(repr, missing))}, but {in_words(signatures)}")


def _check_fixed(signatures: Sequence[Signature]) -> None:
    """Holds that only the batch is free, so that buffers can be made once."""
    for each in signatures:
        if not each.shape or isinstance(each.shape[0], int) or not all(isinstance(s, int) for s in each.shape[1:]):
            raise InvalidArtifact(f"graph {STEP!r}: only the batch may be free, not so in {in_words([each])}")
