"""The typed service, `hondo.v1.Hondo`, on the catalog: pictures in, names out.

Legend: N pictures, H height, W width, C channels, K classes.
"""

import asyncio
from concurrent.futures import Executor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hondo import images
from hondo.artifact import MODEL
from hondo.errors import InvalidImage, InvalidRequest, ModelNotFound, WrongTask
from protos.hondo_pb2 import (
    Classified,
    ClassifyRequest,
    ClassifyResponse,
    GetModelRequest,
    GetModelResponse,
    GraphSignature,
    Label,
    ListModelsRequest,
    ListModelsResponse,
    TensorSignature,
)
from protos.hondo_pb2 import Model as ModelMessage
from protos.hondo_pb2 import Priority as RequestPriority
from protos.manifest_pb2 import Classification
from serving.catalog import Catalog, Model
from serving.queue import Priority
from serving.session import Signature

_DEFAULT_TOP_K: Final = 5
_CLASSIFICATION: Final = "classification"


class HondoService:
    """The methods of `hondo.v1.Hondo`."""

    def __init__(self, catalog: Catalog, workers: Executor, limits: images.Limits) -> None:
        self._catalog = catalog
        self._workers = workers
        self._limits = limits

    async def classify(self, request: ClassifyRequest) -> ClassifyResponse:
        """Names what is in pictures."""
        model = self._classifier(request.model, request.version)
        assert model.artifact is not None, "a model with a task has a manifest"
        task = model.artifact.manifest.classification
        image_NHWC = await self._decode(request, task)
        session = model.sessions[MODEL]
        outputs = await model.batcher(MODEL).run(
            {session.inputs[0].name: image_NHWC},
            [session.outputs[0].name],
            priority=Priority.HIGH if request.priority == RequestPriority.HIGH else Priority.NORMAL,
            timeout_ms=request.queue_timeout_ms or None,
        )
        probabilities_NK = outputs[session.outputs[0].name]
        top_k = request.top_k or _DEFAULT_TOP_K
        results = [_classified(row_K, task, top_k) for row_K in probabilities_NK]
        return ClassifyResponse(model=model.name, version=model.version, results=results)

    async def list_models(self, _request: ListModelsRequest) -> ListModelsResponse:
        """Lists what is served."""
        return ListModelsResponse(models=[_describe(model) for model in self._catalog])

    async def get_model(self, request: GetModelRequest) -> GetModelResponse:
        """Describes one model."""
        return GetModelResponse(model=_describe(self._catalog.find(request.model, request.version)))

    def _classifier(self, name: str, version: int) -> Model:
        if name:
            model = self._catalog.find(name, version)
            if model.task != _CLASSIFICATION:
                does = f"does {model.task}" if model.task else "is a bare ONNX file: use the Open Inference Protocol"
                raise WrongTask(f"model {name!r} is no classifier; it {does}")
            return model
        names = list(dict.fromkeys(model.name for model in self._catalog if model.task == _CLASSIFICATION))
        if not names:
            raise ModelNotFound("this server has no classifier")
        if len(names) > 1:
            raise InvalidRequest(f"model: empty, but this server has several classifiers: {', '.join(names)}")
        return self._catalog.find(names[0], version)

    async def _decode(self, request: ClassifyRequest, task: Classification) -> NDArray[np.uint8]:
        """Decodes all pictures side by side; a bad one fails the request before anything runs."""
        if not request.images:
            raise InvalidRequest("images: none came, at least one picture expected")
        loop = asyncio.get_running_loop()
        read = [
            loop.run_in_executor(self._workers, _read, index, data, task, self._limits)
            for index, data in enumerate(request.images)
        ]
        return np.stack(await asyncio.gather(*read))


def _read(index: int, data: bytes, task: Classification, limits: images.Limits) -> NDArray[np.uint8]:
    try:
        return images.read(data, task.image, limits)
    except InvalidImage as error:
        raise InvalidImage(f"images[{index}]: {error}") from error


def _classified(probabilities_K: NDArray[np.generic], task: Classification, top_k: int) -> Classified:
    best = np.argsort(-probabilities_K.astype(np.float32), kind="stable")[:top_k]
    labels = (Label(index=k, name=task.labels[k], probability=float(probabilities_K[k])) for k in best.tolist())
    return Classified(labels=labels)


def _describe(model: Model) -> ModelMessage:
    graphs = [
        GraphSignature(
            role=role,
            inputs=[_tensor(signature) for signature in session.inputs],
            outputs=[_tensor(signature) for signature in session.outputs],
        )
        for role, session in model.sessions.items()
    ]
    manifest = model.artifact.manifest if model.artifact else None
    return ModelMessage(name=model.name, version=model.version, task=model.task, graphs=graphs, manifest=manifest)


def _tensor(signature: Signature) -> TensorSignature:
    return TensorSignature(name=signature.name, datatype=signature.datatype.name, shape=signature.wire_shape)
