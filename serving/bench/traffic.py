"""Traffic: questions of every kind that a folder of models can be asked, by clients that leave when they like."""

import asyncio
import math
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import grpc
import grpc.aio
import numpy as np
from google.protobuf.message import Message

from hondo import artifact
from hondo.artifact import MODEL, STEP, Artifact
from protos.hondo_pb2 import (
    CaptionRequest,
    CaptionResponse,
    ClassifyRequest,
    ClassifyResponse,
    ClassifyStreamResponse,
    DetectEdgesRequest,
    DetectEdgesResponse,
    GenerateRequest,
    GenerateResponse,
    Row,
    ScoreRequest,
    ScoreResponse,
)
from protos.inference_pb2 import (
    ModelInferRequest,
    ModelInferResponse,
    ModelMetadataRequest,
    ModelMetadataResponse,
    ModelStreamInferResponse,
)
from protos.rpc import HONDO, INFERENCE, replies_async, stream_async, unary_async

# Of the calls, how many are left by their callers, and how many have a deadline that they may not meet.
_LEAVES: Final = 0.1
_HURRIES: Final = 0.1
# When those leave, and how long these have, seconds at most.
_SOON_S: Final = 0.05
# All others have this long: who is not answered by then hangs.
PATIENCE_S: Final = 30.0
# How long a client thinks between two questions, seconds at most.
_THINKS_S: Final = 0.1
_STREAMED: Final = 8
# What gRPC's asyncio client says, as INTERNAL, where a deadline is over before a stream's call was sent.
_UNSENT: Final = "Internal error from Core"
# What a call ends with that was answered, but not as before.
WRONG: Final = "WRONG ANSWER"

Channel = grpc.aio.Channel
# Asks a question; gives what the answer comes to, the same each time.
Ask = Callable[[Channel, float], Awaitable[object]]


class Kind(NamedTuple):
    """A kind of question."""

    name: str
    ask: Ask


@dataclass(frozen=True, slots=True)
class Ended:
    """A call that has ended."""

    kind: str
    # On the machine's monotonic clock.
    at_s: float
    took_s: float
    # The name of its gRPC status, or WRONG.
    code: str
    # Whether its caller brought that about: it left, or was in a hurry.
    is_expected: bool
    # What the server said beside the status.
    text: str = ""


def kinds(models: Path) -> list[Kind]:
    """Gives the questions that the models of a folder can be asked, each of the newest version there is now."""
    found: list[Kind] = []
    for folder in sorted(models.iterdir()):
        versions = [int(path.name) for path in folder.glob("*") if path.name.isdecimal()]
        if versions:
            found += _of(artifact.read(folder / str(max(versions))), _picture(models))
    return found


def _picture(models: Path) -> bytes:
    """Gives a small picture among the models' samples."""
    return min(models.glob("*/samples/*.*"), key=lambda path: (path.stat().st_size, path)).read_bytes()


def _of(read: Artifact, picture: bytes) -> Iterator[Kind]:
    name = read.manifest.name
    match read.manifest.WhichOneof("task"):
        case "classification":
            yield from _of_classifier(read, picture)
        case "edge_detection":
            edges = DetectEdgesRequest(model=name, images=[picture])
            yield Kind(f"edges {name}", _unary("DetectEdges", edges, DetectEdgesResponse, _sides))
        case "text_generation":
            text = GenerateRequest(model=name, prompt="the ", max_characters=200, seed=7, stream_interval_ms=5)
            yield Kind(f"text {name}", _streaming("Generate", text, GenerateResponse, _text))
            score = ScoreRequest(model=name, text="the end of all")
            yield Kind(
                f"score {name}", _unary("Score", score, ScoreResponse, lambda answer: len(answer.log_probabilities))
            )
            yield Kind(f"sequence {name}", _sequence(read))
        case "captioning":
            caption = CaptionRequest(model=name, image=picture, stream_interval_ms=5)
            yield Kind(f"caption {name}", _streaming("Caption", caption, CaptionResponse, _words))
            beam = CaptionRequest(model=name, image=picture, beam_width=3)
            yield Kind(f"beam {name}", _streaming("Caption", beam, CaptionResponse, _words))
        case _:  # what has no typed question
            pass


def _of_classifier(read: Artifact, picture: bytes) -> Iterator[Kind]:
    name = read.manifest.name
    given, _ = read.golden(MODEL)
    (tensor, values), *_ = given.items()
    match read.manifest.classification.WhichOneof("input"):
        case "text":
            request = ClassifyRequest(model=name, texts=["Who wrote this , and when ?"])
        case "table":
            request = ClassifyRequest(model=name, rows=[Row(values=values[0].tolist())])
        case _:
            request = ClassifyRequest(model=name, images=[picture])
    yield Kind(f"classify {name}", _unary("Classify", request, ClassifyResponse, _best))
    yield Kind(f"stream {name}", _classify_stream(request))
    infer = _infer_request(name, {tensor: values[:2]})
    yield Kind(f"infer {name}", _unary("ModelInfer", infer, ModelInferResponse, _arg_max, INFERENCE))


def _infer_request(model: str, tensors: dict[str, Any], **parameters: int | bool) -> ModelInferRequest:
    datatypes = {"f": "FP", "i": "INT", "u": "UINT"}
    request = ModelInferRequest(model_name=model, raw_input_contents=[array.tobytes() for array in tensors.values()])
    for name, array in tensors.items():
        datatype = f"{datatypes[array.dtype.kind]}{8 * array.dtype.itemsize}"
        request.inputs.add(name=name, datatype=datatype, shape=array.shape)
    for name, value in parameters.items():
        parameter = request.parameters[name]
        if isinstance(value, bool):
            parameter.bool_param = value
        else:
            parameter.int64_param = value
    return request


