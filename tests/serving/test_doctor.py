"""`hondo doctor`: finds what would keep a server from working, and nothing where nothing would."""

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hondo.cli import main
from serving.access import tokens
from serving.access.permission import Permission
from tests.serving import artifacts, graphs


def free_port() -> str:
    """Gives a port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def asked(*arguments: str | Path) -> Result:
    ports = [] if "--port" in arguments else ["--port", free_port()]
    return CliRunner().invoke(main, ["doctor", *ports, "--metrics-port", free_port(), *map(str, arguments)])


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder of an artifact and a bare graph."""
    folder = tmp_path / "models"
    artifacts.write_classifier(folder)
    graphs.add(folder / "add" / "1" / "model.onnx")
    return folder


def test_sound_folder_is_fine(models: Path, tmp_path: Path) -> None:
    """Where all is well, each thing is said to be, no model is left out, and the exit code is 0."""
    _, grant = tokens.make("ann", [Permission.INFERENCE])
    tokens.add(tmp_path / "tokens", grant)
    result = asked(models, "--tokens", tmp_path / "tokens")
    assert result.exit_code == 0, result.output
    assert "BAD" not in result.output
    for said in ("onnxruntime", "cores", "is free", "side version 1 is whole", "add version 1 is whole", "of tokens"):
        assert said in result.output


def test_damaged_model_is_found(models: Path) -> None:
    """A version whose file was altered is bad, the others are still looked at, and the exit code is 1."""
    with (models / "side" / "1" / "model.onnx").open("ab") as file:
        file.write(b"\0")
    result = asked(models)
    assert result.exit_code == 1
    assert "was altered" in result.output
    assert "add version 1 is whole" in result.output


def test_missing_folder_is_found(tmp_path: Path) -> None:
    """No folder, or one without models, is bad."""
    for folder in (tmp_path / "nothing", tmp_path):
        result = asked(folder)
        assert result.exit_code == 1
        assert "no model in" in result.output


def test_taken_port_is_found() -> None:
    """A port on which somebody listens is bad, and it is said how to find out who."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = asked("--port", str(taken.getsockname()[1]))
    assert result.exit_code == 1
    assert "ss -ltnp" in result.output


def test_wrong_secrets_are_found(tmp_path: Path) -> None:
    """What is no file of tokens or no certificate is bad; a key that everybody can read is pointed out."""
    for name in ("tokens", "server.crt", "server.key"):
        (tmp_path / name).write_text("nothing of the kind")
    result = asked("--tokens", tmp_path / "tokens")
    assert (result.exit_code, "expected NAME" in result.output) == (1, True)
    (tmp_path / "server.key").chmod(0o644)
    result = asked("--tls-cert", tmp_path / "server.crt", "--tls-key", tmp_path / "server.key")
    assert (result.exit_code, "can be read by everybody" in result.output) == (1, True)


def test_open_host_is_minded() -> None:
    """To listen to all with nothing asked of them is pointed out."""
    assert "nothing is asked of them" in asked("--host", "::").output
