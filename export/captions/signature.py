"""The tensors of the graphs of a net that makes captions: what the server relies on.

Legend: N batch, P places of the grid, D features of a place, A units of the attention, H units of the recurrent layer,
B candidates.
"""

from typing import Final

from export.signature import BATCH, IMAGE
from export.writing.signature import LOG_PROBABILITY, NEXT_TOKEN, TEMPERATURE, TOKEN, TOP_K, TOP_P, UNIFORM
from hondo.artifact import ENCODE
from protos.manifest_pb2 import Captioning
from serving.runtime.datatypes import BY_NAME, Datatype
from serving.runtime.session import Signature
from training.models.captioner import Captioner
from training.models.recurrent import PARTS

FEATURES: Final = "features"
KEYS: Final = "keys"
CANDIDATE: Final = "candidate"
CANDIDATE_LOG_PROBABILITY: Final = "candidate_log_probability"
ATTENTION: Final = "attention"

# Tokens that a choice is made among, and of these as many as the widest beam needs: to sort a whole vocabulary takes as
# long as a step of the net (207 microseconds a row for 3,000 words, 17 for the first 100, 2 for the first 10).
CHOICES: Final = 64
CANDIDATES: Final = 10

_F32: Final[Datatype] = BY_NAME["FP32"]
_I64: Final[Datatype] = BY_NAME["INT64"]


def states(net: Captioner) -> list[str]:
    """Gives the names of the state's parts: outputs of "encode", inputs of "step"."""
    return [f"state_{part}" for part in PARTS[net.cell]]


def next_states(net: Captioner) -> list[str]:
    """Gives the names of the state's outputs of "step", in the same order."""
    return [f"next_{name}" for name in states(net)]


def choices(net: Captioner) -> int:
    """Gives how many tokens a choice is made among: never one that may not be said."""
    return min(CHOICES, net.output.out_features - 2)


def candidates(net: Captioner) -> int:
    """Gives B."""
    return min(CANDIDATES, choices(net))


def takes(role: str, net: Captioner, task: Captioning) -> tuple[Signature, ...]:
    """Gives a graph's inputs."""
    if role == ENCODE:
        image = task.image
        return (Signature(IMAGE, BY_NAME["UINT8"], (BATCH, image.height, image.width, image.channels)),)
    return (
        Signature(TOKEN, _I64, (BATCH,)),
        *_seen(net, task),
        *_state(net, states(net)),
        Signature(TEMPERATURE, _F32, (BATCH,)),
        Signature(TOP_K, _I64, (BATCH,)),
        Signature(TOP_P, _F32, (BATCH,)),
        Signature(UNIFORM, _F32, (BATCH, 1)),
    )


def gives(role: str, net: Captioner, task: Captioning) -> tuple[Signature, ...]:
    """Gives a graph's outputs."""
    if role == ENCODE:
        return (*_seen(net, task), *_state(net, states(net)))
    places = task.grid_height * task.grid_width
    return (
        Signature(NEXT_TOKEN, _I64, (BATCH, 1)),
        Signature(LOG_PROBABILITY, _F32, (BATCH, 1)),
        Signature(CANDIDATE, _I64, (BATCH, candidates(net))),
        Signature(CANDIDATE_LOG_PROBABILITY, _F32, (BATCH, candidates(net))),
        *([Signature(ATTENTION, _F32, (BATCH, places))] if net.attends else []),
        *_state(net, next_states(net)),
    )


def _seen(net: Captioner, task: Captioning) -> tuple[Signature, ...]:
    """Gives what a row brings along for all of its steps."""
    if not net.attends:
        return ()
    places = task.grid_height * task.grid_width
    return (
        Signature(FEATURES, _F32, (BATCH, places, net.features.out_features)),
        Signature(KEYS, _F32, (BATCH, places, net.keys.out_features)),
    )


def _state(net: Captioner, names: list[str]) -> tuple[Signature, ...]:
    return tuple(Signature(name, _F32, (BATCH, net.layer.hidden_size)) for name in names)
