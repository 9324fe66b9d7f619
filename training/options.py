"""Options that several commands have."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from training import recipe
from training.data.choice import KINDS, PLACES
from training.recipe import AnyRecipe

_OF_THE_RECIPE: Final = "the model's recipe"

data: Final = click.option("--data", metavar=PLACES, show_default="what the machine has for the model", help=KINDS)
needed_data: Final = click.option("--data", metavar=PLACES, required=True, help=KINDS)
skip_corrupt: Final = click.option(
    "--skip-corrupt", is_flag=True, help="Leave out pictures that cannot be read, and say which."
)
out: Final = click.option(
    "--out", type=click.Path(path_type=Path), metavar="FOLDER", show_default="runs/MODEL", help="Run folder to write."
)
assignments: Final = click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="SETTING=VALUE",
    help="Change a setting of the recipe, such as optimizer.lr=0.1; `hondo train MODEL --settings` lists them.",
)
epochs: Final = click.option(
    "--epochs", type=click.IntRange(1), show_default=_OF_THE_RECIPE, help="Most epochs; fewer where it stops early."
)
batch_size: Final = click.option(
    "--batch-size", type=click.IntRange(1), show_default=_OF_THE_RECIPE, help="Examples in a step, over all devices."
)
seed: Final = click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="The same seed gives the same net."
)
accelerator: Final = click.option("--accelerator", default="auto", show_default=True, help="Lightning's: cpu, gpu, ...")


def changed_recipe(model: str, assignments: Sequence[str], epochs: int | None, batch_size: int | None) -> AnyRecipe:
    """Gives a model's recipe with what a user changed of its settings.

    Raises:
        ModelNotFound: there is no such model.
        InvalidRequest: there is no such setting, or it does not take the value.
        click.UsageError: an assignment is none.
    """
    numbers = {"epochs": epochs, "batch_size": batch_size}
    changes = {name: str(value) for name, value in numbers.items() if value is not None}
    for assignment in assignments:
        path, equals, value = assignment.partition("=")
        if not equals:
            raise click.UsageError(f"--set {assignment}: expected SETTING=VALUE, such as optimizer.lr=0.1")
        changes[path] = value
    return recipe.load(model).changed(changes)
