"""Requests as nobody should send them: good ones, spoiled in ways that know their structure."""

from collections.abc import Callable
from typing import Final

from google.protobuf.message import Message
from hypothesis import strategies as st
from PIL import Image

from protos.hondo_pb2 import ClassifyRequest, DetectEdgesRequest, EdgeFormat, GenerateRequest, Row
from protos.inference_pb2 import InferParameter, InferTensorContents, ModelInferRequest
from tests.hondo.pictures import encode
from tests.serving import artifacts
from tests.serving.artifacts import LABELS, bright
from tests.serving.asking import raw, typed
from tests.serving.values import CONTENTS, VALUES

INT64: Final = st.integers(-(2**63), 2**63 - 1)
SIDES: Final = st.one_of(st.sampled_from([-1, 0, 1, 2, 3, 6, 8, 2**31, 2**32, 2**62, 2**63 - 1, -(2**63)]), INT64)
NAMES: Final = st.one_of(
    st.sampled_from(["", "x", "y", "a", "b", "name", "number", "text", "image", "probabilities"]), st.text(max_size=20)
)
MODELS: Final = st.one_of(
    st.sampled_from(["side", "join", "add", "pick", "two", *(f"same_{datatype}" for datatype in VALUES)]),
    st.text(max_size=20),
)
DATATYPES: Final = st.one_of(st.sampled_from([*VALUES, "", "STRING", "fp32"]), st.text(max_size=8))
VERSIONS: Final = st.one_of(st.sampled_from(["", "0", "1", "2", "3", "-1", "01", "1.0", "9" * 30]), st.text(max_size=8))
PARAMETERS: Final = st.one_of(
    st.builds(InferParameter),
    st.builds(InferParameter, bool_param=st.booleans()),
    st.builds(InferParameter, int64_param=INT64),
    st.builds(InferParameter, uint64_param=st.integers(0, 2**64 - 1)),
    st.builds(InferParameter, double_param=st.floats()),
    st.builds(InferParameter, string_param=st.text(max_size=8)),
)
PARAMETER_NAMES: Final = st.sampled_from(
    ["sequence_id", "sequence_start", "shared_memory_region", "binary_data_size", "classification", "priority", ""]
)
CONTENT: Final = st.builds(
    InferTensorContents,
    bool_contents=st.lists(st.booleans(), max_size=3),
    int_contents=st.lists(st.integers(-(2**31), 2**31 - 1), max_size=3),
    fp32_contents=st.lists(st.floats(width=32), max_size=3),
    uint64_contents=st.lists(st.integers(0, 2**64 - 1), max_size=1),
    bytes_contents=st.lists(st.binary(max_size=4), max_size=2),
)


def joined() -> ModelInferRequest:
    """Gives a good request to the model of two inputs."""
    request = raw("BYTES", [1, 2], ["a", "größer"], "name")
    request.MergeFrom(raw("INT64", [1, 2], [1, -20], "number"))
    request.model_name = "join"
    return request


def summed() -> ModelInferRequest:
    """Gives a good request to the model whose inputs' sizes agree."""
    request = raw("FP32", [1, 2], [1.0, 2.0], "a")
    request.MergeFrom(raw("FP32", [1, 2], [3.0, 4.0], "b"))
    request.model_name = "add"
    return request


def seen() -> ModelInferRequest:
    """Gives a good request of pixels to the classifier."""
    request = raw("UINT8", [4, 8, 8, 1], artifacts.samples().ravel().tolist(), "image")
    request.model_name = "side"
    return request


def same(datatype: str, *, as_typed: bool) -> ModelInferRequest:
    """Gives a good request to the model y = x of a datatype."""
    request = (typed if as_typed else raw)(datatype, [2, 3], VALUES[datatype])
    request.model_name = f"same_{datatype}"
    return request


GOOD: Final = st.sampled_from(
    [
        joined(),
        summed(),
        seen(),
        *(same(datatype, as_typed=False) for datatype in VALUES),
        *(same(datatype, as_typed=True) for datatype in CONTENTS),
    ]
)


