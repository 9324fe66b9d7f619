"""The typed service, `hondo.v1.Hondo`, on the catalog: what people ask about in, names out."""

from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from concurrent.futures import Executor
from contextlib import aclosing
from dataclasses import replace
from typing import Final

from hondo.errors import InvalidRequest, ModelNotFound, WrongTask
from protos.hondo_pb2 import (
    CaptionRequest,
    CaptionResponse,
    ClassifyRequest,
    ClassifyResponse,
    ClassifyStreamResponse,
    DetectEdgesRequest,
    DetectEdgesResponse,
    Failure,
    GenerateRequest,
    GenerateResponse,
    GetModelRequest,
    GetModelResponse,
    ListModelsRequest,
    ListModelsResponse,
    ScoreRequest,
    ScoreResponse,
)
from serving.catalog.catalog import Catalog
from serving.catalog.model import Model
from serving.refusal import Refusal
from serving.streams import Streams
from serving.tasks.bounds import Bounds
from serving.tasks.caption import Captioner
from serving.tasks.classify import Classifier
from serving.tasks.description import describe, describe_absent, describe_in_short
from serving.tasks.detect import Detector
from serving.tasks.generate import Writer
from serving.tasks.inputs import field_of, rows_of
from serving.tasks.room import Room

_CLASSIFICATION: Final = "classification"
_EDGE_DETECTION: Final = "edge_detection"
_TEXT_GENERATION: Final = "text_generation"
_CAPTIONING: Final = "captioning"
# What is said of a model that is asked for a task not its own.
_IS_NOT: Final = {
    _CLASSIFICATION: "is no classifier",
    _EDGE_DETECTION: "is no edge detector",
    _TEXT_GENERATION: "does not write",
    _CAPTIONING: "makes no captions",
}


