"""Where and how a run goes: its folder, and whether what is there is replaced or gone on with."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from lightning.pytorch.utilities import rank_zero_only

from training import checkpoint, run
from training.fit import Devices


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A run folder, and what the user wants of it."""

    folder: Path
    seed: int
    resume: bool
    overwrite: bool
    devices: Devices

    def last(self, facts: Mapping[str, Any]) -> Path | None:
        """Gives the checkpoint to go on from; without one, the folder has room for a new run.

        Args:
            facts: what the run is started with, as JSON types.

        Raises:
            click.UsageError: there is nothing to go on from, or it began with other facts; or there is a run already.
        """
        last = _resumable(self.folder, facts) if self.resume else None
        if last is None:
            _check_room(self.folder, self.overwrite)
        return last

    def clear(self, last: Path | None) -> None:
        """Removes an old run, unless it is gone on with."""
        if last is None:
            rank_zero_only(run.clear)(self.folder)


@rank_zero_only
def _check_room(folder: Path, overwrite: bool) -> None:
    if (folder / run.CHECKPOINTS).exists() and not overwrite:
        raise click.UsageError(f"{folder} holds a run: --overwrite replaces it, --resume finishes it if it was cut off")


def _resumable(folder: Path, facts: Mapping[str, Any]) -> Path:
    last = run.checkpoint_path(folder, run.LAST)
    if run.is_finished(folder) or not last.exists():
        raise click.UsageError(f"{folder} holds no run that was cut off")
    began, _ = checkpoint.read_plain(last)
    if found := checkpoint.differences(facts, {name: began.get(name) for name in facts}):
        raise click.UsageError(f"--resume goes on with the settings that the run began with, but {'; '.join(found)}")
    return last
