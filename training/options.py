"""Options that several commands have."""

from typing import Final

import click

from training.data.choice import KINDS, PLACES

data: Final = click.option("--data", metavar=PLACES, show_default="what the machine has for the model", help=KINDS)
needed_data: Final = click.option("--data", metavar=PLACES, required=True, help=KINDS)
skip_corrupt: Final = click.option(
    "--skip-corrupt", is_flag=True, help="Leave out pictures that cannot be read, and say which."
)