class HondoService:
    """The methods of `hondo.v1.Hondo`."""

    def __init__(self, catalog: Catalog, workers: Executor, bounds: Bounds) -> None:
        self._catalog = catalog
        self._workers = workers
        self._bounds = bounds
        self._room = Room(bounds.images.max_pixels)
        self._classifiers: dict[Model, Classifier] = {}
        self._detectors: dict[Model, Detector] = {}
        self._writers: dict[Model, Writer] = {}
        self._captioners: dict[Model, Captioner] = {}
        self._listed: ListModelsResponse | None = None
        self._keep_up()
        catalog.follow(self._keep_up)
        self._streams = Streams(self._outcome, rows_of)

    async def classify(self, request: ClassifyRequest) -> ClassifyResponse:
        """Names what pictures, texts or rows are."""
        field = field_of(request)
        model = self._model(request.model or self._only_one_of(field), request.version, _CLASSIFICATION)
        classifier = self._classifiers[model]
        if classifier.inputs.field != field:
            raise WrongTask(f"model {classifier.name!r} takes {classifier.inputs.takes}, not {field}")
        with model.used():
            return await classifier.answer(request)

    def classify_stream(self, requests: AsyncIterable[ClassifyRequest]) -> AsyncGenerator[ClassifyStreamResponse]:
        """Does the same for each request of a stream."""
        return self._streams.answers(requests)

    async def detect_edges(self, request: DetectEdgesRequest) -> DetectEdgesResponse:
        """Finds the edges in pictures."""
        model = self._model(request.model or self._only_detector(), request.version, _EDGE_DETECTION)
        detector = self._detectors[model]
        with model.used():
            return await detector.answer(request)

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[GenerateResponse]:
        """Writes on from a prompt."""
        model = self._model(request.model or self._only_writer(), request.version, _TEXT_GENERATION)
        with model.used():
            async with aclosing(self._writers[model].generate(request)) as responses:
                async for response in responses:
                    yield response

    async def score(self, request: ScoreRequest) -> ScoreResponse:
        """Says how well a model foretells a text."""
        model = self._model(request.model or self._only_writer(), request.version, _TEXT_GENERATION)
        writer = self._writers[model]
        with model.used():
            return await writer.score(request)

    async def caption(self, request: CaptionRequest) -> AsyncGenerator[CaptionResponse]:
        """Says what is in a picture."""
        model = self._model(request.model or self._only_captioner(), request.version, _CAPTIONING)
        with model.used():
            async with aclosing(self._captioners[model].caption(request)) as responses:
                async for response in responses:
                    yield response

    async def list_models(self, _request: ListModelsRequest) -> ListModelsResponse:
        """Lists what is served, and what is not."""
        if self._listed is None:
            self._listed = ListModelsResponse(
                models=[describe_in_short(model) for model in self._catalog],
                absent=[describe_absent(absent) for absent in self._catalog.absent],
            )
        return self._listed

    async def get_model(self, request: GetModelRequest) -> GetModelResponse:
        """Describes one model."""
        model = self._catalog.find(request.model, request.version)
        absent = [describe_absent(each) for each in self._catalog.absent if each.name == model.name]
        return GetModelResponse(model=describe(model), absent=absent)

    def stop(self) -> None:
        """Has every stream end when what was read of it is answered."""
        self._streams.stop()

    async def _outcome(self, request: ClassifyRequest) -> ClassifyStreamResponse:
        try:
            return ClassifyStreamResponse(answer=await self.classify(request))
        except Exception as error:  # noqa: BLE001  whatever it is, the caller gets a status and the log the rest
            return ClassifyStreamResponse(failure=_failure(Refusal.of(error, "a request of ClassifyStream")))

    def _keep_up(self) -> None:
        """Makes what answers for each model that is served, and lets go of the others."""
        self._listed = None
        served = set(self._catalog)
        for answering in (self._classifiers, self._detectors, self._writers, self._captioners):
            for model in answering.keys() - served:
                del answering[model]
        for model in served:
            self._take_on(model)

    def _take_on(self, model: Model) -> None:
        if model.task == _CLASSIFICATION and model not in self._classifiers:
            self._classifiers[model] = Classifier(model, self._workers, self._bounds)
        elif model.task == _EDGE_DETECTION and model not in self._detectors:
            bounds = replace(self._bounds, run_bytes=model.settings.run_bytes, queue_rows=model.settings.max_queue_rows)
            self._detectors[model] = Detector(model, self._workers, bounds, self._room)
        elif model.task == _TEXT_GENERATION and model not in self._writers:
            self._writers[model] = Writer(model)
        elif model.task == _CAPTIONING and model not in self._captioners:
            self._captioners[model] = Captioner(model, self._workers, self._bounds.images)

    def _model(self, name: str, version: int, task: str) -> Model:
        """Finds a model that does what is asked for."""
        model = self._catalog.find(name, version)
        if model.task != task:
            raise WrongTask(f"model {name!r} {_IS_NOT[task]}; it {_does(model)}")
        return model

    def _only_one_of(self, field: str) -> str:
        """Gives the name of the classifier that is meant where none is named."""
        taking = [model.name for model, classifier in self._classifiers.items() if classifier.inputs.field == field]
        return _only(taking, f"classifier of {field}", f"classifiers of {field}")

    def _only_detector(self) -> str:
        """Gives the name of the edge detector that is meant where none is named."""
        return _only([model.name for model in self._detectors], "edge detector", "edge detectors")

    def _only_writer(self) -> str:
        """Gives the name of the model that writes that is meant where none is named."""
        return _only([model.name for model in self._writers], "model that writes", "models that write")

    def _only_captioner(self) -> str:
        """Gives the name of the model that makes captions that is meant where none is named."""
        return _only(
            [model.name for model in self._captioners], "model that makes captions", "models that make captions"
        )


def _only(versions: Sequence[str], one: str, several: str) -> str:
    """Gives the one name among those of all versions."""
    names = sorted(set(versions))
    if not names:
        raise ModelNotFound(f"this server has no {one}")
    if len(names) > 1:
        raise InvalidRequest(f"model: empty, but this server has several {several}: {', '.join(names)}")
    return names[0]


def _does(model: Model) -> str:
    return f"does {model.task}" if model.task else "is a bare ONNX file: use the Open Inference Protocol"


def _failure(refusal: Refusal) -> Failure:
    return Failure(
        code=refusal.code.value[0],
        message=refusal.text,
        retry_after_s=refusal.retry_after_s or 0,
        index=refusal.index,
    )
