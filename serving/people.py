"""The typed service, `hondo.v1.Hondo`, on the catalog: what people ask about in, names out."""

from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from concurrent.futures import Executor
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
from serving.caption import Captioner
from serving.catalog import Catalog, Model
from serving.classify import Classifier
from serving.description import describe, describe_in_short
from serving.detect import Bounds, Detector
from serving.generate import Writer
from serving.inputs import field_of, rows_of
from serving.refusal import Refusal
from serving.room import Room
from serving.streams import Streams

_CLASSIFICATION: Final = "classification"
_EDGE_DETECTION: Final = "edge_detection"
_TEXT_GENERATION: Final = "text_generation"
_CAPTIONING: Final = "captioning"


class HondoService:
    """The methods of `hondo.v1.Hondo`."""

    def __init__(self, catalog: Catalog, workers: Executor, bounds: Bounds) -> None:
        self._catalog = catalog
        self._classifiers = {
            model: Classifier(model, workers, bounds.images) for model in catalog if model.task == _CLASSIFICATION
        }
        room = Room(bounds.images.max_pixels)
        self._detectors = {
            model: Detector(model, workers, bounds, room) for model in catalog if model.task == _EDGE_DETECTION
        }
        self._writers = {model: Writer(model) for model in catalog if model.task == _TEXT_GENERATION}
        self._captioners = {
            model: Captioner(model, workers, bounds.images) for model in catalog if model.task == _CAPTIONING
        }
        self._listed = ListModelsResponse(models=[describe_in_short(model) for model in catalog])
        self._streams = Streams(self._outcome, rows_of)

    async def classify(self, request: ClassifyRequest) -> ClassifyResponse:
        """Names what pictures, texts or rows are."""
        field = field_of(request)
        classifier = self._classifier(request.model or self._only_one_of(field), request.version)
        if classifier.inputs.field != field:
            raise WrongTask(f"model {classifier.name!r} takes {classifier.inputs.takes}, not {field}")
        return await classifier.answer(request)

    def classify_stream(self, requests: AsyncIterable[ClassifyRequest]) -> AsyncGenerator[ClassifyStreamResponse]:
        """Does the same for each request of a stream."""
        return self._streams.answers(requests)

    async def detect_edges(self, request: DetectEdgesRequest) -> DetectEdgesResponse:
        """Finds the edges in pictures."""
        return await self._detector(request.model or self._only_detector(), request.version).answer(request)

    def generate(self, request: GenerateRequest) -> AsyncGenerator[GenerateResponse]:
        """Writes on from a prompt."""
        return self._writer(request.model, request.version).generate(request)

    async def score(self, request: ScoreRequest) -> ScoreResponse:
        """Says how well a model foretells a text."""
        return await self._writer(request.model, request.version).score(request)

    def caption(self, request: CaptionRequest) -> AsyncGenerator[CaptionResponse]:
        """Says what is in a picture."""
        return self._captioner(request.model, request.version).caption(request)

    async def list_models(self, _request: ListModelsRequest) -> ListModelsResponse:
        """Lists what is served."""
        return self._listed

    async def get_model(self, request: GetModelRequest) -> GetModelResponse:
        """Describes one model."""
        return GetModelResponse(model=describe(self._catalog.find(request.model, request.version)))

    def stop(self) -> None:
        """Has every stream end when what was read of it is answered."""
        self._streams.stop()

    async def _outcome(self, request: ClassifyRequest) -> ClassifyStreamResponse:
        try:
            return ClassifyStreamResponse(answer=await self.classify(request))
        except Exception as error:  # noqa: BLE001  whatever it is, the caller gets a status and the log the rest
            return ClassifyStreamResponse(failure=_failure(Refusal.of(error, "a request of ClassifyStream")))

    def _classifier(self, name: str, version: int) -> Classifier:
        model = self._catalog.find(name, version)
        if model.task != _CLASSIFICATION:
            raise WrongTask(f"model {name!r} is no classifier; it {_does(model)}")
        return self._classifiers[model]

    def _detector(self, name: str, version: int) -> Detector:
        model = self._catalog.find(name, version)
        if model.task != _EDGE_DETECTION:
            raise WrongTask(f"model {name!r} is no edge detector; it {_does(model)}")
        return self._detectors[model]

    def _writer(self, name: str, version: int) -> Writer:
        model = self._catalog.find(name or self._only_writer(), version)
        if model.task != _TEXT_GENERATION:
            raise WrongTask(f"model {name!r} does not write; it {_does(model)}")
        return self._writers[model]

    def _captioner(self, name: str, version: int) -> Captioner:
        model = self._catalog.find(name or self._only_captioner(), version)
        if model.task != _CAPTIONING:
            raise WrongTask(f"model {name!r} makes no captions; it {_does(model)}")
        return self._captioners[model]

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
    names = list(dict.fromkeys(versions))
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
