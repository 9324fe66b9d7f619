"""Bounds: how much one request may be, so that none takes the memory or the time of all."""

from dataclasses import dataclass

from hondo.errors import InvalidRequest
from hondo.images import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much a request may be."""

    # Of each picture; all pictures of a request for edges together have no more pixels either.
    images: Limits
    # Memory that a run of an edge detector may take.
    run_bytes: int
    # Of a message, and of what a graph is given of one: small files may be large pictures.
    message_bytes: int
    # Rows that may wait for a graph.
    queue_rows: int
    # Parts of one picture that wait or run at once: as many as can run.
    parts: int

    def check_rows(self, field: str, rows: int, row_bytes: int) -> None:
        """Makes sure that what a graph is given of a request is no larger than a message.

        Raises:
            InvalidRequest: it would be.
        """
        most = max(1, self.message_bytes // row_bytes)
        if rows > most:
            raise InvalidRequest(
                f"{field}: {rows:,} came, at most {most:,} are taken in a request (what the graph takes of them is to "
                "fit into a message, --max-message-mb): send them in several, or as a stream"
            )

    def check_runs(self, field: str, runs: int) -> None:
        """Makes sure that not more comes together than may wait, where each takes a run of its own.

        Raises:
            InvalidRequest: more came.
        """
        if runs > self.queue_rows:
            raise InvalidRequest(
                f"{field}: {runs:,} came, at most {self.queue_rows:,} are taken in a request (as many as may wait, "
                "--max-queue-rows): send them in several"
            )
