"""The `hondo` command: each subcommand loads its room on use, so that a client needs no server and no torch."""

import errno
import importlib
import sys
from dataclasses import dataclass
from typing import Final

import click

from hondo.errors import HondoError


@dataclass(frozen=True, slots=True)
class _Command:
    """Where a subcommand lives, and what `hondo --help` says of it."""

    module: str
    function: str
    help: str
    # The extras that bring what it needs beyond a client's dependencies.
    extras: str = ""


# What writing fails with where there is no more room on the disk, or none that this user or process may take.
_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_COMMANDS: Final = {
    "classify": _Command("hondo.classify", "classify", "Ask a server what pictures, texts or rows are."),
    "edges": _Command("hondo.edges", "edges", "Ask a server for the edges in pictures."),
    "caption": _Command("hondo.caption", "caption", "Ask a server what is in pictures, in words."),
    "generate": _Command("hondo.generate", "generate", "Have a server write on from a prompt."),
    "models": _Command("hondo.models", "models", "List the models that a server serves."),
    "serve": _Command("serving.command", "serve", "Serve a folder of models over gRPC.", "serve-cpu"),
    "health": _Command("serving.health", "health", "Ask a server whether it serves.", "serve-cpu"),
    "log-level": _Command("hondo.log_level", "log_level", "Change which lines a running server logs."),
    "doctor": _Command("serving.doctor", "doctor", "Look over what a server here would need.", "serve-cpu"),
    "token": _Command("serving.access.command", "token", "Make a token for a server that asks for one.", "serve-cpu"),
    "train": _Command("training.command", "train", "Train a model on a data set.", "train"),
    "cross-validate": _Command("training.crossvalidate", "cross_validate", "Score a recipe on every fold.", "train"),
    "summary": _Command("training.summary", "summary", "Show a model's net layer by layer.", "train"),
    "evaluate": _Command("training.evaluate", "evaluate", "Score a served model on a data set.", "train"),
    "report": _Command("training.report.command", "report", "Draw what a training did, as a page.", "train"),
    "export": _Command("export.command", "export", "Export a trained model to ONNX, with proof.", "serve-cpu,export"),
    "import": _Command("export.imports.command", "import_", "Publish what others trained.", "serve-cpu,export"),
    "bench": _Command("serving.bench.command", "bench", "Measure a server under load.", "serve-cpu,bench"),
    "demo": _Command("hondo.demo", "demo", "Serve the released models, ask them, stop."),
    "tour": _Command("hondo.tour", "tour", "Train, export, serve and ask a small model.", "serve-cpu,export"),
}


class _LazyGroup(click.Group):
    """Imports a subcommand's module only when that subcommand is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        command = _COMMANDS[name]
        try:
            module = importlib.import_module(command.module)
        except ModuleNotFoundError as error:
            if not command.extras:
                raise
            raise click.ClickException(
                f"`hondo {name}` needs the Python package {error.name!r}: pip install 'hondo[{command.extras}]'"
            ) from error
        loaded = getattr(module, command.function)
        assert isinstance(loaded, click.Command)
        return loaded

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.help) for name, command in _COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except HondoError as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            if error.errno not in _FULL:
                raise
            raise click.ClickException(f"{error}: make room where it writes, and start it again") from error


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hondo")
def main() -> None:
    """Deep nets from PyTorch to production: train, export with proof, serve."""


if __name__ == "__main__":
    sys.exit(main())
