import struct

import numpy as np
import pytest
from numpy.typing import NDArray

from hondo.artifact import Tensors
from hondo.errors import InvalidRequest
from protos.inference_pb2 import InferTensorContents, ModelInferRequest, ModelInferResponse
from serving.runtime.datatypes import BY_NAME
from serving.runtime.session import Signature
from serving.runtime.tensors import Reader, wanted_outputs, write_outputs
from tests.serving.values import CONTENTS, VALUES, on_the_wire, packed

InferInput = ModelInferRequest.InferInputTensor


def signature(name: str, datatype: str, *shape: int | str | None) -> Signature:
    return Signature(name, BY_NAME[datatype], shape)


def raw_request(name: str, datatype: str, shape: list[int], raw: bytes) -> ModelInferRequest:
    inputs = [InferInput(name=name, datatype=datatype, shape=shape)]
    return ModelInferRequest(inputs=inputs, raw_input_contents=[raw])


def typed_request(
    name: str, datatype: str, shape: list[int], values: list[object], field: str | None = None
) -> ModelInferRequest:
    contents = InferTensorContents()
    getattr(contents, field or CONTENTS[datatype]).extend(values)
    return ModelInferRequest(inputs=[InferInput(name=name, datatype=datatype, shape=shape, contents=contents)])


def refused(request: ModelInferRequest, *signatures: Signature) -> str:
    """Gives the text with which a request is refused."""
    with pytest.raises(InvalidRequest) as raised:
        Reader(signatures).read(request)
    return str(raised.value)


def check_values(array: NDArray[np.generic], datatype: str, shape: tuple[int, ...]) -> None:
    """Holds that an array has exactly the elements of VALUES."""
    assert array.dtype == BY_NAME[datatype].numpy
    assert array.shape == shape
    expected = np.array(VALUES[datatype], BY_NAME[datatype].numpy)
    assert array.ravel().tolist() == expected.tolist()


def test_every_datatype_is_tried() -> None:
    """The values below leave no datatype of the server's table out."""
    assert set(VALUES) == set(BY_NAME)


@pytest.mark.parametrize("datatype", VALUES)
def test_raw_contents_are_read(datatype: str) -> None:
    """Raw contents of every datatype become the same elements, row by row."""
    request = raw_request("x", datatype, [2, 3], packed(datatype, VALUES[datatype]))
    check_values(Reader([signature("x", datatype, "n", 3)]).read(request)["x"], datatype, (2, 3))


@pytest.mark.parametrize("datatype", CONTENTS)
def test_typed_contents_are_read(datatype: str) -> None:
    """Typed contents, in the field that the protocol gives the datatype, become the same elements."""
    request = typed_request("x", datatype, [2, 3], on_the_wire(datatype, VALUES[datatype]))
    check_values(Reader([signature("x", datatype, "n", 3)]).read(request)["x"], datatype, (2, 3))


@pytest.mark.parametrize("datatype", VALUES)
def test_raw_outputs_are_written(datatype: str) -> None:
    """Arrays of every datatype become raw contents, with name, datatype and shape."""
    array = np.array(VALUES[datatype], BY_NAME[datatype].numpy).reshape(2, 3)
    response = ModelInferResponse()
    write_outputs(response, {"y": array}, [signature("y", datatype, "n", 3)], typed=False)
    (output,) = response.outputs
    assert (output.name, output.datatype, list(output.shape)) == ("y", datatype, [2, 3])
    assert not output.HasField("contents")
    assert list(response.raw_output_contents) == [packed(datatype, VALUES[datatype])]


@pytest.mark.parametrize("datatype", CONTENTS)
def test_typed_outputs_are_written(datatype: str) -> None:
    """Asked for typed contents, arrays go out in the field that the protocol gives their datatype, and in no other."""
    array = np.array(VALUES[datatype], BY_NAME[datatype].numpy).reshape(2, 3)
    response = ModelInferResponse()
    write_outputs(response, {"y": array}, [signature("y", datatype, "n", 3)], typed=True)
    (output,) = response.outputs
    ((field, values),) = output.contents.ListFields()
    assert field.name == CONTENTS[datatype]
    assert list(values) == on_the_wire(datatype, array.ravel().tolist())
    assert not response.raw_output_contents


