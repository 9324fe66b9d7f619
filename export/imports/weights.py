"""A PyTorch file of weights, read without running any code that it may hold, and fitted to a net."""

import pickle
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from hondo.errors import InvalidRequest

# So many names are told of a long list.
_TOLD: Final = 5


def read(path: Path) -> dict[str, Tensor]:
    """Gives the weights by name: those of the file itself, or of its `state_dict`; without DataParallel's "module.".

    Raises:
        InvalidRequest: it is no file of weights.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise InvalidRequest(
            f"{path} cannot be read as weights, a state_dict that torch.save wrote: {str(error).splitlines()[0]}"
        ) from error
    state = content.get("state_dict", content) if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise InvalidRequest(f"{path} holds no weights by name: expected a state_dict, or a dict with a 'state_dict'")
    return {str(name).removeprefix("module."): value for name, value in state.items()}


def classes(state: Mapping[str, Tensor], layer: str, path: Path) -> int:
    """Gives how many classes the last layer tells apart.

    Raises:
        InvalidRequest: there is no such layer.
    """
    name = f"{layer}.weight"
    if name not in state or state[name].ndim != 2:
        raise InvalidRequest(
            f"{path} has no matrix {name!r}, which the last layer of this architecture is: it has {_list(state)}"
        )
    return len(state[name])


def fit(net: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Puts weights into a net, in evaluation mode from now on.

    Raises:
        InvalidRequest: some are missing, unexpected or of another shape; the text names them.
    """
    own = net.state_dict()
    # Files from before PyTorch 0.4.1 have no such counters, which only training uses.
    needed = [name for name in own if not name.endswith("num_batches_tracked")]
    faults = [
        _fault("missing", [name for name in needed if name not in state]),
        _fault("unexpected", [name for name in state if name not in own]),
        _fault(
            "of another shape",
            [
                f"{name} {list(state[name].shape)} instead of {list(own[name].shape)}"
                for name in needed
                if name in state and state[name].shape != own[name].shape
            ],
        ),
    ]
    if any(faults):
        raise InvalidRequest(
            f"{path} does not fit this architecture: {'; '.join(fault for fault in faults if fault)}. "
            "Is it the file of another architecture, or of another version of this one?"
        )
    net.load_state_dict(dict(state), strict=False)
    net.eval()


def _fault(what: str, names: Iterable[str]) -> str:
    found = list(names)
    return f"{what}: {_list(found)}" if found else ""


def _list(names: Iterable[str]) -> str:
    found = list(names)
    more = f" and {len(found) - _TOLD} more" if len(found) > _TOLD else ""
    return ", ".join(found[:_TOLD]) + more