def _unary(
    method: str, request: Message, response: type[Any], comes_to: Callable[[Any], object], service: Any = HONDO
) -> Ask:
    async def ask(channel: Channel, timeout_s: float) -> object:
        call: Any = unary_async(channel, service, method, response)
        return comes_to(await call(request, timeout=timeout_s))

    return ask


def _streaming(method: str, request: Message, response: type[Any], comes_to: Callable[[Sequence[Any]], object]) -> Ask:
    async def ask(channel: Channel, timeout_s: float) -> object:
        call: Any = replies_async(channel, HONDO, method, response)
        return comes_to([answer async for answer in call(request, timeout=timeout_s)])

    return ask


def _classify_stream(request: ClassifyRequest) -> Ask:
    async def ask(channel: Channel, timeout_s: float) -> object:
        call: Any = stream_async(channel, HONDO, "ClassifyStream", ClassifyStreamResponse)
        answers = [answer async for answer in call(iter([request] * _STREAMED), timeout=timeout_s)]
        return [_best(answer.answer) for answer in answers]

    return ask


def _sequence(read: Artifact) -> Ask:
    """Gives what goes through a sequence on a stream of ModelStreamInfer, with the first golden row at each step."""
    name = read.manifest.name
    golden, _ = read.golden(STEP)

    async def ask(channel: Channel, timeout_s: float) -> object:
        metadata: Any = unary_async(channel, INFERENCE, "ModelMetadata", ModelMetadataResponse)
        takes = (await metadata(ModelMetadataRequest(name=name), timeout=timeout_s)).inputs
        tensors = {each.name: golden[each.name][:1] for each in takes}
        own = random.getrandbits(62) + 1
        requests = [
            _infer_request(
                name, tensors, sequence_id=own, sequence_start=number == 0, sequence_end=number == _STREAMED - 1
            )
            for number in range(_STREAMED)
        ]
        call: Any = stream_async(channel, INFERENCE, "ModelStreamInfer", ModelStreamInferResponse)
        answers = [answer async for answer in call(iter(requests), timeout=timeout_s)]
        return [answer.error_message or answer.infer_response.raw_output_contents[0] for answer in answers]

    return ask


def _best(answer: ClassifyResponse) -> list[str]:
    return [result.labels[0].name for result in answer.results]


def _arg_max(answer: ModelInferResponse) -> object:
    rows = answer.outputs[0].shape[0]
    return np.frombuffer(answer.raw_output_contents[0], np.float32).reshape(rows, -1).argmax(axis=1).tolist()


def _sides(answer: DetectEdgesResponse) -> object:
    return [(edges.height, edges.width) for edges in answer.results]


def _tokens(answer: ScoreResponse) -> int:
    return len(answer.log_probabilities)


def _text(answers: Sequence[GenerateResponse]) -> str:
    return "".join(each.text for answer in answers for each in answer.continued)


def _words(answers: Sequence[CaptionResponse]) -> list[str]:
    return [caption.text for caption in answers[-1].captions]


async def drive(address: str, asked: Sequence[Kind], until_s: float, clients: int) -> list[Ended]:
    """Has clients ask in turn, each one question of each kind, until a time of the monotonic clock.

    Each kind is asked once before, which gives what all of its answers must come to.
    """
    ended: list[Ended] = []
    async with grpc.aio.insecure_channel(address) as channel:
        right = {kind.name: await kind.ask(channel, PATIENCE_S) for kind in asked}
    async with asyncio.TaskGroup() as group:
        for number in range(clients):
            chance = random.Random(number)  # noqa: S311  no secret
            asking = _asking(address, asked, right, chance)
            group.create_task(_until(until_s, asking, ended))
    return ended


async def _until(until_s: float, asking: AsyncGenerator[Ended], ended: list[Ended]) -> None:
    async with aclosing(asking):
        async for each in asking:
            ended.append(each)
            if time.monotonic() > until_s:
                return


async def _asking(
    address: str, asked: Sequence[Kind], right: dict[str, object], chance: random.Random
) -> AsyncGenerator[Ended]:
    """Asks for ever."""
    own = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
    while True:
        # A connection is not for life either.
        async with grpc.aio.insecure_channel(address, options=own) as channel:
            for kind in chance.sample(list(asked), len(asked)):
                yield await _once(channel, kind, right[kind.name], chance)
                await asyncio.sleep(_THINKS_S * chance.random())


async def _once(channel: Channel, kind: Kind, right: object, chance: random.Random) -> Ended:
    mood = chance.random()
    hurries = mood < _HURRIES
    leaves_after_s = _SOON_S * chance.random() if _HURRIES <= mood < _HURRIES + _LEAVES else math.inf
    timeout_s = max(0.001, _SOON_S * chance.random()) if hurries else PATIENCE_S
    began_s = time.monotonic()
    code, expected, text = "OK", False, ""
    asking = asyncio.ensure_future(kind.ask(channel, timeout_s))
    try:
        came = await asyncio.wait_for(asking, None if leaves_after_s == math.inf else leaves_after_s)
        code = "OK" if came == right else WRONG
    except TimeoutError:
        code, expected = "CANCELLED", True
    except grpc.aio.AioRpcError as error:
        code, text = error.code().name, error.details() or ""
        if hurries and text == _UNSENT:
            code = "DEADLINE_EXCEEDED"
        expected = hurries and code == "DEADLINE_EXCEEDED"
    now_s = time.monotonic()
    return Ended(kind.name, now_s, now_s - began_s, code, expected, text)
