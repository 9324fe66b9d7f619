"""The typed client of `hondo.v1`, blocking and asyncio: `with Client() as client: client.classify(["cat.jpg"])`."""

from collections.abc import AsyncGenerator, AsyncIterable, Generator, Iterable, Sequence
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import grpc
import grpc.aio

from hondo import channel, items, maps
from hondo.access import DEFAULT_SERVER, Access
from hondo.answer import Answer
from hondo.bulk import Bulk
from hondo.items import Field, Numbers, Picture
from hondo.many import ask_many, ask_many_async
from hondo.maps import FORMATS, Bits, Detected
from hondo.piece import Piece, Pieces
from hondo.told import Telling, Told
from protos import rpc
from protos.hondo_pb2 import (
    Absent,
    CaptionRequest,
    CaptionResponse,
    ClassifyResponse,
    ClassifyStreamResponse,
    DetectEdgesResponse,
    GenerateRequest,
    GenerateResponse,
    GetModelRequest,
    GetModelResponse,
    ListModelsRequest,
    ListModelsResponse,
    Model,
    ScoreRequest,
    ScoreResponse,
)
from protos.rpc import HONDO

DEFAULT_TIMEOUT_S: Final = 30.0
DEFAULT_BATCH: Final = 32

Item = TypeVar("Item", bound=Picture | str | Numbers)


