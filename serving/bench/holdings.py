"""What a running server holds: memory and file handles, as Linux counts them, and slots, as its own metrics do."""

import re
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

# Rows that wait or run: at rest there are none.
_SLOTS: Final = ("hondo_queue_rows", "hondo_running_rows")
_PATIENCE_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a process holds."""

    resident_kb: int
    # At any time so far.
    most_resident_kb: int
    file_handles: int


def held(pid: int) -> Held:
    """Looks what a process holds."""
    told = dict(re.findall(r"(Vm\w+):\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text("utf-8")))
    handles = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    return Held(resident_kb=int(told["VmRSS"]), most_resident_kb=int(told["VmHWM"]), file_handles=handles)


def slots(log: Path) -> float:
    """Gives how many rows wait or run in a server, whose metrics are where its log says."""
    found = re.search(r"metrics on (\S+)", log.read_text("utf-8"))
    assert found is not None, "the server said so when it started"
    with urllib.request.urlopen(found[1], timeout=_PATIENCE_S) as answer:  # noqa: S310  our own server
        families = list(text_string_to_metric_families(answer.read().decode()))
    return sum(sample.value for family in families for sample in family.samples if sample.name in _SLOTS)
