"""An answer of a bulk: the labels of one picture, text or row, or why there are none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from hondo.errors import InvalidRequest
from protos.hondo_pb2 import Label

Item_co = TypeVar("Item_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Generic[Item_co]):
    """What one picture, text or row was found to be, or why that cannot be said."""

    # The picture, text or row, as it was given.
    item: Item_co
    # Why there are no labels: the server refuses this item, or its file cannot be read. None where there are.
    error: InvalidRequest | OSError | None = None
    # The model and version that answered.
    model: str = ""
    version: int = 0
    found: Sequence[Label] = ()

    @property
    def labels(self) -> Sequence[Label]:
        """The likeliest labels, best first; raises `error` where there is one, so that none goes unnoticed."""
        if self.error is not None:
            raise self.error
        return self.found