def test_outputs_without_typed_contents_go_raw_together() -> None:
    """One FP16 among the outputs makes all of them raw: a response has one kind of contents."""
    arrays: Tensors = {"a": np.zeros(1, np.float16), "b": np.zeros(1, np.float32)}
    response = ModelInferResponse()
    write_outputs(response, arrays, [signature("a", "FP16", 1), signature("b", "FP32", 1)], typed=True)
    assert list(response.raw_output_contents) == [bytes(2), bytes(4)]
    assert not any(output.HasField("contents") for output in response.outputs)


@pytest.mark.parametrize("datatype", VALUES)
def test_scalars_are_read(datatype: str) -> None:
    """A tensor of rank 0 has an empty shape and one element."""
    request = raw_request("x", datatype, [], packed(datatype, VALUES[datatype][1:2]))
    array = Reader([signature("x", datatype)]).read(request)["x"]
    assert array.shape == ()
    assert array.item() == VALUES[datatype][1]


def test_any_byte_but_zero_is_true() -> None:
    """A raw BOOL of 2 or 255 is true, and stays a proper bool in the array."""
    array = Reader([signature("x", "BOOL", "n")]).read(raw_request("x", "BOOL", [4], b"\x00\x01\x02\xff"))["x"]
    assert array.view(np.uint8).tolist() == [0, 1, 1, 1]


def test_empty_tensors_are_read() -> None:
    """No elements are elements too, where an axis other than the first is 0."""
    assert Reader([signature("x", "FP32", "n", None)]).read(raw_request("x", "FP32", [2, 0], b""))["x"].shape == (2, 0)
    assert Reader([signature("x", "BYTES", "n", None)]).read(raw_request("x", "BYTES", [2, 0], b""))["x"].shape == (
        2,
        0,
    )


def test_outputs_are_all_unless_named() -> None:
    """Named outputs come in the order named, else all come in the graph's."""
    signatures = [signature("a", "FP32"), signature("b", "FP32"), signature("c", "FP32")]
    named = ModelInferRequest.InferRequestedOutputTensor
    assert wanted_outputs(ModelInferRequest(), signatures) == ["a", "b", "c"]
    assert wanted_outputs(ModelInferRequest(outputs=[named(name="c"), named(name="a")]), signatures) == ["c", "a"]


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["z"], "outputs[0] 'z': no such output; the model gives 'a' FP32[-1]"),
        (["a", "a"], "outputs[1] 'a': came twice"),
        ([""], "outputs[0] '': no such output"),
    ],
)
def test_wrong_outputs_are_refused(names: list[str], text: str) -> None:
    """An output that the graph does not have, or the same one twice, is refused by its place and name."""
    named = ModelInferRequest.InferRequestedOutputTensor
    with pytest.raises(InvalidRequest) as raised:
        wanted_outputs(ModelInferRequest(outputs=[named(name=name) for name in names]), [signature("a", "FP32", "n")])
    assert text in str(raised.value)


