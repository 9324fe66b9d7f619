"""`python -m tests.fuzz.guided TARGET LIBFUZZER'S OPTIONS`: fuzzing that follows which lines an input reaches.

Where the last option is a file, that is the only input.

Everything under test is imported here, late: only what atheris sees being imported can be followed.
"""

import contextlib
import os
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Final

import atheris

# What is followed besides Hondo itself: readers of formats that are written in Python.
_FOLLOWED: Final = ["hondo", "serving", "tomllib", "json", "google.protobuf.json_format", "PIL"]
# Memory that no input may take, MiB.
_MOST_MB: Final = 256


def main(name: str, options: "list[str]") -> None:
    """Fuzzes a target until libFuzzer has enough; ends the process."""
    with atheris.instrument_imports(include=_FOLLOWED):
        target = import_module(f"tests.fuzz.targets.{name}")
        errors = import_module("hondo.errors")
    expected = getattr(errors, os.environ.get("HONDO_FUZZ_EXPECTS", "HondoError"))

    def one(data: bytes) -> None:
        peak_mb = _peak_mb()
        with contextlib.suppress(expected):
            target.one(data)
        if (took_mb := _peak_mb() - peak_mb) > _MOST_MB:
            raise MemoryError(f"{took_mb:.0f} MiB for {len(data)} bytes")

    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(target.seeds()):
            one(seed)  # what loads at first use is not held against an input
            (Path(corpus) / f"{number:04}").write_bytes(seed)
        atheris.Setup([sys.argv[0], *options, *([] if Path(options[-1]).is_file() else [corpus])], one)
        atheris.Fuzz()


def _peak_mb() -> float:
    return getrusage(RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
