"""The catalog: what is served, every version of every model, found by name."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import TimeoutError as Timeout
from pathlib import Path
from typing import Final

from hondo.errors import HondoError, InvalidArtifact, ModelNotFound
from serving.catalog import loading
from serving.catalog.absent import Absent
from serving.catalog.model import Model
from serving.catalog.place import Place
from serving.catalog.stock import Stock
from serving.runtime.device import Device
from serving.settings import Settings
from serving.telemetry import course

_NONE: Final[Mapping[int, Model]] = {}


class Catalog:
    """The models that are served, by name and version."""

    def __init__(self) -> None:
        self._versions: dict[str, dict[int, Model]] = {}
        self._absent: Sequence[Absent] = ()
        self._followers: list[Callable[[], None]] = []

    @classmethod
    def load(cls, folder: Path, device: Device, settings: Settings | None = None) -> "Catalog":
        """Loads what the settings want of a folder, all or nothing.

        Args:
            folder: where NAME/VERSION are.
            device: as `device.choose` gives it.
            settings: how; the defaults unless given.

        Raises:
            InvalidArtifact: there is nothing, or something does not load; the text names all that does not.
        """
        settings = settings or Settings()
        stock = Stock.of(folder, settings)
        catalog = cls.of(stock, device, settings)
        stock.check()
        return catalog

    @classmethod
    def of(cls, stock: Stock, device: Device, settings: Settings) -> "Catalog":
        """Loads what is wanted, one after the other; refuses what does not load."""
        catalog = cls()
        for name in stock.names:
            while missing := stock.missing(name, catalog.served(name)):
                try:
                    catalog.serve(_loaded(missing[0], device, settings))
                except HondoError as error:
                    stock.refuse(missing[0], str(error))
        catalog.set_absent(list(stock.absent(catalog.all(), ())))
        return catalog

    def __iter__(self) -> Iterator[Model]:
        """Goes through all models, sorted by name, newest version first."""
        for versions in list(self._versions.values()):
            yield from list(versions.values())

    @property
    def absent(self) -> Sequence[Absent]:
        """What is there, but not served; sorted likewise."""
        return self._absent

    def all(self) -> Mapping[str, Mapping[int, Model]]:
        """Gives all models by name and version."""
        return self._versions

    def served(self, name: str) -> Mapping[int, Model]:
        """Gives the versions of a model, newest first; none where there is no such model."""
        return self._versions.get(name, _NONE)

    def versions(self, name: str) -> list[int]:
        """Gives the numbers of these versions."""
        return list(self.served(name))

    def find(self, name: str, version: int = 0) -> Model:
        """Gives a model, and notes it as what the request is about; version 0 is the newest.

        Raises:
            ModelNotFound: there is none of that name, or no such version of it.
        """
        versions = self._versions.get(name)
        if versions is None:
            raise ModelNotFound(self._why_no_model(name))
        model = versions.get(version) if version else next(iter(versions.values()))
        if model is None:
            has = ", ".join(map(str, versions))
            why = next((f" ({each.reason})" for each in self._absent_of(name) if each.version == version), "")
            raise ModelNotFound(f"model {name!r} has no version {version}{why}; this server has {has}")
        course.found(model.name, model.version)
        return model

    def follow(self, follower: Callable[[], None]) -> None:
        """Has something called whenever what is served has changed, in the same step of the event loop."""
        self._followers.append(follower)

    def serve(self, model: Model) -> Model | None:
        """Serves a version from now on; gives the one in whose place it is, if any."""
        versions = self._versions.pop(model.name, {})
        before = versions.get(model.version)
        newest_first = sorted({**versions, model.version: model}.items(), reverse=True)
        self._versions = dict(sorted({**self._versions, model.name: dict(newest_first)}.items()))
        self._tell()
        return before

    def retire(self, model: Model) -> None:
        """Serves a version no longer; the calls that use it go on."""
        versions = self._versions[model.name]
        del versions[model.version]
        if not versions:
            del self._versions[model.name]
        self._tell()

    def set_absent(self, absent: Sequence[Absent]) -> None:
        """Notes what is there but not served."""
        if absent != self._absent:
            self._absent = absent
            self._tell()

    def _tell(self) -> None:
        for follower in self._followers:
            follower()

    def _absent_of(self, name: str) -> list[Absent]:
        return [each for each in self._absent if each.name == name]

    def _why_no_model(self, name: str) -> str:
        absent = self._absent_of(name)
        if absent:
            return f"model {name!r} is not served: version {absent[0].version}: {absent[0].reason}"
        return f"there is no model {name!r}; this server has {', '.join(self._versions) or 'none'}"


def _loaded(place: Place, device: Device, settings: Settings) -> Model:
    attempt = loading.begin(place, device, settings.of(place.name), settings.cores, is_behind=False)
    try:
        return attempt.done.result(settings.load_timeout_seconds)
    except Timeout:
        attempt.give_up()
        raise InvalidArtifact(loading.took_too_long(place, settings.load_timeout_seconds)) from None
