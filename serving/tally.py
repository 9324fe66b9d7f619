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


@dataclass(frozen=True, slots=True)
class DecodeTally:
    """The counts of a model's decode loop; safe to count on from any thread."""

    # Jobs, by how they left the loop.
    requests: Mapping[Outcome, Counter]
    # Rows that wait for a slot: to begin, to go on, or for their reader.
    queue_rows: Gauge
    # Rows that hold a slot.
    running_rows: Gauge
    # Rows a run of "step", and of "prefill"; how long it took.
    step_rows: Histogram
    step_seconds: Histogram
    read_rows: Histogram
    read_seconds: Histogram
    # Tokens that were read and written.
    read_tokens: Counter
    written_tokens: Counter
