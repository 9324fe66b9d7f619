import numpy as np

from training.edges.consensus import DISPUTED, EDGE, NONE, consensus


def test_edges_are_what_enough_people_drew() -> None:
    """Of four people, what nobody drew is no edge, what one drew is disputed, what two or more drew is an edge."""
    people_by_pixel = [[0, 1, 2, 4]]
    boundaries_AHW = np.array([[[person < count for count in row] for row in people_by_pixel] for person in range(4)])
    assert consensus(boundaries_AHW, 0.3).tolist() == [[NONE, DISPUTED, EDGE, EDGE]]


def test_nothing_is_disputed_where_one_person_is_enough() -> None:
    """With an agreement of 0, whatever anybody drew is an edge."""
    boundaries_AHW = np.array([[[True, False, False]], [[False, True, False]]])
    assert consensus(boundaries_AHW, 0).tolist() == [[EDGE, EDGE, NONE]]