def spoil_model(request: ModelInferRequest, draw: st.DrawFn) -> None:
    """Names another model or version."""
    request.model_name = draw(st.one_of(st.just(request.model_name), MODELS))
    request.model_version = draw(st.one_of(st.just(""), VERSIONS))
    request.id = draw(st.text(max_size=40))


def spoil_tensor(request: ModelInferRequest, draw: st.DrawFn) -> None:
    """Gives one input another name or datatype."""
    for tensor in request.inputs[:1]:
        tensor.name = draw(st.one_of(st.just(tensor.name), NAMES))
        tensor.datatype = draw(st.one_of(st.just(tensor.datatype), DATATYPES))


def spoil_shape(request: ModelInferRequest, draw: st.DrawFn) -> None:
    """Gives each input another shape, by and large of the right rank."""
    for tensor in request.inputs:
        rank = len(tensor.shape)
        tensor.shape[:] = draw(st.one_of(st.lists(SIDES, min_size=rank, max_size=rank), st.lists(SIDES, max_size=70)))


def spoil_empty(request: ModelInferRequest, draw: st.DrawFn) -> None:
    """Sends no elements, under a shape that may have none."""
    for tensor in request.inputs:
        rank = len(tensor.shape)
        tensor.shape[:] = draw(st.permutations([0, *[2**33] * (rank - 1)] if rank else []))
        tensor.ClearField("contents")
    request.raw_input_contents[:] = [b""] * len(request.inputs)


def spoil_raw(request: ModelInferRequest, draw: st.DrawFn) -> None:
    """Sends other bytes: cut off, with more at their end, or any."""
    for index, data in enumerate(request.raw_input_contents):
        request.raw_input_contents[index] = draw(
            st.sampled_from([data, data[:-1], data[1:], data + b"\0", b"", b"\xff" * len(data), data * 2])
        )
    if not request.raw_input_contents:
        request.raw_input_contents.append(draw(st.binary(max_size=64)))


def spoil_contents(request: ModelInferRequest, draw: st.DrawFn) -> None:
    """Adds typed contents of any kind."""
    for tensor in request.inputs:
        tensor.contents.MergeFrom(draw(CONTENT))


def spoil_count(request: ModelInferRequest, draw: st.DrawFn) -> None:
    """Sends inputs twice or not at all, or more or fewer raw contents."""
    match draw(st.integers(0, 4)):
        case 0:
            request.inputs.extend(list(request.inputs))
        case 1:
            request.ClearField("inputs")
        case 2:
            request.raw_input_contents.extend(list(request.raw_input_contents))
        case 3:
            request.ClearField("raw_input_contents")
        case _:
            request.inputs.reverse()


def spoil_outputs(request: ModelInferRequest, draw: st.DrawFn) -> None:
    """Asks for outputs that may not be there."""
    for name in draw(st.lists(NAMES, max_size=3)):
        request.outputs.add(name=name)


def spoil_parameters(request: ModelInferRequest, draw: st.DrawFn) -> None:
    """Adds parameters to the request, its inputs and its outputs."""
    parts = [*(tensor.parameters for tensor in request.inputs), *(output.parameters for output in request.outputs)]
    for holder in (request.parameters, *parts):
        name, parameter = draw(st.tuples(PARAMETER_NAMES, PARAMETERS))
        holder[name].CopyFrom(parameter)


SPOIL: Final[list[Callable[[ModelInferRequest, st.DrawFn], None]]] = [
    spoil_model,
    spoil_tensor,
    spoil_shape,
    spoil_empty,
    spoil_raw,
    spoil_contents,
    spoil_count,
    spoil_outputs,
    spoil_parameters,
]


@st.composite
def infer_requests(draw: st.DrawFn) -> ModelInferRequest:
    """Draws a good ModelInfer request, spoiled in one to three ways."""
    request = ModelInferRequest()
    request.CopyFrom(draw(GOOD))
    for spoil in draw(st.lists(st.sampled_from(SPOIL), min_size=1, max_size=3)):
        spoil(request, draw)
    return request


PICTURES: Final = [
    encode(Image.fromarray(bright(label)), kind)
    for label, kind in zip(LABELS, ("PNG", "JPEG", "GIF", "TIFF"), strict=True)
]
# These are too small for an edge detector.
LARGER: Final = encode(Image.fromarray(bright("left")).resize((17, 16)), "PNG")


