"""Random numbers that depend on the run's seed and the place in the run alone, so that a resumed run repeats itself."""

import numpy as np


def seed_at(seed: int, *place: int) -> int:
    """Gives the seed for a place in a run, for example an epoch: unlike that of every other place and run."""
    return int(np.random.SeedSequence([seed, *place]).generate_state(1)[0])
