"""Triton's extensions to the Open Inference Protocol, but for those that run models."""

import asyncio
from concurrent.futures import Executor
from typing import Final

from hondo.errors import NotSupported
from protos.triton_pb2 import (
    CudaSharedMemoryRegisterRequest,
    CudaSharedMemoryRegisterResponse,
    CudaSharedMemoryStatusRequest,
    CudaSharedMemoryStatusResponse,
    CudaSharedMemoryUnregisterRequest,
    CudaSharedMemoryUnregisterResponse,
    LogSettingsRequest,
    LogSettingsResponse,
    ModelConfigRequest,
    ModelConfigResponse,
    ModelStatisticsRequest,
    ModelStatisticsResponse,
    SystemSharedMemoryRegisterRequest,
    SystemSharedMemoryRegisterResponse,
    SystemSharedMemoryStatusRequest,
    SystemSharedMemoryStatusResponse,
    SystemSharedMemoryUnregisterRequest,
    SystemSharedMemoryUnregisterResponse,
    TraceSettingRequest,
    TraceSettingResponse,
)
from serving.catalog.catalog import Catalog
from serving.protocol import configuration, named
from serving.protocol.regions import Regions
from serving.protocol.sequences import Sequencing
from serving.telemetry import statistics
from serving.telemetry.levels import Shown
from serving.telemetry.metrics import Metrics

# What a server's metadata call them, in Triton's words.
_ALWAYS: Final = ("model_repository", "model_configuration", "schedule_policy", "sequence", "logging")


class Extensions:
    """The methods of `inference.GRPCInferenceService` that are Triton's own."""

    def __init__(
        self,
        catalog: Catalog,
        workers: Executor,
        *,
        metrics: Metrics,
        regions: Regions,
        sequencing: Sequencing,
        shown: Shown,
        sets_logs: bool,
    ) -> None:
        """Notes what they work on.

        Args:
            catalog: the models.
            workers: threads for what takes long.
            metrics: what is counted.
            regions: shared memory.
            sequencing: the sequences of all models.
            shown: the log's levels.
            sets_logs: whether who asks may change them: not where anybody could.
        """
        self._shown = shown
        self._sets_logs = sets_logs
        self._sequencing = sequencing
        self._catalog = catalog
        self._workers = workers
        self._metrics = metrics
        self._regions = regions

    @property
    def names(self) -> list[str]:
        """Those that this server has."""
        given = {"statistics": self._metrics.counts, "system_shared_memory": self._regions.allowed}
        return [*_ALWAYS, *(name for name, is_given in given.items() if is_given)]

    async def model_config(self, request: ModelConfigRequest) -> ModelConfigResponse:
        """Says how a model is run."""
        model = named.find(self._catalog, request.name, request.version)
        sequences = self._sequencing.of(model)
        if sequences is not None:
            return ModelConfigResponse(config=configuration.of_sequences(model.name, sequences))
        named.only_session(model)
        return ModelConfigResponse(config=configuration.of(model))

    async def model_statistics(self, request: ModelStatisticsRequest) -> ModelStatisticsResponse:
        """Says what became of the requests to one model, or to all."""
        if not self._metrics.counts:
            raise NotSupported("this server counts nothing: it was started with --no-metrics")
        asked = self._asked(request)
        self._metrics.share()
        collect = asyncio.get_running_loop().run_in_executor(self._workers, self._metrics.totals)
        return ModelStatisticsResponse(model_stats=statistics.of(asked, await collect))

    def _asked(self, request: ModelStatisticsRequest) -> list[tuple[str, int]]:
        if not request.name:
            return [(model.name, model.version) for model in self._catalog]
        found = named.find(self._catalog, request.name, request.version)
        versions = [found.version] if request.version else sorted(self._catalog.versions(found.name))
        return [(found.name, version) for version in versions]

    async def system_shared_memory_status(
        self, request: SystemSharedMemoryStatusRequest
    ) -> SystemSharedMemoryStatusResponse:
        """Tells of one region, or of all."""
        response = SystemSharedMemoryStatusResponse()
        for region in self._regions.status(request.name):
            told = response.regions[region.name]
            told.name, told.key, told.offset, told.byte_size = region.name, region.key, region.offset, region.byte_size
        return response

    async def system_shared_memory_register(
        self, request: SystemSharedMemoryRegisterRequest
    ) -> SystemSharedMemoryRegisterResponse:
        """Takes a region in use."""
        self._regions.register(request.name, request.key, request.offset, request.byte_size)
        return SystemSharedMemoryRegisterResponse()

    async def system_shared_memory_unregister(
        self, request: SystemSharedMemoryUnregisterRequest
    ) -> SystemSharedMemoryUnregisterResponse:
        """Gives one region up, or all."""
        self._regions.unregister(request.name)
        return SystemSharedMemoryUnregisterResponse()

    async def cuda_shared_memory_status(
        self, _request: CudaSharedMemoryStatusRequest
    ) -> CudaSharedMemoryStatusResponse:
        """Tells of no region: there cannot be any."""
        return CudaSharedMemoryStatusResponse()

    async def cuda_shared_memory_register(
        self, _request: CudaSharedMemoryRegisterRequest
    ) -> CudaSharedMemoryRegisterResponse:
        """Refuses."""
        raise NotSupported(
            "shared memory of CUDA's is not supported: ONNX Runtime's Python API takes no memory of another process; "
            "use system shared memory, or send the tensors"
        )

    async def cuda_shared_memory_unregister(
        self, _request: CudaSharedMemoryUnregisterRequest
    ) -> CudaSharedMemoryUnregisterResponse:
        """Does nothing: clients unregister all before they begin."""
        return CudaSharedMemoryUnregisterResponse()

    async def trace_setting(self, _request: TraceSettingRequest) -> TraceSettingResponse:
        """Refuses."""
        raise NotSupported(
            "traces are not set while the server runs: start it with --traces, and see OTEL_TRACES_SAMPLER"
        )

    async def log_settings(self, request: LogSettingsRequest) -> LogSettingsResponse:
        """Changes which lines the log has, in every worker; says which it has."""
        levels = self._shown.levels.changed(request.settings)
        if levels != self._shown.levels:
            if not self._sets_logs:
                raise NotSupported(
                    "anybody could change the log of a server that listens beyond its machine and knows nobody: serve "
                    "with --tokens or --tls-client-ca"
                )
            self._shown.set(levels)
        return levels.told()
