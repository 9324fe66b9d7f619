"""The tensors of the graphs of a net that writes: what the decode loop relies on.

Legend: N batch, T tokens of a text, K tokens a run of "step" writes, L layers, H units of a layer.
"""

from typing import Final

from export.signature import BATCH, TOKENS
from hondo.artifact import PREFILL
from serving.runtime.datatypes import BY_NAME, Datatype
from serving.runtime.session import Signature
from training.models.recurrent import PARTS, Recurrent

LENGTH: Final = "length"
TOKEN: Final = "token"  # noqa: S105  a token of text, no secret
TEMPERATURE: Final = "temperature"
TOP_K: Final = "top_k"
TOP_P: Final = "top_p"
UNIFORM: Final = "uniform"
LOG_PROBABILITY: Final = "log_probability"
NEXT_TOKEN: Final = "next_token"  # noqa: S105  likewise

# Tokens that one run of "step" writes: they share the cost of a run, but make others wait for longer, and those beyond
# a row's end are lost. Microseconds a token of a 2 x 512 LSTM, two threads, by the serving session, at K 1, 2, 4, 8:
# 196, 152, 147, 149 at batch 1; 453, 370, 404, 467 at batch 8; no difference at batch 32.
STEPS: Final = 4

_TIME: Final = "T"
_F32: Final[Datatype] = BY_NAME["FP32"]
_I64: Final[Datatype] = BY_NAME["INT64"]


def states(net: Recurrent) -> list[str]:
    """Gives the names of the state's inputs."""
    return [f"state_{part}" for part in PARTS[net.cell]]


def next_states(net: Recurrent) -> list[str]:
    """Gives the names of the state's outputs, in the same order."""
    return [f"next_{name}" for name in states(net)]


def takes(role: str, net: Recurrent, steps: int = STEPS) -> tuple[Signature, ...]:
    """Gives a graph's inputs."""
    if role == PREFILL:
        known = (Signature(TOKENS, _I64, (BATCH, _TIME)), Signature(LENGTH, _I64, (BATCH,)))
        return (*known, *_state(net, states(net)))
    return (
        Signature(TOKEN, _I64, (BATCH,)),
        *_state(net, states(net)),
        Signature(TEMPERATURE, _F32, (BATCH,)),
        Signature(TOP_K, _I64, (BATCH,)),
        Signature(TOP_P, _F32, (BATCH,)),
        Signature(UNIFORM, _F32, (BATCH, steps)),
    )


def gives(role: str, net: Recurrent, steps: int = STEPS) -> tuple[Signature, ...]:
    """Gives a graph's outputs."""
    if role == PREFILL:
        return (Signature(LOG_PROBABILITY, _F32, (BATCH, _TIME)), *_state(net, next_states(net)))
    written = Signature(NEXT_TOKEN, _I64, (BATCH, steps)), Signature(LOG_PROBABILITY, _F32, (BATCH, steps))
    return (*written, *_state(net, next_states(net)))


def _state(net: Recurrent, names: list[str]) -> tuple[Signature, ...]:
    shape = (BATCH, len(net.layers), net.width)
    return tuple(Signature(name, _F32, shape) for name in names)