@st.composite
def pictures(draw: st.DrawFn) -> bytes:
    """Draws a picture file: whole, cut off, with bytes overwritten, or none at all."""
    data = draw(st.sampled_from(PICTURES))
    start = draw(st.integers(0, len(data)))
    patch = draw(st.binary(max_size=8))
    return draw(st.sampled_from([data, data[:start], data[:start] + patch + data[start + len(patch) :], patch, b""]))


ROWS: Final = st.lists(
    st.builds(Row, values=st.lists(st.one_of(st.floats(width=32), st.floats(-9, 9)), max_size=3)), max_size=4
)
TEXTS: Final = st.lists(
    st.one_of(st.sampled_from(["a good film", "so bad!", "", "..."]), st.text(max_size=40)), max_size=4
)
THINGS: Final = st.one_of(
    st.fixed_dictionaries({"images": st.lists(pictures(), max_size=4)}),
    st.fixed_dictionaries({"texts": TEXTS}),
    st.fixed_dictionaries({"rows": ROWS}),
    st.fixed_dictionaries({"images": st.lists(pictures(), max_size=2), "texts": TEXTS, "rows": ROWS}),
)
CLASSIFY_REQUESTS: Final = st.builds(
    lambda things, **settings: ClassifyRequest(**things, **settings),
    THINGS,
    model=st.one_of(st.sampled_from(["", "side", "mood", "direction"]), MODELS),
    version=st.one_of(st.integers(0, 3), st.integers(0, 2**32 - 1)),
    top_k=st.one_of(st.integers(0, 5), st.integers(0, 2**32 - 1)),
    priority=st.sampled_from([0, 1, 2, -1]),
)

GENERATE_REQUESTS: Final = st.builds(
    GenerateRequest,
    model=st.one_of(st.sampled_from(["", "writer"]), MODELS),
    version=st.one_of(st.sampled_from([0, 1]), st.integers(0, 2**32 - 1)),
    prompt=st.one_of(st.text("abc \n", max_size=9), st.text(max_size=9)),
    max_characters=st.one_of(st.integers(1, 200), st.integers(1_000_001, 2**32 - 1)),
    temperature=st.one_of(st.none(), st.floats(0, 2, width=32), st.floats(width=32)),
    top_k=st.one_of(st.integers(0, 40), st.integers(0, 2**32 - 1)),
    top_p=st.one_of(st.none(), st.floats(0.125, 1, width=32), st.floats(width=32)),
    seed=st.one_of(st.none(), st.integers(0, 2**64 - 1)),
    stop=st.lists(st.one_of(st.text("abc", min_size=1, max_size=3), st.text(max_size=3)), max_size=9),
    continuations=st.one_of(st.integers(0, 5), st.integers(0, 2**32 - 1)),
    stream_interval_ms=st.one_of(st.none(), st.integers(0, 5)),
    log_probabilities=st.booleans(),
    replace_unknown=st.booleans(),
)

DETECT_REQUESTS: Final = st.builds(
    DetectEdgesRequest,
    images=st.lists(st.one_of(st.just(LARGER), pictures()), max_size=3),
    model=st.one_of(st.sampled_from(["", "edgy"]), MODELS),
    version=st.one_of(st.integers(0, 3), st.integers(0, 2**32 - 1)),
    format=st.one_of(st.sampled_from(EdgeFormat.values()), st.integers(-(2**31), 2**31 - 1)),
    thin=st.booleans(),
    threshold=st.one_of(st.sampled_from([0, 0.5, 1]), st.floats(width=32)),
    side_edges=st.booleans(),
    priority=st.sampled_from([0, 1, 2, -1]),
)


@st.composite
def damaged(draw: st.DrawFn, requests: st.SearchStrategy[Message]) -> bytes:
    """Draws the bytes of a request, cut off or with some of them overwritten, or any bytes."""
    data = draw(requests).SerializeToString()
    start = draw(st.integers(0, len(data)))
    patch = draw(st.binary(max_size=6))
    return draw(st.sampled_from([data[:start], data[:start] + patch + data[start + len(patch) :], data + patch, patch]))
