"""The state that a recurrent graph declares: which of its outputs is to be which of its inputs at the next step.

A graph of one's own declares it in the ONNX file's metadata, under the key `hondo.state`: a JSON object from the names
of inputs to those of outputs, for example {"h": "next_h", "c": "next_c"} (`onnx.helper.set_model_props` writes it). The
batch comes first in each, and all that is behind it is of a fixed size. A sequence begins with zeros.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hondo.errors import InvalidArtifact
from serving.runtime.datatypes import BYTES
from serving.runtime.session import Session, Signature, in_words

KEY: Final = "hondo.state"


@dataclass(frozen=True, slots=True)
class State:
    """One part of a state."""

    input: Signature
    output: Signature

    def zero(self) -> NDArray[np.generic]:
        """Gives the row that a sequence begins with."""
        sides = [side for side in self.input.shape[1:] if isinstance(side, int)]
        return np.zeros((1, *sides), self.input.datatype.numpy)


def declared(session: Session) -> tuple[State, ...]:
    """Gives the parts of a graph's state; none where it declares none.

    Raises:
        InvalidArtifact: the declaration is no such object, or does not fit the graph.
    """
    if KEY not in session.metadata:
        return ()
    declaration = session.metadata[KEY]
    try:
        names = json.loads(declaration)
    except ValueError as error:
        raise InvalidArtifact(f"the metadata {KEY!r} are no JSON: {error}") from error
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise InvalidArtifact(f"the metadata {KEY!r} are {declaration[:100]}, an object of names expected")
    return named(names, session.inputs, session.outputs)


def named(names: Mapping[str, str], inputs: Sequence[Signature], outputs: Sequence[Signature]) -> tuple[State, ...]:
    """Gives the parts of a state, by the names of inputs and outputs.

    Raises:
        InvalidArtifact: they do not fit the graph.
    """
    by_input, by_output = ({each.name: each for each in signatures} for signatures in (inputs, outputs))
    for name, known in (*((each, by_input) for each in names), *((each, by_output) for each in names.values())):
        if name not in known:
            has = in_words(list(known.values()))
            raise InvalidArtifact(f"the state's {name!r} is no {'input' if known is by_input else 'output'}: {has}")
    states = tuple(State(by_input[before], by_output[after]) for before, after in names.items())
    for state in states:
        _check(state)
    if len(states) == len(inputs):
        raise InvalidArtifact("all inputs are state: there is nothing that a request could ask")
    return states


def _check(state: State) -> None:
    before, after = state.input, state.output
    is_fixed = bool(before.shape) and all(isinstance(side, int) for side in before.shape[1:])
    if not is_fixed or before.datatype is BYTES:
        raise InvalidArtifact(f"the state's {in_words([before])}: numbers, and only the batch free, expected")
    if before.datatype is not after.datatype or before.shape[1:] != after.shape[1:]:
        raise InvalidArtifact(f"the state's {in_words([before])} is to be {in_words([after])}, which is another kind")