class Client:
    """A blocking client, safe to use from several threads.

    Every method raises what `hondo.errors` lists: InvalidRequest, ModelNotFound, WrongTask, Unavailable, ...
    """

    def __init__(
        self, server: str = DEFAULT_SERVER, *, timeout_s: float = DEFAULT_TIMEOUT_S, access: Access | None = None
    ) -> None:
        self._server = server
        self._timeout_s = timeout_s
        access = access or Access()
        shown = access.metadata
        self._channel = access.channel(server)
        self._classify = rpc.unary(self._channel, HONDO, "Classify", ClassifyResponse, shown)
        self._classify_stream = rpc.stream(
            self._channel, HONDO, "ClassifyStream", ClassifyStreamResponse, access.metadata
        )
        self._detect_edges = rpc.unary(self._channel, HONDO, "DetectEdges", DetectEdgesResponse, shown)
        self._generate = rpc.replies(self._channel, HONDO, "Generate", GenerateResponse, shown)
        self._caption = rpc.replies(self._channel, HONDO, "Caption", CaptionResponse, shown)
        self._score = rpc.unary(self._channel, HONDO, "Score", ScoreResponse, shown)
        self._list_models = rpc.unary(self._channel, HONDO, "ListModels", ListModelsResponse, shown)
        self._get_model = rpc.unary(self._channel, HONDO, "GetModel", GetModelResponse, shown)

    def classify(
        self,
        images: Iterable[Picture] | None = None,
        *,
        texts: Iterable[str] | None = None,
        rows: Iterable[Numbers] | None = None,
        model: str = "",
        version: int = 0,
        top_k: int = 5,
    ) -> ClassifyResponse:
        """Names what pictures, texts or rows of a table are: all in one request, so one that is bad fails all.

        Args:
            images: picture files (PNG, JPEG, WebP, BMP, GIF or TIFF), as bytes or paths; at least one.
            texts: or sentences.
            rows: or rows of numbers, each in the order of the model's columns.
            model: name of the classifier; may be left out where the server has only one that takes what is given.
            version: 0 asks for the newest.
            top_k: how many labels for each, best first.
        """
        field, given = items.chosen(images, texts, rows)
        request = items.request(field, given, model=model, version=version, top_k=top_k)
        try:
            return self._classify(request, timeout=self._timeout_s)
        except grpc.RpcError as error:
            raise channel.raised(error, self._server) from error

    def classify_many(
        self,
        images: Iterable[Item] | None = None,
        *,
        texts: Iterable[Item] | None = None,
        rows: Iterable[Item] | None = None,
        model: str = "",
        version: int = 0,
        top_k: int = 5,
        batch: int = DEFAULT_BATCH,
    ) -> Generator[Answer[Item]]:
        """Names what any number of pictures, texts or rows are, over a stream.

        Gives an answer for each, in their order. A bad one fails alone: its answer has an `error`, which asking for its
        `labels` raises. A full queue is waited for, and a stream that breaks is taken up again where it broke. What
        fails all is raised, and DeadlineExceeded where no answer comes within the client's `timeout_s`.

        The pictures, texts or rows are taken as the answers are, but some hundreds ahead of them: what trickles in is
        better asked one by one.

        Args:
            images: as for `classify`, but any iterable.
            texts: or sentences.
            rows: or rows of numbers.
            model: as for `classify`.
            version: as for `classify`.
            top_k: as for `classify`.
            batch: how many go into a message.
        """
        field, given = items.chosen(images, texts, rows)
        bulk: Bulk[Item] = Bulk(
            field, model=model, version=version, top_k=top_k, batch=batch, patience_s=self._timeout_s
        )
        return ask_many(bulk, given, self._classify_stream, self._server, self._timeout_s)

    def detect_edges(
        self,
        images: Iterable[Picture],
        *,
        model: str = "",
        version: int = 0,
        thin: bool = False,
        threshold: float = 0.0,
        side_edges: bool = False,
        bits: Bits = 32,
    ) -> list[Detected]:
        """Finds the edges in pictures, each of any size from 16 x 16: all in one request, so one that is bad fails all.

        Args:
            images: picture files (PNG, JPEG, WebP, BMP, GIF or TIFF), as bytes or paths; at least one.
            model: name of the edge detector; may be left out where the server has only one.
            version: 0 asks for the newest.
            thin: broad edges become lines one pixel wide (non-maximum suppression).
            threshold: above 0: what is at least so strong becomes 1, all else 0; after `thin`.
            side_edges: gives the net's side outputs too.
            bits: how exact the numbers travel: 32 as they are, 8 or 16 as PNG, which is shorter.
        """
        request = items.edges_request(
            images,
            model=model,
            version=version,
            format=FORMATS[bits],
            thin=thin,
            threshold=threshold,
            side_edges=side_edges,
        )
        try:
            return maps.answered(self._detect_edges(request, timeout=self._timeout_s), request.format)
        except grpc.RpcError as error:
            raise channel.raised(error, self._server) from error

    def generate(
        self,
        prompt: str = "",
        *,
        model: str = "",
        version: int = 0,
        max_characters: int = 500,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int | None = None,
        stop: Sequence[str] = (),
        continuations: int = 1,
        stream_interval_ms: int | None = None,
        log_probabilities: bool = False,
        replace_unknown: bool = False,
        timeout_s: float | None = None,
    ) -> Generator[Piece]:
        """Writes on from a prompt; gives the pieces as they come. Closing the generator ends the writing on the server.

        Args:
            prompt: what to write on from; empty for a text's beginning.
            model: name of the model; may be left out where the server has only one that writes.
            version: 0 asks for the newest.
            max_characters: most characters of each continuation.
            temperature: 0 for the most probable character each time; the higher, the more surprising.
            top_k: choose among so many of the most probable characters only; 0 for all.
            top_p: of these, among the fewest most probable that together have this share; 1 for all.
            seed: the same one writes the same text; the server chooses it unless given, and the pieces tell.
            stop: strings, each of which ends a continuation before it.
            continuations: how many to write, side by side.
            stream_interval_ms: from one message of the server to the next, at least; its own default unless given.
            log_probabilities: ask for those of the characters.
            replace_unknown: rather than refuse a prompt with characters that the model does not know, replace them.
            timeout_s: how long all of it may take; without limit unless given.
        """
        request = GenerateRequest(
            model=model,
            version=version,
            prompt=items.text(prompt),
            max_characters=max_characters,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            seed=seed,
            stop=[items.text(each) for each in stop],
            continuations=continuations,
            stream_interval_ms=stream_interval_ms,
            log_probabilities=log_probabilities,
            replace_unknown=replace_unknown,
        )
        return _pieces(self._generate(request, timeout=timeout_s), self._server)

    def score(
        self,
        text: str,
        *,
        model: str = "",
        version: int = 0,
        log_probabilities: bool = False,
        replace_unknown: bool = False,
    ) -> ScoreResponse:
        """Says how well a model that writes foretells a text: bits a character, and the text's log-likelihood.

        Args:
            text: at least one character.
            model: as for `generate`.
            version: as for `generate`.
            log_probabilities: ask for those of the characters, too.
            replace_unknown: as for `generate`.
        """
        request = ScoreRequest(
            model=model,
            version=version,
            text=items.text(text),
            log_probabilities=log_probabilities,
            replace_unknown=replace_unknown,
        )
        try:
            return self._score(request, timeout=self._timeout_s)
        except grpc.RpcError as error:
            raise channel.raised(error, self._server) from error

    def caption(
        self,
        image: Picture,
        *,
        model: str = "",
        version: int = 0,
        max_words: int = 0,
        beam_width: int = 1,
        length_penalty: float | None = None,
        captions: int = 1,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int | None = None,
        attention: bool = False,
        best_so_far: bool = False,
        stream_interval_ms: int | None = None,
        timeout_s: float | None = None,
    ) -> Generator[Told]:
        """Says what is in a picture; gives the words as they come. Closing the generator ends it on the server.

        Args:
            image: a picture file (PNG, JPEG, WebP, BMP, GIF or TIFF), as bytes or a path.
            model: name of the model; may be left out where the server has only one that makes captions.
            version: 0 asks for the newest.
            max_words: most words of a caption; 0 leaves it to the model.
            beam_width: above 1, so many captions are gone on with at each word, and the best is given at the end.
            length_penalty: captions of a beam are compared by their log-probabilities divided by their lengths to this
                power; the model's own unless given.
            captions: how many to give: the best of a beam, or each by chances of its own, at a temperature above 0.
            temperature: 0 for the most probable word each time; the higher, the more surprising.
            top_k: choose among so many of the most probable words only; 0 for as many as the model has.
            top_p: of these, among the fewest most probable that together have this share; 1 for all.
            seed: the same one gives the same captions; the server chooses it unless given, and what comes tells.
            attention: ask where it looked at each word.
            best_so_far: ask what a beam has best so far, while it goes on.
            stream_interval_ms: from one message of the server to the next, at least; its own default unless given.
            timeout_s: how long all of it may take; without limit unless given.
        """
        request = items.caption_request(
            image,
            model=model,
            version=version,
            max_words=max_words,
            beam_width=beam_width,
            length_penalty=length_penalty,
            captions=captions,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            seed=seed,
            attention=attention,
            best_so_far=best_so_far,
            stream_interval_ms=stream_interval_ms,
        )
        return _telling(self._caption(request, timeout=timeout_s), self._server)

    def list_models(self) -> Sequence[Model]:
        """Lists every version of every model served, sorted by name, newest version first, without vocabularies."""
        try:
            return self._list_models(ListModelsRequest(), timeout=self._timeout_s).models
        except grpc.RpcError as error:
            raise channel.raised(error, self._server) from error

    def list_absent(self) -> Sequence[Absent]:
        """Lists what lies in the server's folder of models but is not served, and why."""
        try:
            return self._list_models(ListModelsRequest(), timeout=self._timeout_s).absent
        except grpc.RpcError as error:
            raise channel.raised(error, self._server) from error

    def get_model(self, model: str, version: int = 0) -> Model:
        """Describes a model; version 0 is the newest."""
        try:
            return self._get_model(GetModelRequest(model=model, version=version), timeout=self._timeout_s).model
        except grpc.RpcError as error:
            raise channel.raised(error, self._server) from error

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient:
    """The same client for asyncio; make it inside the event loop that uses it."""

    def __init__(
        self, server: str = DEFAULT_SERVER, *, timeout_s: float = DEFAULT_TIMEOUT_S, access: Access | None = None
    ) -> None:
        self._server = server
        self._timeout_s = timeout_s
        access = access or Access()
        shown = access.metadata
        self._channel = access.channel_async(server)
        self._classify = rpc.unary_async(self._channel, HONDO, "Classify", ClassifyResponse, shown)
        self._classify_stream = rpc.stream_async(
            self._channel, HONDO, "ClassifyStream", ClassifyStreamResponse, access.metadata
        )
        self._detect_edges = rpc.unary_async(self._channel, HONDO, "DetectEdges", DetectEdgesResponse, shown)
        self._generate = rpc.replies_async(self._channel, HONDO, "Generate", GenerateResponse, shown)
        self._caption = rpc.replies_async(self._channel, HONDO, "Caption", CaptionResponse, shown)
        self._score = rpc.unary_async(self._channel, HONDO, "Score", ScoreResponse, shown)
        self._list_models = rpc.unary_async(self._channel, HONDO, "ListModels", ListModelsResponse, shown)
        self._get_model = rpc.unary_async(self._channel, HONDO, "GetModel", GetModelResponse, shown)

    async def classify(
        self,
        images: Iterable[Picture] | None = None,
        *,
        texts: Iterable[str] | None = None,
        rows: Iterable[Numbers] | None = None,
        model: str = "",
        version: int = 0,
        top_k: int = 5,
    ) -> ClassifyResponse:
        """Names what pictures, texts or rows are: see `Client.classify`."""
        field, given = items.chosen(images, texts, rows)
        request = items.request(field, given, model=model, version=version, top_k=top_k)
        try:
            return await self._classify(request, timeout=self._timeout_s)
        except grpc.RpcError as error:
            raise channel.raised(error, self._server) from error

    def classify_many(
        self,
        images: Iterable[Item] | AsyncIterable[Item] | None = None,
        *,
        texts: Iterable[Item] | AsyncIterable[Item] | None = None,
        rows: Iterable[Item] | AsyncIterable[Item] | None = None,
        model: str = "",
        version: int = 0,
        top_k: int = 5,
        batch: int = DEFAULT_BATCH,
    ) -> AsyncGenerator[Answer[Item]]:
        """Names what any number of pictures, texts or rows are: see `Client.classify_many`."""
        chosen: tuple[Field, Iterable[Item] | AsyncIterable[Item]] = items.chosen(images, texts, rows)
        field, given = chosen
        bulk: Bulk[Item] = Bulk(
            field, model=model, version=version, top_k=top_k, batch=batch, patience_s=self._timeout_s
        )
        return ask_many_async(bulk, given, self._classify_stream, self._server, self._timeout_s)

    async def detect_edges(
        self,
        images: Iterable[Picture],
        *,
        model: str = "",
        version: int = 0,
        thin: bool = False,
        threshold: float = 0.0,
        side_edges: bool = False,
        bits: Bits = 32,
    ) -> list[Detected]:
        """Finds the edges in pictures: see `Client.detect_edges`."""
        request = items.edges_request(
            images,
            model=model,
            version=version,
            format=FORMATS[bits],
            thin=thin,
            threshold=threshold,
            side_edges=side_edges,
        )
        try:
            return maps.answered(await self._detect_edges(request, timeout=self._timeout_s), request.format)
        except grpc.RpcError as error:
            raise channel.raised(error, self._server) from error

    def generate(
        self,
        prompt: str = "",
        *,
        model: str = "",
        version: int = 0,
        max_characters: int = 500,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int | None = None,
        stop: Sequence[str] = (),
        continuations: int = 1,
        stream_interval_ms: int | None = None,
        log_probabilities: bool = False,
        replace_unknown: bool = False,
        timeout_s: float | None = None,
    ) -> AsyncGenerator[Piece]:
        """Writes on from a prompt: see `Client.generate`."""
        request = GenerateRequest(
            model=model,
            version=version,
            prompt=items.text(prompt),
            max_characters=max_characters,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            seed=seed,
            stop=[items.text(each) for each in stop],
            continuations=continuations,
            stream_interval_ms=stream_interval_ms,
            log_probabilities=log_probabilities,
            replace_unknown=replace_unknown,
        )
        return _pieces_async(self._generate(request, timeout=timeout_s), self._server)

    async def score(
        self,
        text: str,
        *,
        model: str = "",
        version: int = 0,
        log_probabilities: bool = False,
        replace_unknown: bool = False,
    ) -> ScoreResponse:
        """Says how well a model that writes foretells a text: see `Client.score`."""
        request = ScoreRequest(
            model=model,
            version=version,
            text=items.text(text),
            log_probabilities=log_probabilities,
            replace_unknown=replace_unknown,
        )
        try:
            return await self._score(request, timeout=self._timeout_s)
        except grpc.RpcError as error:
            raise channel.raised(error, self._server) from error

    def caption(
        self,
        image: Picture,
        *,
        model: str = "",
        version: int = 0,
        max_words: int = 0,
        beam_width: int = 1,
        length_penalty: float | None = None,
        captions: int = 1,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int | None = None,
        attention: bool = False,
        best_so_far: bool = False,
        stream_interval_ms: int | None = None,
        timeout_s: float | None = None,
    ) -> AsyncGenerator[Told]:
        """Says what is in a picture: see `Client.caption`."""
        request = items.caption_request(
            image,
            model=model,
            version=version,
            max_words=max_words,
            beam_width=beam_width,
            length_penalty=length_penalty,
            captions=captions,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            seed=seed,
            attention=attention,
            best_so_far=best_so_far,
            stream_interval_ms=stream_interval_ms,
        )
        return _telling_async(self._caption(request, timeout=timeout_s), self._server)

    async def list_models(self) -> Sequence[Model]:
        """Lists every version of every model served: see `Client.list_models`."""
        try:
            return (await self._list_models(ListModelsRequest(), timeout=self._timeout_s)).models
        except grpc.RpcError as error:
            raise channel.raised(error, self._server) from error

    async def list_absent(self) -> Sequence[Absent]:
        """Lists what is not served, and why: see `Client.list_absent`."""
        try:
            return (await self._list_models(ListModelsRequest(), timeout=self._timeout_s)).absent
        except grpc.RpcError as error:
            raise channel.raised(error, self._server) from error

    async def get_model(self, model: str, version: int = 0) -> Model:
        """Describes a model: see `Client.get_model`."""
        try:
            request = GetModelRequest(model=model, version=version)
            return (await self._get_model(request, timeout=self._timeout_s)).model
        except grpc.RpcError as error:
            raise channel.raised(error, self._server) from error

    async def close(self) -> None:
        """Closes the connection."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()


def _pieces(call: Any, server: str) -> Generator[Piece]:
    pieces = Pieces()
    try:
        for response in call:
            yield from pieces.of(response)
    except grpc.RpcError as error:
        raise channel.raised(error, server) from error
    finally:
        call.cancel()


async def _pieces_async(
    call: grpc.aio.UnaryStreamCall[GenerateRequest, GenerateResponse], server: str
) -> AsyncGenerator[Piece]:
    pieces = Pieces()
    try:
        async for response in call:
            for piece in pieces.of(response):
                yield piece
    except grpc.aio.AioRpcError as error:
        raise channel.raised(error, server) from error
    finally:
        call.cancel()


def _telling(call: Any, server: str) -> Generator[Told]:
    telling = Telling()
    try:
        for response in call:
            yield telling.of(response)
    except grpc.RpcError as error:
        raise channel.raised(error, server) from error
    finally:
        call.cancel()


async def _telling_async(
    call: grpc.aio.UnaryStreamCall[CaptionRequest, CaptionResponse], server: str
) -> AsyncGenerator[Told]:
    telling = Telling()
    try:
        async for response in call:
            yield telling.of(response)
    except grpc.aio.AioRpcError as error:
        raise channel.raised(error, server) from error
    finally:
        call.cancel()
