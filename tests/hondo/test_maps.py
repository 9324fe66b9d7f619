"""Maps of edges on the wire."""

import numpy as np
import pytest

from hondo import maps
from hondo.maps import FORMATS, Bits
from protos.hondo_pb2 import DetectEdgesResponse, Edges


@pytest.mark.parametrize(("bits", "step"), [(8, 1 / 255), (16, 1 / 65535), (32, 0)])
def test_a_map_comes_back(bits: Bits, step: float) -> None:
    """What is encoded is decoded, to half a step of the format; 0 and 1 exactly."""
    map_HW = np.random.default_rng(0).random((17, 23), np.float32)
    map_HW[0, 0], map_HW[0, 1] = 0, 1
    back_HW = maps.decode(maps.encode(map_HW, FORMATS[bits]), FORMATS[bits], 17, 23)
    assert back_HW.dtype == np.float32
    assert np.abs(back_HW - map_HW).max() <= step / 2 + 1e-7
    assert back_HW[0, 0] == 0
    assert back_HW[0, 1] == 1


@pytest.mark.parametrize("bits", [8, 16])
def test_what_is_a_hair_outside_is_brought_in(bits: Bits) -> None:
    """A sum that rounding left below 0 or above 1 does not come out at the other end."""
    map_HW = np.array([[-1e-3, 1 + 1e-3]], np.float32)
    assert maps.decode(maps.encode(map_HW, FORMATS[bits]), FORMATS[bits], 1, 2).tolist() == [[0, 1]]


def test_a_threshold_makes_a_map_black_and_white() -> None:
    """What is at least as strong is 1, all else 0; no threshold leaves the map as it is."""
    map_HW = np.array([[0.0, 0.25, 0.5, 1.0]], np.float32)
    assert maps.finished(map_HW, thin=False, threshold=0.5).tolist() == [[0, 0, 1, 1]]
    assert maps.finished(map_HW, thin=False, threshold=0) is map_HW


def test_an_answer_has_maps_for_each_picture() -> None:
    """Each picture has its edges, and its side outputs one upon another, or none."""
    map_HW = np.ones((2, 3), np.float32)
    data = maps.encode(map_HW, FORMATS[32])
    both = [Edges(height=2, width=3, map=data, side_maps=[data, data]), Edges(height=2, width=3, map=data)]
    found = maps.answered(DetectEdgesResponse(model="net", version=3, results=both), FORMATS[32])
    assert [(each.model, each.version) for each in found] == [("net", 3)] * 2
    assert [each.side_edges_SHW.shape for each in found] == [(2, 2, 3), (0, 2, 3)]
    assert all(np.array_equal(each.edges_HW, map_HW) for each in found)
