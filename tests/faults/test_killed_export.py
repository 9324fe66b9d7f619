"""SIGKILL of the exporter, at each of the things that it does with files, its rename among them."""

import subprocess
import sys
from pathlib import Path

import grpc

from hondo import artifact
from tests.faults.vitals import await_so, check_well
from tests.serving.process import serving
from tests.serving.swaps import LOOKS, OWN, newest, under_load


def test_a_killed_exporter_leaves_a_whole_version_or_none(models: Path, tmp_path: Path) -> None:
    """Wherever it dies, the folder has the new version whole or not at all; a server that watches serves on, right.

    What is left of it keeps nobody from publishing; the first that comes through is served.
    """
    with serving(models, tmp_path / "log", *LOOKS) as server:
        with under_load(server.address):
            command = [sys.executable, "-m", "tests.faults.publisher", str(models), "2"]
            told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=120)
            *deaths, last = told.stdout.splitlines()
            with grpc.insecure_channel(server.address, options=OWN) as channel:
                await_so(lambda: newest(channel) == int(last), "what was published is not served")
        check_well(server.address)
        assert "refused" not in server.log.read_text()
    assert sum(death.startswith("os.rename") for death in deaths) == 1
    assert len(deaths) > 15
    there = sorted(int(path.name) for path in (models / "side").iterdir())
    for version in there:
        assert artifact.read(models / "side" / str(version)).manifest.version == version
    # Those that died before the rename are not there; those after, whose last acts are to sync and to tidy up, are.
    renamed = next(number for number, death in enumerate(deaths) if death.startswith("os.rename"))
    assert there == [1, *range(2 + renamed + 1, int(last) + 1)]
