"""Stop strings: what of a text that is still being written may not be shown yet."""

from collections.abc import Sequence


def held(text: str, stops: Sequence[str]) -> int:
    """Gives how many of the last characters of a text may turn out to begin a stop string."""
    longest = max((len(stop) for stop in stops), default=0) - 1
    for count in range(min(longest, len(text)), 0, -1):
        ending = text[-count:]
        if any(len(stop) > count and stop.startswith(ending) for stop in stops):
            return count
    return 0
