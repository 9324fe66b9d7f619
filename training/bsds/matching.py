"""Which pixels of two maps of lines are the same: a one-to-one matching of pixels that lie close together.

As many pixels as can be are matched, and of all such matchings that of the least distance in all is taken: the least
costly assignment, in which leaving a pixel out costs far more than any distance. The benchmark's own program looks for
the same, but lets a pixel be left out only in the company of six others that it draws by lot, so that its counts vary
by a pixel or two.

Legend: H height, W width, T pixels that a person drew, C candidates (pixels that may be predicted), P pairs.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching
from scipy.spatial import KDTree

# How far apart two pixels may lie and be the same, as a share of the picture's diagonal.
_MAX_DISTANCE: Final = 0.0075
# Leaving a pixel out costs so many times that distance.
_LEFT_OUT: Final = 100
# Costs are whole numbers of this many to a pixel's side: equal ones make the search shorter.
_COSTS_A_PIXEL: Final = 100

Places = NDArray[np.intp]


class Matcher:
    """The pixels that one person drew, and which of the candidates lie close to each.

    Args:
        drawn_HW: the person's lines.
        candidates_C2: row and column of all pixels that may be asked about.
    """

    def __init__(self, drawn_HW: NDArray[np.bool_], candidates_C2: Places) -> None:
        drawn_T2 = np.argwhere(drawn_HW)
        self.drawn = len(drawn_T2)
        most_px = _MAX_DISTANCE * float(np.hypot(*drawn_HW.shape))
        near_P = KDTree(drawn_T2).sparse_distance_matrix(KDTree(candidates_C2), most_px, output_type="ndarray")
        near_P = near_P[np.argsort(near_P["i"] * len(candidates_C2) + near_P["j"])]
        self._drawn_P, self._candidate_P = near_P["i"], near_P["j"]
        # No 0 among them: a sparse matrix has no place for it.
        self._cost_P = np.rint(_COSTS_A_PIXEL * near_P["v"]) + 1
        self._left_out_cost = np.ceil(_COSTS_A_PIXEL * _LEFT_OUT * most_px)

    def match(self, predicted_C: NDArray[np.bool_]) -> Places:
        """Gives which of the predicted candidates have a partner; as many of the person's pixels have one."""
        is_predicted_P = predicted_C[self._candidate_P]
        drawn_P, drawn = _numbered(self._drawn_P[is_predicted_P])
        candidate_P, candidates = _numbered(self._candidate_P[is_predicted_P])
        if not len(candidates):
            return candidates
        pairs = csr_array((self._cost_P[is_predicted_P], (drawn_P, candidate_P)), (len(drawn), len(candidates)))
        if len(drawn) <= len(candidates):
            _, column = self._assigned(pairs)
            return candidates[column[column < len(candidates)]]
        row, column = self._assigned(csr_array(pairs.T))
        return candidates[row[column < len(drawn)]]

    def _assigned(self, pairs: csr_array) -> tuple[Places, Places]:
        """Gives each row's column in the least costly assignment; one beyond the matrix where the row is left out."""
        rows, columns = pairs.shape
        # At the end of each row a column of its own, for leaving it out.
        indices = np.insert(pairs.indices, pairs.indptr[1:], columns + np.arange(rows))
        costs = np.insert(pairs.data, pairs.indptr[1:], self._left_out_cost)
        starts = pairs.indptr + np.arange(rows + 1)
        row, column = min_weight_full_bipartite_matching(csr_array((costs, indices, starts), (rows, columns + rows)))
        return row, column


def _numbered(name_P: Places) -> tuple[Places, Places]:
    """Numbers the names that occur, in their order; gives the number of each, and the name of each number."""
    names, number_P = np.unique(name_P, return_inverse=True)
    return number_P, names
