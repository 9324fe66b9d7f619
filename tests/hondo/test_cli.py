import subprocess
import sys
from typing import Final

import pytest
from click.testing import CliRunner

from hondo.cli import main

COMMANDS: Final = [
    *(
        "classify",
        "edges",
        "caption",
        "generate",
        "models",
        "serve",
        "health",
        "log-level",
        "doctor",
        "token",
        "train",
        "cross-validate",
    ),
    *("summary", "evaluate", "report", "export", "import", "bench", "demo", "tour"),
]

# Runs the command line as on an installation without these packages: the import system does not find them.
_WITHOUT: Final = """
import sys
from importlib.abc import MetaPathFinder

class Without(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in sys.argv[1].split(","):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Without())
from hondo.cli import main
main(sys.argv[2:])
"""


def without(packages: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Runs `hondo ARGUMENTS` in a process that cannot import the packages."""
    command = [sys.executable, "-c", _WITHOUT, packages, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_help_lists_every_command() -> None:
    """`hondo --help` says in a line each what there is."""
    text = CliRunner().invoke(main, ["--help"]).output
    listed = [line.split()[0] for line in text.split("Commands:")[1].splitlines() if line.strip()]
    assert listed == COMMANDS


def test_help_needs_no_room() -> None:
    """`hondo --help` and the client's commands work where only a client is installed."""
    rooms = "torch,lightning,onnx,onnxruntime,serving,training,export,grpc_health,grpc_reflection"
    for command in ("classify", "edges", "caption", "generate", "models", None):
        arguments = [command, "--help"] if command else ["--help"]
        result = without(rooms, *arguments)
        assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("command", ["classify", "edges", "models", "serve", "bench", "demo", "tour"])
def test_command_explains_itself(command: str) -> None:
    """Each command of the table loads and has help (training's and export's are held by their own tests)."""
    result = CliRunner().invoke(main, [command, "--help"])
    assert result.exit_code == 0, result.output
    assert f"{command} [OPTIONS]" in result.output


@pytest.mark.parametrize(
    ("command", "package", "extra"),
    [
        ("serve", "onnxruntime", "hondo[serve-cpu]"),
        ("serve", "grpc_health", "hondo[serve-cpu]"),
        ("train", "torch", "hondo[train]"),
        ("export", "torch", "hondo[serve-cpu,export]"),
    ],
)
def test_missing_extra_is_named(command: str, package: str, extra: str) -> None:
    """Where a command's packages are not installed, one line says which is missing and what to install."""
    result = without(package, command, "x")
    assert result.returncode == 1
    assert result.stderr == f"Error: `hondo {command}` needs the Python package {package!r}: pip install '{extra}'\n"


def test_unknown_command_is_refused() -> None:
    """A command that does not exist is a usage error."""
    result = CliRunner().invoke(main, ["clasify"])
    assert result.exit_code == 2
    assert "clasify" in result.output


def test_version_is_told() -> None:
    """`hondo --version` says the version of the package."""
    assert CliRunner().invoke(main, ["--version"], prog_name="hondo").output.startswith("hondo, version ")
