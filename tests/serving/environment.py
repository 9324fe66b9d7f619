"""The virtual environment of tritonclient: it pins a protobuf of its own, so it lives apart from the tests."""

import fcntl
import hashlib
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import pytest

from protos.generate import ROOT

REQUIREMENT: Final = "tritonclient[grpc]==2.73.0"
_SCRIPTS: Final = Path(__file__).parent / "triton"


def python() -> Path:
    """Gives the interpreter of an environment with tritonclient and Hondo's client, made once and kept in .cache/."""
    needs = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    key = hashlib.sha256(repr([REQUIREMENT, needs, sys.version, str(ROOT)]).encode()).hexdigest()[:12]
    folder = ROOT / ".cache" / f"tritonclient-{key}"
    folder.parent.mkdir(exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another run of the tests may be at it
        if not (folder / "complete").exists():
            _install(folder)
    return folder / "bin" / "python"


def _install(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    installed = subprocess.run([*pip, REQUIREMENT, "-e", str(ROOT)], capture_output=True, text=True, check=False)
    if installed.returncode != 0:
        pytest.skip(f"{REQUIREMENT} cannot be installed here: {installed.stderr.strip().splitlines()[-1]}")
    (folder / "complete").touch()


def run(script: str, *arguments: str | Path) -> str:
    """Runs a script in tritonclient's environment; gives what it prints."""
    command = [python(), "-P", "-W", "error", _SCRIPTS / script, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 0, result.stderr
    return result.stdout
