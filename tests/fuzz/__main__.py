"""`python -m tests.fuzz`: fuzzing, for as long as is wished."""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Final

import click

from protos.generate import ROOT
from tests.fuzz import target, thrown
from tests.fuzz.campaign import Campaign, Told
from tests.fuzz.victim import victim

FOUND: Final = ROOT / "runs" / "fuzz"


@click.group()
def main() -> None:
    """Throw at Hondo what nobody should; what fails is kept in runs/fuzz, for --replay."""


@main.command()
@click.option("--messages", default=1_000_000, show_default=True, help="Calls and connections to make, at least.")
@click.option("--minutes", type=float, help="Stop after so many minutes, if that comes first.")
@click.option("--seed", default=0, show_default=True, help="Of chance: the same makes the same up.")
@click.option("--replay", type=click.Path(path_type=Path, exists=True), help="Throw what is in this file, then stop.")
def server(messages: int, minutes: float | None, seed: int, replay: Path | None) -> None:
    """Fuzz every RPC of a real server, and its ports."""
    give_up_s = time.monotonic() + (minutes * 60 if minutes else float("inf"))

    def goes_on(told: Told) -> bool:
        return told.count < messages and time.monotonic() < give_up_s

    with tempfile.TemporaryDirectory() as folder, victim(Path(folder)) as attacked:
        campaign = Campaign(attacked, seed, FOUND)
        if replay is not None:
            asyncio.run(campaign.throw(thrown.read(replay)))
            click.echo("The server bore it.")
        else:
            asyncio.run(campaign.run(goes_on, click.echo))
            click.echo(f"Nothing was found: {campaign.told}")


@main.command("target")
@click.argument("names", nargs=-1, type=click.Choice(target.NAMES))
@click.option("--seconds", default=60, show_default=True, help="For each target.")
@click.option("--seed", default=0, show_default=True, help="Of chance.")
@click.option("--replay", type=click.Path(path_type=Path, exists=True), help="Read what is in this file, then stop.")
def fuzz_target(names: tuple[str, ...], seconds: int, seed: int, replay: Path | None) -> None:
    """Fuzz readers of files and messages, all unless named, guided by what is reached of them."""
    for name in names or target.NAMES:
        said = target.replay(name, replay) if replay else target.fuzz(name, FOUND, seconds=seconds, seed=seed)
        click.echo(f"{name}: nothing was found. {said.strip().splitlines()[-1]}")


if __name__ == "__main__":
    main()
