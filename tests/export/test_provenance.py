import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from export import provenance
from training.run import Run


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    ran = subprocess.run(["git", "-C", str(folder), *who, *arguments], capture_output=True, text=True, check=True)
    return ran.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "code.py").write_text("1\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "First")
    return tmp_path


def test_a_clean_tree_is_its_commit(repository: Path) -> None:
    """Code as committed is named by the commit, whatever new models lie beside it."""
    (repository / "models").mkdir()
    (repository / "models" / "new").write_text("")
    assert provenance.git_commit(repository) == git(repository, "rev-parse", "HEAD")


@pytest.mark.parametrize("name", ["code.py", "new.py"])
def test_changed_code_is_dirty(name: str, repository: Path) -> None:
    """A changed file of code, and a new one, mark the commit."""
    (repository / "export" / name).write_text("2\n")
    assert provenance.git_commit(repository) == git(repository, "rev-parse", "HEAD") + "-dirty"


def test_there_is_no_commit_outside_git(tmp_path: Path) -> None:
    """Installed from a wheel there is no commit to name."""
    (tmp_path / "export").mkdir()
    assert provenance.git_commit(tmp_path) == ""


def test_there_is_no_commit_where_another_project_holds_the_code(repository: Path) -> None:
    """A virtual environment inside somebody's repository does not take that repository's commit for its own."""
    (repository / "venv" / "export").mkdir(parents=True)
    assert provenance.git_commit(repository / "venv") == ""


def test_there_is_no_commit_without_git(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without git exports all the same."""
    monkeypatch.setenv("PATH", "")
    assert provenance.git_commit(repository) == ""


def test_provenance_tells_how_the_weights_came_to_be(run: Run) -> None:
    """Recipe, data, seed, size, libraries of training and export, and the time are on record."""
    made = provenance.of_run(run)
    assert json.loads(made.recipe) == run.recipe
    assert (made.source, made.seed, made.parameters) == (run.source, run.seed, run.parameters)
    assert [source.terms for source in made.data] == ["CC0 1.0"]
    assert set(made.library_versions) == {"torch", "onnx", "onnxruntime", "onnxscript", "hondo"}
    age = datetime.now(UTC) - datetime.fromisoformat(made.created_at)
    assert 0 <= age.total_seconds() < 60
