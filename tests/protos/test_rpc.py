import pytest

from protos import hondo_pb2
from protos.rpc import HONDO, python_name, request_types


@pytest.mark.parametrize(
    ("method", "name"), [("Classify", "classify"), ("ClassifyStream", "classify_stream"), ("GetModel", "get_model")]
)
def test_python_name_is_snake_case(method: str, name: str) -> None:
    """A method's Python name is its name on the wire in lower case, words kept apart."""
    assert python_name(method) == name


def test_request_types_are_the_classes_that_users_import() -> None:
    """What the server parses into is the class that the generated module gives, not a second one of the same name."""
    found = request_types(HONDO)
    assert found == {method.name: getattr(hondo_pb2, method.input_type.name) for method in HONDO.methods}
    assert found["ClassifyStream"] is hondo_pb2.ClassifyRequest
