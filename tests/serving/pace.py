"""How fast this machine goes through the slow graph's steps: tests choose how long a run takes, not how many steps."""

import time

import numpy as np

from serving.runtime.session import Session


def steps_per_s(slow: Session) -> float:
    """Measures a session of `graphs.slow`; the quickest of a few counts, since others may be busy here."""
    took_s = []
    for _ in range(5):
        started_s = time.perf_counter()
        slow.run({"steps": np.array(50)})
        took_s.append(time.perf_counter() - started_s)
    return 50 / min(took_s)
