"""Classifying: a model's answer to what a request asks about.

Legend: N pictures, texts or rows, K classes, B best of them.
"""

from concurrent.futures import Executor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hondo.artifact import MODEL
from protos.hondo_pb2 import ClassifyRequest, ClassifyResponse
from protos.hondo_pb2 import Priority as RequestPriority
from serving.batching.queue import Priority
from serving.catalog.model import Model
from serving.tasks import inputs
from serving.tasks.bounds import Bounds
from serving.telemetry.course import Stage, stage

_DEFAULT_TOP_K: Final = 5


class Classifier:
    """A model whose task is classification."""

    def __init__(self, model: Model, workers: Executor, bounds: Bounds) -> None:
        assert model.artifact is not None, "a model with a task has a manifest"
        task = model.artifact.manifest.classification
        self.name = model.name
        self._model = model
        self._workers = workers
        self._bounds = bounds
        self.inputs = inputs.of(task, bounds.images)
        self._labels = list(task.labels)
        self._input = model.sessions[MODEL].inputs[0].name
        self._output = model.sessions[MODEL].outputs[0].name

    async def answer(self, request: ClassifyRequest) -> ClassifyResponse:
        """Names what the pictures, texts or rows of a request are; it has what the model takes."""
        self._bounds.check_rows(self.inputs.field, inputs.rows_of(request), self.inputs.row_bytes)
        with stage(Stage.DECODE):
            array_N = await self.inputs.read(request, self._workers)
        outputs = await self._model.batcher(MODEL).run(
            {self._input: array_N},
            [self._output],
            priority=Priority.HIGH if request.priority == RequestPriority.HIGH else Priority.NORMAL,
            timeout_ms=request.queue_timeout_ms or None,
        )
        response = ClassifyResponse(model=self.name, version=self._model.version)
        with stage(Stage.ENCODE):
            self._write(response, outputs[self._output], request.top_k or _DEFAULT_TOP_K)
        return response

    def _write(self, response: ClassifyResponse, probabilities_NK: NDArray[np.generic], top_k: int) -> None:
        """Adds the best labels of each row; those of one probability in the model's own order."""
        p_NK = probabilities_NK.astype(np.float32, copy=False)
        best_NB = np.argsort(-p_NK, axis=1, kind="stable")[:, :top_k]
        best_p_NB = p_NK[np.arange(len(p_NK))[:, np.newaxis], best_NB]
        for best_B, best_p_B in zip(best_NB.tolist(), best_p_NB.tolist(), strict=True):
            labels = response.results.add().labels
            for k, probability in zip(best_B, best_p_B, strict=True):
                labels.add(index=k, name=self._labels[k], probability=probability)
