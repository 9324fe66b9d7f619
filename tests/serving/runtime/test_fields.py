"""The fields of a message: as protobuf itself reads them."""

import onnx
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from serving.runtime.fields import messages


@given(st.binary(max_size=40))
def test_what_protobuf_takes_is_taken(data: bytes) -> None:
    """Whatever bytes protobuf reads as a message are gone through, but for groups, which no ONNX file has."""
    try:
        onnx.StringStringEntryProto.FromString(data)
    except DecodeError:
        is_message = False
    else:
        is_message = True
    try:
        list(messages(memoryview(data)))
    except ValueError as error:
        complaint = str(error)
    else:
        complaint = ""
    assert not (is_message and complaint) or "wire type" in complaint


@given(st.dictionaries(st.sampled_from(["key", "value"]), st.text(max_size=300)))
def test_contents_are_found(fields: dict[str, str]) -> None:
    """Strings come out as they went in, with their numbers."""
    data = onnx.StringStringEntryProto(**fields).SerializeToString()
    numbers = {"key": 1, "value": 2}
    found = {number: str(content, "utf-8") for number, content in messages(memoryview(data))}
    assert found == {numbers[name]: text for name, text in fields.items()}


@given(st.text(min_size=1, max_size=300), st.data())
def test_cut_message_is_refused(text: str, data: st.DataObject) -> None:
    """A message that ends in the middle of its only field is none."""
    whole = onnx.StringStringEntryProto(key=text).SerializeToString()
    cut = data.draw(st.integers(1, len(whole) - 1))
    with pytest.raises(ValueError, match=r"cut off|beyond"):
        list(messages(memoryview(whole[:cut])))