X = signature("x", "FP32", "n", 3)


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (raw_request("z", "FP32", [1, 3], bytes(12)), "inputs[0] 'z': no such input; the model takes 'x' FP32[-1, 3]"),
        (raw_request("", "FP32", [1, 3], bytes(12)), "inputs[0] '': no such input"),
        (ModelInferRequest(), "inputs: 'x' missing; the model takes 'x' FP32[-1, 3]"),
        (raw_request("x", "INT32", [1, 3], bytes(12)), "inputs[0] 'x': datatype 'INT32' came, 'FP32' expected"),
        (raw_request("x", "", [1, 3], bytes(12)), "inputs[0] 'x': datatype '' came, 'FP32' expected"),
        (raw_request("x", "fp32", [1, 3], bytes(12)), "inputs[0] 'x': datatype 'fp32' came, 'FP32' expected"),
        (raw_request("x", "FP32", [3], bytes(12)), "inputs[0] 'x': shape [3] came, [-1, 3] expected"),
        (raw_request("x", "FP32", [], bytes(4)), "inputs[0] 'x': shape [] came, [-1, 3] expected"),
        (raw_request("x", "FP32", [1, 1, 3], bytes(12)), "inputs[0] 'x': shape [1, 1, 3] came, [-1, 3] expected"),
        (raw_request("x", "FP32", [3, 1], bytes(12)), "inputs[0] 'x': shape [3, 1] came, [-1, 3] expected"),
        (raw_request("x", "FP32", [-1, 3], bytes(12)), "inputs[0] 'x': shape [-1, 3] came, [-1, 3] expected"),
        (raw_request("x", "FP32", [-1, -3], bytes(12)), "inputs[0] 'x': shape [-1, -3] came, [-1, 3] expected"),
        (raw_request("x", "FP32", [0, 3], b""), "inputs[0] 'x': shape [0, 3] has no rows, at least one expected"),
        (
            raw_request("x", "FP32", [2**62, 3], bytes(12)),
            f"inputs[0] 'x': shape [{2**62}, 3] came, which is more than",
        ),
        (raw_request("x", "FP32", [2, 3], bytes(23)), "inputs[0] 'x': 23 bytes came, its shape and datatype make 24"),
        (raw_request("x", "FP32", [2, 3], b""), "inputs[0] 'x': 0 bytes came, its shape and datatype make 24"),
        (typed_request("x", "FP32", [1, 3], [1.0, 2.0]), "inputs[0] 'x': 2 elements came, its shape makes 3"),
        (typed_request("x", "FP32", [1, 3], []), "inputs[0] 'x': 0 elements came, its shape makes 3"),
        (
            typed_request("x", "FP32", [1, 3], [1.0] * 3, "fp64_contents"),
            "inputs[0] 'x': fp64_contents came, FP32 expects fp32_contents",
        ),
    ],
)
def test_misfit_is_refused(request_: ModelInferRequest, text: str) -> None:
    """Whatever does not fit the signature is refused by its field, with what came and what was expected."""
    assert text in refused(request_, X)


def test_second_input_of_one_name_is_refused() -> None:
    """An input may come once."""
    request = raw_request("x", "FP32", [1, 3], bytes(12))
    request.MergeFrom(raw_request("x", "FP32", [1, 3], bytes(12)))
    assert "inputs[1] 'x': came twice" in refused(request, X)


def test_contents_of_both_kinds_are_refused() -> None:
    """A tensor has typed contents or raw ones."""
    request = typed_request("x", "FP32", [1, 3], [1.0, 2.0, 3.0])
    request.raw_input_contents.append(bytes(12))
    assert "inputs[0] 'x': has both contents and raw_input_contents" in refused(request, X)


@pytest.mark.parametrize("count", [1, 3])
def test_raw_contents_for_other_inputs_are_refused(count: int) -> None:
    """There are as many raw contents as inputs, or none."""
    request = ModelInferRequest(raw_input_contents=[bytes(12)] * count)
    for name in ("x", "y"):
        request.inputs.append(InferInput(name=name, datatype="FP32", shape=[1, 3]))
    text = refused(request, X, signature("y", "FP32", "n", 3))
    assert text == f"raw_input_contents has {count} entries for 2 inputs"


def test_two_fields_of_typed_contents_are_refused() -> None:
    """Elements in a field that is not the datatype's are refused, though the right field is there, too."""
    request = typed_request("x", "FP32", [1, 3], [1.0, 2.0, 3.0])
    request.inputs[0].contents.int_contents.append(1)
    assert "int_contents and fp32_contents came, FP32 expects fp32_contents" in refused(request, X)


@pytest.mark.parametrize("datatype", ["FP16", "BF16"])
def test_half_precision_has_no_typed_contents(datatype: str) -> None:
    """FP16 and BF16 go raw; typed ones are refused, saying so."""
    request = typed_request("x", datatype, [1], [1.0], "fp32_contents")
    assert f"inputs[0] 'x': {datatype} has no typed contents: use raw_input_contents" in refused(
        request, signature("x", datatype, "n")
    )


