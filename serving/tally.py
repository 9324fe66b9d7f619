"""The tally: what one graph's batcher counts of its requests and runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from prometheus_client import Counter, Gauge, Histogram


class Outcome(StrEnum):
    """How a request left the batcher."""

    ANSWERED = "answered"
    REFUSED = "refused"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Tally:
    """The counts of one graph; safe to count on from any thread."""

    requests: Mapping[Outcome, Counter]
    # Rows that wait to run.
    queue_rows: Gauge
    # Rows a run, padding left out.
    batch_rows: Histogram
    # How long a run took.
    run_seconds: Histogram
