import numpy as np
import pytest

from hondo.errors import InvalidRequest, ModelNotFound
from protos.inference_pb2 import ModelMetadataResponse
from serving.bench import answers, tensors
from serving.bench.questions import ask
from serving.runtime.datatypes import BY_NAME
from tests.serving import graphs
from tests.serving.process import Process

Tensor = ModelMetadataResponse.TensorMetadata


@pytest.mark.parametrize("name", BY_NAME)
def test_array_fits_its_datatype(name: str) -> None:
    """Every datatype gets arrays of its own element type, seeded, and not all elements alike."""
    array = tensors.generate(BY_NAME[name], (3, 50), np.random.default_rng(0))
    assert (array.dtype, array.shape) == (BY_NAME[name].numpy, (3, 50))
    assert len(set(array.ravel().tolist())) > 1
    again = tensors.generate(BY_NAME[name], (3, 50), np.random.default_rng(0))
    assert np.array_equal(array, again)


@pytest.mark.parametrize("name", BY_NAME)
def test_scalar_fits_its_datatype(name: str) -> None:
    """An input without dimensions gets one element."""
    array = tensors.generate(BY_NAME[name], (), np.random.default_rng(0))
    assert (array.dtype, array.shape) == (BY_NAME[name].numpy, ())


@pytest.mark.parametrize("name", graphs.ELEMENT_TYPES)
def test_server_takes_and_gives_back_every_datatype(server: Process, name: str) -> None:
    """A request made from metadata alone is one that the server takes; a graph y = x gives its tensors back."""
    asked = tensors.questions(server.address, f"same_{name}", rows=2, shapes={"x": (2, 3)})
    got = ask(server.address, asked.method, asked.bodies)
    assert (asked.rows, asked.batches, len(got)) == (2, True, len(asked.bodies))
    for answer, feed in zip(got, asked.feeds, strict=True):
        answers.check_against_graph(asked.method, answer, {"y": answers.output(feed["x"], BY_NAME[name])})


def test_free_dimension_needs_a_shape(server: Process) -> None:
    """Where more than the first dimension is free, the error says which option sizes it."""
    with pytest.raises(InvalidRequest, match=r"--shape x=N,N"):
        tensors.questions(server.address, "same_FP32", shapes={})


@pytest.mark.parametrize("shape", [(2, 3, 4), (5, 4)])
def test_shape_must_fit_the_metadata(shape: tuple[int, ...]) -> None:
    """A shape that the model cannot take is refused before any request is sent."""
    with pytest.raises(InvalidRequest, match="does not fit"):
        tensors.shape_of(Tensor(name="x", datatype="FP32", shape=[-1, 3]), shape, None)


def test_rows_fill_the_free_first_dimension() -> None:
    """A free first dimension is the rows asked for, or one; it may not contradict the shape."""
    tensor = Tensor(name="x", datatype="FP32", shape=[-1, 3])
    assert tensors.shape_of(tensor, None, None) == (1, 3)
    assert tensors.shape_of(tensor, None, 4) == (4, 3)
    assert tensors.shape_of(tensor, (5, 3), None) == (5, 3)
    with pytest.raises(InvalidRequest, match="--rows"):
        tensors.shape_of(tensor, (5, 3), 4)


def test_unknown_names_are_refused(server: Process) -> None:
    """A model that the server does not have and an input that the model does not have are errors with a reason."""
    with pytest.raises(ModelNotFound, match="nobody"):
        tensors.questions(server.address, "nobody", shapes={})
    with pytest.raises(InvalidRequest, match="no input z"):
        tensors.questions(server.address, "side", shapes={"z": (1,)})
