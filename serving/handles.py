"""File handles: as many as the system lets this process have, and some of them kept from connections.

A connection takes one. Were all given to connections, no model, certificate or metric could be read any more.
"""

import sys
from typing import Final

# What is kept for the files, pipes and ports of the server itself, where the system gives as much.
_KEPT: Final = 256


def raise_limit() -> None:
    """Takes for this process what the system grants it, which is often more than it begins with."""
    if sys.platform == "linux":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def most_connections() -> int | None:
    """Gives how many connections the process may have at a time; None where the system does not say."""
    if sys.platform != "linux":
        return None
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return None
    return max(1, limit - min(_KEPT, limit // 2))
