"""The repository: Triton's extension by which clients list, load and unload models."""

from collections.abc import Iterator
from typing import Final

from hondo.errors import InvalidArtifact, InvalidRequest, PermissionDenied
from protos.inference_pb2 import (
    RepositoryIndexRequest,
    RepositoryIndexResponse,
    RepositoryModelLoadRequest,
    RepositoryModelLoadResponse,
    RepositoryModelUnloadRequest,
    RepositoryModelUnloadResponse,
)
from serving.catalog.absent import State
from serving.catalog.catalog import Catalog
from serving.catalog.upkeep import Upkeep

_READY: Final = "READY"
# In Triton's words.
_STATES: Final = {State.LOADING: "LOADING", State.UNLOADING: "UNLOADING"}
_UNAVAILABLE: Final = "UNAVAILABLE"

_Entry = RepositoryIndexResponse.ModelIndex


class Repository:
    """The folder of models, as clients see and control it."""

    def __init__(self, catalog: Catalog, upkeep: Upkeep, *, is_controlled: bool) -> None:
        self._catalog = catalog
        self._upkeep = upkeep
        self._is_controlled = is_controlled

    async def repository_index(self, request: RepositoryIndexRequest) -> RepositoryIndexResponse:
        """Lists what is there."""
        _check_name(request.repository_name)
        entries = sorted(self._entries(), key=lambda entry: (entry.name, int(entry.version)))
        return RepositoryIndexResponse(models=[each for each in entries if each.state == _READY or not request.ready])

    async def repository_model_load(self, request: RepositoryModelLoadRequest) -> RepositoryModelLoadResponse:
        """Loads a model, or what has changed of it."""
        self._check(request.repository_name, request.model_name)
        if request.parameters:
            raise InvalidRequest(
                f"parameters: {', '.join(sorted(request.parameters))} came, none expected: a model's files and "
                "settings are those of the server's folder"
            )
        try:
            await self._upkeep.load(request.model_name)
        except InvalidArtifact as error:
            raise InvalidRequest(f"load failed for model {request.model_name!r}: {error}") from error
        return RepositoryModelLoadResponse()

    async def repository_model_unload(self, request: RepositoryModelUnloadRequest) -> RepositoryModelUnloadResponse:
        """Unloads a model."""
        self._check(request.repository_name, request.model_name)
        self._upkeep.unload(request.model_name)
        return RepositoryModelUnloadResponse()

    def _entries(self) -> Iterator[_Entry]:
        served = {(model.name, model.version) for model in self._catalog}
        for name, version in served:
            yield _Entry(name=name, version=str(version), state=_READY)
        for absent in self._catalog.absent:
            if (absent.name, absent.version) not in served:
                state = _STATES.get(absent.state, _UNAVAILABLE)
                yield _Entry(name=absent.name, version=str(absent.version), state=state, reason=absent.reason)

    def _check(self, repository: str, model: str) -> None:
        if not self._is_controlled:
            raise PermissionDenied("explicit model load / unload is not allowed: start the server with --model-control")
        _check_name(repository)
        if not model:
            raise InvalidRequest("the model's name is empty")


def _check_name(repository: str) -> None:
    if repository:
        raise InvalidRequest(f"repository_name: {repository[:100]!r} came, none expected: there is only one repository")
