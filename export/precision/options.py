"""The options of a command that lowers a graph's precision."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from export.precision.choice import MAX_DROP_POINTS, Name
from training.data.choice import KINDS

_Command = TypeVar("_Command", bound=Callable[..., Any])

_OPTIONS: Final = (
    click.option(
        "--precision",
        type=click.Choice([name.value for name in Name]),
        callback=lambda _ctx, _option, value: Name(value),
        default=Name.FP32.value,
        show_default=True,
        help="What the graph computes with: fp16-weights halves the file, fp16 is for GPUs, int8 for CPUs.",
    ),
    click.option(
        "--data", metavar="FOLDER|FILE|digits", help=f"What a lower precision is made and scored with. {KINDS}"
    ),
    click.option(
        "--max-drop",
        "max_drop_points",
        type=click.FloatRange(0, 100),
        default=MAX_DROP_POINTS,
        show_default=True,
        metavar="POINTS",
        help="So many more percent of the test data may be answered wrongly in a lower precision.",
    ),
)


def precision_options(command: _Command) -> _Command:
    """Adds --precision, --data and --max-drop, passed on as `precision`, `data` and `max_drop_points`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
