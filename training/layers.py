"""The layers of a net: what one example becomes in each, and what that costs.

Legend: H height, W width, C channels, T words, F columns.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, assert_never

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from protos.manifest_pb2 import Classification


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """What one layer does with one example."""

    # Its path in the net, for example "layer1.0.conv1".
    name: str
    kind: str
    output: tuple[int, ...]
    parameters: int
    # Of convolutions and matrix products; other operations are few beside them.
    multiply_adds: int


def layers(front: nn.Module, net: nn.Module, taken: Tensor) -> list[Layer]:
    """Gives the layers in the order in which an example passes them; the weights are not looked at.

    Args:
        front: from what the served graph takes to what the net takes.
        net: is left on the device "meta", where tensors have shapes and no values.
        taken: what the served graph takes, on that device.
    """
    found: list[Layer] = []
    with torch.no_grad(), FlopCounterMode(display=False) as counter, _noting(net.to("meta").eval(), counter, found):
        net(front.to("meta")(taken))
    return found


def example(task: Classification) -> Tensor:
    """Gives one example without values: u8[1,H,W,C], i64[1,T] or f32[1,F]."""
    kind = task.WhichOneof("input")
    match kind:
        case "image":
            shape = (task.image.height, task.image.width, task.image.channels)
            return torch.zeros(1, *shape, dtype=torch.uint8, device="meta")
        case "text":
            return torch.zeros(1, task.text.length, dtype=torch.int64, device="meta")
        case "table":
            return torch.zeros(1, len(task.table.columns), device="meta")
        case None:
            raise ValueError("the task does not say what it classifies")
        case _:
            assert_never(kind)


@contextmanager
def _noting(net: nn.Module, counter: FlopCounterMode, found: list[Layer]) -> Iterator[None]:
    """Notes each layer when the example has passed it."""
    before: list[int] = []
    seen: set[Tensor] = set()

    def enter(*_: object) -> None:
        before.append(counter.get_total_flops())

    def leave(name: str) -> Callable[..., None]:
        def note(layer: nn.Module, _: object, output: Any) -> None:
            new = [weights for weights in layer.parameters() if weights not in seen]
            seen.update(new)
            found.append(
                Layer(
                    name=name,
                    kind=type(layer).__name__,
                    output=tuple(output.shape[1:]),
                    parameters=sum(weights.numel() for weights in new),
                    # torch counts a multiplication and an addition as two.
                    multiply_adds=(counter.get_total_flops() - before.pop()) // 2,
                )
            )

        return note

    hooks = []
    for name, layer in net.named_modules():
        if not list(layer.children()) and not isinstance(layer, nn.Identity):
            hooks += [layer.register_forward_pre_hook(enter), layer.register_forward_hook(leave(name))]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
