"""A target: one reader of what may come from outside, fuzzed in a process of its own from good inputs.

Each is a file in `tests.fuzz.targets`, with `seeds()`, good inputs made by code, and `one(data)`, which reads one and
may raise what `hondo.errors` has, nothing else.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from protos.generate import ROOT
from tests.fuzz import targets
from tests.fuzz.asker import HANGS_S

NAMES: Final = sorted(path.stem for path in Path(targets.__path__[0]).glob("[a-z]*.py"))
# Of an input.
_MOST_BYTES: Final = 65_536
_RSS_MB: Final = 2048


def fuzz(name: str, found: Path, *, runs: int | None = None, seconds: int | None = None, seed: int = 0) -> str:
    """Fuzzes a target; gives what libFuzzer says.

    Args:
        name: the target's.
        found: the folder for an input that fails.
        runs: inputs to try; as many as come unless given.
        seconds: how long at most.
        seed: of chance; with the same one, the same runs are made.

    Raises:
        AssertionError: an input failed; the text names its file.
    """
    found.mkdir(parents=True, exist_ok=True)
    limits = [*([f"-runs={runs}"] if runs else []), *([f"-max_total_time={seconds}"] if seconds else [])]
    return _run(name, [*limits, f"-max_len={_MOST_BYTES}", f"-artifact_prefix={found}/{name}-", f"-seed={seed + 1}"])


def replay(name: str, file: Path) -> str:
    """Has a target read the input in a file; gives what libFuzzer says."""
    return _run(name, [str(file)])


def _run(name: str, options: "list[str]") -> str:
    limits = [f"-timeout={HANGS_S:.0f}", f"-rss_limit_mb={_RSS_MB}"]
    with tempfile.TemporaryDirectory() as folder:  # libFuzzer ends the process before it could tidy up
        ended = subprocess.run(
            [sys.executable, "-m", "tests.fuzz.guided", name, *limits, *options],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": "0", "TMPDIR": folder},
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    said = ended.stdout[-4000:] + ended.stderr[-8000:]
    assert ended.returncode == 0, f"{said}\nTry it again: python -m tests.fuzz target {name} --replay FILE"
    return said