@pytest.mark.parametrize(
    ("datatype", "value"),
    [("INT8", 128), ("INT8", -129), ("INT16", 32768), ("INT16", -32769), ("UINT8", 256), ("UINT16", 65536)],
)
def test_element_out_of_range_is_refused(datatype: str, value: int) -> None:
    """Narrow integers travel in 32 bits; one that does not fit is refused, not cut off."""
    text = refused(typed_request("x", datatype, [2], [0, value]), signature("x", datatype, "n"))
    assert text == f"inputs[0] 'x': an element of {CONTENTS[datatype]} is out of {datatype}'s range"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\x01", "end in the middle of an element (1 bytes in all)"),
        (struct.pack("<I", 2) + b"a", "end in the middle of an element (5 bytes in all)"),
        (struct.pack("<I", 2**32 - 1), "end in the middle of an element (4 bytes in all)"),
        (packed("BYTES", ["a"]), "1 elements came, its shape makes 2"),
        (packed("BYTES", ["a", "b", "c"]), "3 elements came, its shape makes 2"),
        (b"", "0 elements came, its shape makes 2"),
        (packed("BYTES", ["a"]) + struct.pack("<I", 2) + b"\xff\xfe", "BYTES must be UTF-8 text"),
    ],
)
def test_wrong_raw_text_is_refused(raw: bytes, text: str) -> None:
    """Raw BYTES are lengths and UTF-8 texts, as many as the shape makes, to the last byte."""
    assert f"inputs[0] 'x': {text}" in refused(
        raw_request("x", "BYTES", [2], raw), signature("x", "BYTES", "n")
    ).replace("the raw BYTES ", "")


@pytest.mark.parametrize(
    ("values", "text"), [([b"a"], "1 elements came, its shape makes 2"), ([b"a", b"\xff"], "BYTES must be UTF-8 text")]
)
def test_wrong_typed_text_is_refused(values: list[object], text: str) -> None:
    """Typed BYTES are UTF-8 texts, as many as the shape makes."""
    assert f"inputs[0] 'x': {text}" in refused(typed_request("x", "BYTES", [2], values), signature("x", "BYTES", "n"))


@pytest.mark.parametrize(
    "shape",
    [[2**62, 2**62], [2**63 - 1, 2], [2**32, 2**32], [1, 2**62], [2**31, 2**31], [1, -(2**63)], [-(2**63), -(2**63)]],
)
@pytest.mark.parametrize("datatype", ["FP32", "UINT8", "BYTES", "BOOL"])
def test_overflowing_shape_is_refused(shape: list[int], datatype: str) -> None:
    """Dimensions whose product overflows are refused, whatever comes with them."""
    free = signature("x", datatype, None, None)
    for raw in (b"", bytes(64)):
        assert f"inputs[0] 'x': shape {shape} came" in refused(raw_request("x", datatype, shape, raw), free)


@pytest.mark.parametrize(
    "shape", [[1, 2**62, 0], [2**62, 2**62, 0], [2**40, 2**40, 0], [1, 0, 2**63 - 1], [1, 2**32, 0]]
)
def test_empty_tensor_of_absurd_sides_is_refused(shape: list[int]) -> None:
    """A shape that has no elements is held to what its other sides would make."""
    free = signature("x", "FP32", None, None, None)
    assert f"inputs[0] 'x': shape {shape} came" in refused(raw_request("x", "FP32", shape, b""), free)


def test_axes_of_one_name_have_one_size() -> None:
    """An axis that the graph names alike in two inputs has one size; the text says where it has not."""
    signatures = [signature("a", "FP32", "n", "m"), signature("b", "FP32", "n", None)]
    request = raw_request("a", "FP32", [2, 3], bytes(24))
    request.MergeFrom(raw_request("b", "FP32", [2, 5], bytes(40)))
    assert {name: array.shape for name, array in Reader(signatures).read(request).items()} == {"a": (2, 3), "b": (2, 5)}
    request.inputs[1].shape[:] = [5, 2]
    assert refused(request, *signatures) == "inputs: 'b' has 5 in dimension 0 (n), but 'a' has 2"


def test_axis_named_twice_in_one_input_has_one_size() -> None:
    """A square stays a square."""
    square = signature("x", "UINT8", "n", "n")
    assert refused(raw_request("x", "UINT8", [2, 3], bytes(6)), square) == (
        "inputs: 'x' has 3 in dimension 1 (n), but 'x' has 2"
    )


def test_long_names_are_cut_in_the_text() -> None:
    """What came is quoted, but not at any length."""
    assert len(refused(raw_request("x" * 10_000, "FP32", [1], bytes(4)), X)) < 300
    assert len(refused(raw_request("x", "FP32" * 10_000, [1], bytes(4)), X)) < 300
    assert len(refused(raw_request("x", "FP32", [1] * 10_000, bytes(4)), X)) < 300
