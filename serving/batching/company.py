"""How many requests to expect together, learnt from how many came: what decides whether waiting a moment pays."""

from typing import Final

# So many batches complete in time before one more is hoped for.
_TRUST: Final = 16


class Company:
    """Expects as many requests as came together lately; one where they come one by one, so that none waits in vain."""

    def __init__(self) -> None:
        self.expected = 1
        self._in_time = 0

    def came(self, together: int, *, in_time: bool) -> None:
        """Learns from a batch.

        Args:
            together: how many it had.
            in_time: it had as many as were expected before the patience was over.
        """
        self._in_time = self._in_time + 1 if in_time else 0
        # Expecting more costs a wait in vain where no more exist, so it is tried now and then only.
        hope = 1 if together > 1 and self._in_time % _TRUST == _TRUST - 1 else 0
        self.expected = together + hope
