"""A version that lies in the folder of models but is not served, and why."""

from dataclasses import dataclass
from enum import Enum, auto


class State(Enum):
    """Why it is not served."""

    LOADING = auto()
    # It does not load.
    REFUSED = auto()
    # Somebody asked for that.
    UNLOADED = auto()
    # The settings leave it out.
    NOT_CHOSEN = auto()
    # Its last calls are being answered.
    UNLOADING = auto()


@dataclass(frozen=True, slots=True)
class Absent:
    """A version that is not served."""

    name: str
    version: int
    state: State
    reason: str
