from training.seeds import seed_at


def test_each_place_has_its_own_seed() -> None:
    """The seed differs from run to run, epoch to epoch and process to process, and is the same each time."""
    places = [(seed, epoch, rank) for seed in range(5) for epoch in range(5) for rank in range(3)]
    seeds = [seed_at(*place) for place in places]
    assert len(set(seeds)) == len(places)
    assert seeds == [seed_at(*place) for place in places]
