import errno
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from export import publish
from hondo.errors import InvalidArtifact, InvalidRequest
from serving.catalog.catalog import Catalog
from serving.runtime.device import Device


def fill(folder: Path, text: str = "whole") -> None:
    (folder / "one").write_text(text)
    (folder / "two").write_text(text)


def test_a_published_folder_is_whole_and_alone(tmp_path: Path) -> None:
    """After the block NAME/VERSION holds what was built, and nothing else is left among the models."""
    with publish.staged(tmp_path / "models" / "net" / "1") as folder:
        fill(folder)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == [
        "models",
        "models/net",
        "models/net/1",
        "models/net/1/one",
        "models/net/1/two",
    ]


def test_a_published_folder_has_the_usual_modes(tmp_path: Path) -> None:
    """Others may read what was published, though temporary folders are their owner's alone."""
    before = os.umask(0o022)
    try:
        with publish.staged(tmp_path / "net" / "1") as folder:
            fill(folder)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "net").rglob("*")}
    assert modes == {"1": 0o755, "one": 0o644, "two": 0o644}
    assert stat.S_IMODE((tmp_path / "net").stat().st_mode) == 0o755


def test_a_failure_leaves_the_models_as_they_were(tmp_path: Path) -> None:
    """Whatever the block raises, no file and no folder is new."""
    with publish.staged(tmp_path / "net" / "1") as folder:
        fill(folder)
    before = sorted(tmp_path.rglob("*"))
    for name in ("net", "other"):
        with pytest.raises(FileNotFoundError), publish.staged(tmp_path / name / "2") as folder:
            (folder / "missing" / "one").write_text("nowhere to be written")
    assert sorted(tmp_path.rglob("*")) == before


def test_versions_count_up(tmp_path: Path) -> None:
    """The next version is one more than the highest there, whatever else lies in the folder."""
    assert publish.place(tmp_path, "net", None) == tmp_path / "net" / "1"
    for name in ("2", "10", "notes", ".11"):
        (tmp_path / "net" / name).mkdir(parents=True)
    assert publish.place(tmp_path, "net", None) == tmp_path / "net" / "11"
    assert publish.place(tmp_path, "net", 3) == tmp_path / "net" / "3"


def test_a_version_that_exists_is_refused(tmp_path: Path) -> None:
    """What is published never changes."""
    (tmp_path / "net" / "2").mkdir(parents=True)
    with pytest.raises(FileExistsError, match="is there already"):
        publish.place(tmp_path, "net", 2)


@pytest.mark.parametrize("name", [".net", "a/b", "..", "-net", "net\n"])
def test_a_name_that_is_no_folder_of_models_is_refused(name: str, tmp_path: Path) -> None:
    """A name that leaves the folder, or that the server passes over, is refused."""
    with pytest.raises(InvalidRequest, match="cannot be named"):
        publish.place(tmp_path, name, None)


def test_of_exports_at_once_one_wins(tmp_path: Path) -> None:
    """Of many that publish one version at the same moment, one does, whole; the others fail and leave nothing."""
    barrier = threading.Barrier(8)
    target = tmp_path / "net" / "1"
    failed: dict[str, str] = {}

    def export(text: str) -> None:
        try:
            with publish.staged(target) as folder:
                fill(folder, text)
                barrier.wait()
        except FileExistsError as error:
            failed[text] = str(error)

    threads = [threading.Thread(target=export, args=(str(index),)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(failed.values()) == [f"somebody else published {target} meanwhile: export again"] * 7
    assert (target / "one").read_text() == (target / "two").read_text()
    assert (target / "one").read_text() not in failed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net"]


def test_another_trouble_of_the_disk_is_told_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A move that fails for another reason than a version that is there keeps that reason."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(OSError, match="No space left"), publish.staged(tmp_path / "net" / "1") as folder:
        fill(folder)
    assert not (tmp_path / "net" / "1").exists()


def test_a_killed_export_publishes_nothing(tmp_path: Path) -> None:
    """Where the process is killed between writing and moving, there is no NAME/VERSION, and the server sees none."""
    script = f"""
import sys
from pathlib import Path
from export.publish import staged
with staged(Path({str(tmp_path)!r}) / "net" / "1") as folder:
    (folder / "model.onnx").write_bytes(b"half")
    print("written", flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        process.kill()
    assert [path.name[:7] for path in tmp_path.iterdir()] == [".net-1-"]
    with pytest.raises(InvalidArtifact, match="no model in"):
        Catalog.load(tmp_path, Device.CPU)
    with publish.staged(publish.place(tmp_path, "net", None)) as folder:
        fill(folder)
    assert (tmp_path / "net" / "1" / "one").exists()
