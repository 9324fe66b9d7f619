"""An exporter that is killed: publishes one version after the other, and at each thing it does with files dies once.

`python -m tests.faults.publisher MODELS FIRST`: in a process of its own it publishes version FIRST, and is killed
(SIGKILL) at the first opening, making, moving or removing of a file; then FIRST + 1, killed at the second; and so on,
until it comes through. Prints what the kernel was to do next each time, and at last the number of the version that is
whole.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Final

from export import publish
from tests.serving import artifacts

_OF_FILES: Final = ("open", "os.", "shutil.")


def publish_version(models: Path, version: int) -> None:
    """Publishes a version by the exporter's own means."""
    with publish.staged(publish.place(models, "side", version)) as folder:
        artifacts.write_classifier(folder.parent.parent, "side", version, turn=version)


def die_at(number: int) -> None:
    """Has this process end at the so-manieth thing that it does with files; says which."""
    seen = 0

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        seen += event.startswith(_OF_FILES)
        if seen == number:
            os.write(1, f"{event} {arguments[0]}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


def main(models: Path, first: int) -> None:
    """Publishes until once it is not killed."""
    publish_version(models.parent / "before", first)  # whatever is loaded on first use
    for number in range(1, 1000):
        version = first + number - 1
        child = os.fork()
        if not child:
            die_at(number)
            publish_version(models, version)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status == 0:
            print(version, flush=True)
            return
        assert os.WTERMSIG(status) == signal.SIGKILL, status
    raise AssertionError("it never came through")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
