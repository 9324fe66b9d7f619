"""What a net makes of a picture on its way: the maps after each activation.

Legend: N pictures, F maps, C channels, H height, W width.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training import activations


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """The maps that one activation gave."""

    # Of the convolution before it.
    name: str
    maps_NFHW: Tensor


def plain(net: nn.Module) -> nn.Module:
    """Gives a copy of a net that changes nothing in place, and keeps no gradients of its weights."""
    made = copy.deepcopy(net).requires_grad_(requires_grad=False)
    for layer in made.modules():
        if hasattr(layer, "inplace"):
            setattr(layer, "inplace", False)  # noqa: B010  mypy takes a module's attributes for modules
    return made


class _Enough(Exception):
    """All stages that were asked for have been seen: the rest of the net need not run."""


def watch(net: nn.Module, image_NCHW: Tensor, most: int | None = None) -> list[Stage]:
    """Gives the stages with maps of more than one pixel, in their order.

    Args:
        net: in eval mode.
        image_NCHW: what it takes.
        most: how many stages are wanted; None for all.
    """
    with _watched(net, most) as stages, suppress(_Enough):
        net(image_NCHW)
    return stages


@contextmanager
def _watched(net: nn.Module, most: int | None) -> Iterator[list[Stage]]:
    stages: list[Stage] = []
    before = "input"

    def convolved(name: str) -> None:
        nonlocal before
        before = name

    def activated(maps: Tensor) -> None:
        if maps.ndim == 4 and maps[0, 0].numel() > 1:
            stages.append(Stage(before, maps))
        if len(stages) == most:
            raise _Enough

    hooks = []
    for name, layer in net.named_modules():
        if isinstance(layer, nn.Conv2d):
            hooks.append(layer.register_forward_hook(lambda *_, name=name: convolved(name)))
        elif is_activation(layer):
            hooks.append(layer.register_forward_hook(lambda _layer, _inputs, output: activated(output)))
    try:
        yield stages
    finally:
        for hook in hooks:
            hook.remove()


def is_activation(layer: nn.Module) -> bool:
    """Says whether a layer is one of torch's activations or of ours."""
    return type(layer).__module__ in {nn.ReLU.__module__, activations.__name__}


def some(count: int, most: int) -> list[int]:
    """Gives positions of at most so many of `count` things: the first, the last, and evenly between."""
    return sorted({round(place) for place in torch.linspace(0, count - 1, min(most, count)).tolist()})
