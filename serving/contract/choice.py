"""How a request has tokens chosen: what the inputs of graph "step" are called, and what may be asked of them."""

import secrets
from collections.abc import Sequence
from typing import Final

from hondo.errors import InvalidArtifact, InvalidRequest
from protos.hondo_pb2 import CaptionRequest, GenerateRequest
from serving.runtime.session import Signature, in_words

# Inputs beside tokens, numbers and state, one for each row.
TEMPERATURE: Final = "temperature"
TOP_K: Final = "top_k"
TOP_P: Final = "top_p"
_CONTROLS: Final = {TEMPERATURE: "FP32", TOP_K: "INT64", TOP_P: "FP32"}

_MOST_TEMPERATURE: Final = 100.0
_DEFAULT_INTERVAL_MS: Final = 50
# JSON and JavaScript lose the digits of larger ones.
_SEED_BITS: Final = 53

Request = GenerateRequest | CaptionRequest


def check_inputs(constants: Sequence[Signature]) -> None:
    """Holds that of the inputs of "step" that stay the same for a row, these are those of one number.

    Raises:
        InvalidArtifact: they are not.
    """
    if {each.name: each.datatype.name for each in constants if len(each.shape) == 1} != _CONTROLS:
        expected = ", ".join(f"{name!r} {datatype}[-1]" for name, datatype in _CONTROLS.items())
        raise InvalidArtifact(f"graph 'step' must take {expected} beside tokens and state, not {in_words(constants)}")


def controls(request: Request, *, temperature: float) -> dict[str, float]:
    """Gives the inputs by name; the temperature is the one given unless the request has its own.

    Raises:
        InvalidRequest: the request asks for what there is not.
    """
    if request.HasField("temperature"):
        temperature = request.temperature
    top_p = request.top_p if request.HasField("top_p") else 1.0
    check_within("temperature", temperature, 0, _MOST_TEMPERATURE)
    if not 0 < top_p <= 1:
        raise InvalidRequest(f"top_p: {top_p:g} came, above 0 and at most 1 expected")
    return {TEMPERATURE: temperature, TOP_K: request.top_k, TOP_P: top_p}


def seed(request: Request) -> int:
    """Gives the seed that a request has, or one that is drawn for it."""
    return request.seed if request.HasField("seed") else secrets.randbits(_SEED_BITS)


def interval_s(request: Request) -> float:
    """Gives how long it is from one message to the next, at least."""
    interval_ms = request.stream_interval_ms if request.HasField("stream_interval_ms") else _DEFAULT_INTERVAL_MS
    return interval_ms / 1000


def check_within(field: str, value: float, least: float, most: float) -> None:
    """Holds that a number is within its range.

    Raises:
        InvalidRequest: it is not.
    """
    if not least <= value <= most:
        raise InvalidRequest(f"{field}: {value:,.7g} came, {least:g} to {most:,.7g} expected")
