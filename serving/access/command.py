"""`hondo token`: makes a token for a server that asks for one."""

from pathlib import Path

import click

from serving.access import tokens
from serving.access.permission import Permission


@click.command()
@click.argument("name")
@click.option(
    "--into", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The server's file of tokens."
)
@click.option(
    "--may",
    multiple=True,
    type=click.Choice([permission.value for permission in Permission]),
    default=[Permission.INFERENCE.value],
    show_default=True,
    help="What it allows; may be given several times.",
)
def token(*, name: str, into: Path, may: tuple[str, ...]) -> None:
    """Make a token for NAME, print it once, and add its hash to the file of `hondo serve --tokens`.

    A server that runs takes it within a second. To take a token back, remove its line.
    """
    made, grant = tokens.make(name, map(Permission, may))
    tokens.add(into, grant)
    click.echo(made)
