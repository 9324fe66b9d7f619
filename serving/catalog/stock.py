"""The stock: what the folder of models has, which of that is wanted, and what was refused, and why."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from hondo.errors import InvalidArtifact, InvalidSettings
from serving.catalog.absent import Absent, State
from serving.catalog.model import Model
from serving.catalog.place import Place, check_any, look
from serving.settings import Settings

# Which version of which model.
Key = tuple[str, int]
_NONE: Final[Mapping[int, Model]] = {}


def key_of(place: Place) -> Key:
    """Gives which version of which model lies there."""
    return place.name, place.version


class Stock:
    """The versions of one folder, as they were when it was last looked at."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder = folder
        self._settings = settings
        self._there: dict[str, dict[int, Place]] = {}
        self._refused: dict[Key, tuple[Place, str]] = {}
        # What clients asked to load, and to unload.
        self._asked: set[str] = set()
        self._unloaded: set[str] = set()

    @classmethod
    def of(cls, folder: Path, settings: Settings) -> "Stock":
        """Looks at a folder for the first time.

        Raises:
            InvalidArtifact: there is nothing in it, though nothing can be added later.
            InvalidSettings: they speak of a model that is not there, likewise.
        """
        stock = cls(folder, settings)
        places = look(folder)
        if not (settings.watch and folder.is_dir()):
            check_any(folder, places)
        for place in places:
            stock.put(place)
        if not (settings.watch or settings.model_control):
            stock.check_settings()
        return stock

    def check_settings(self) -> None:
        """Holds that what has settings of its own is there.

        Raises:
            InvalidSettings: it is not; the text names what is.
        """
        for name, each in self._settings.models.items():
            if name not in self._there:
                raise InvalidSettings(f"[models.{name}]: there is no such model; there are {', '.join(self.names)}")
            missing = set(each.versions.listed) - set(self._there[name])
            if missing:
                there = ", ".join(map(str, self._there[name]))
                raise InvalidSettings(f"[models.{name}] versions: {min(missing)} is not there; there are {there}")

    @property
    def unknown(self) -> list[str]:
        """The models that the settings speak of but that are not there."""
        return [name for name in self._settings.models if name not in self._there]

    @property
    def names(self) -> list[str]:
        """The models' names, sorted."""
        return sorted(self._there)

    def versions(self, name: str) -> Mapping[int, Place]:
        """Gives where the versions of a model lie; none where there is no such model."""
        return self._there.get(name, {})

    def put(self, place: Place) -> None:
        """Notes that a version is there."""
        self._there.setdefault(place.name, {})[place.version] = place
        if not self._is_refused(place):
            self._refused.pop(key_of(place), None)

    def drop(self, key: Key) -> None:
        """Notes that a version is gone."""
        name, version = key
        if self._there.get(name, {}).pop(version, None) is not None and not self._there[name]:
            del self._there[name]
        self._refused.pop(key, None)

    def refuse(self, place: Place, reason: str) -> None:
        """Notes that a version does not load; it is not wanted again until its files have changed."""
        self._refused[key_of(place)] = (place, reason)

    def retry(self, name: str) -> None:
        """Wants a model again, whatever was refused or unloaded of it."""
        self._unloaded.discard(name)
        self._asked.add(name)
        for key in [key for key in self._refused if key[0] == name]:
            del self._refused[key]

    def unload(self, name: str) -> None:
        """Wants nothing of a model any more."""
        self._unloaded.add(name)

    def why_refused(self, name: str) -> list[str]:
        """Gives what is wrong with the versions of a model that were refused, newest first."""
        return [self._refused[key][1] for key in sorted(self._refused, reverse=True) if key[0] == name]

    def wanted(self, name: str, served: Mapping[int, Model] = _NONE) -> list[Place]:
        """Gives the versions of a model that are to be served, newest first.

        What was refused is passed over, and older ones take its place; but what is served stays good, even where its
        files were replaced by such as were refused.
        """
        if self._is_held(name):
            return []
        there = self.versions(name)
        good = [version for version, place in there.items() if version in served or not self._is_refused(place)]
        return [there[version] for version in self._settings.of(name).versions.chosen(good)]

    def must_stay(self, name: str) -> bool:
        """Says whether what is served of a model stays though its files are gone: all that came after is broken."""
        return not self._is_held(name) and not self.wanted(name) and bool(self.why_refused(name))

    def missing(self, name: str, served: Mapping[int, Model] = _NONE) -> list[Place]:
        """Gives those of the wanted versions that are to be loaded: not served, or from other files."""
        return [
            place
            for place in self.wanted(name, served)
            if (place.version not in served or served[place.version].place != place) and not self._is_refused(place)
        ]

    def absent(self, served: Mapping[str, Mapping[int, Model]], loading: Iterable[Key]) -> Iterator[Absent]:
        """Goes through the versions that are there, but not served, sorted by name, newest first."""
        under_way = set(loading)
        for name in self.names:
            for version, place in sorted(self.versions(name).items(), reverse=True):
                of_name = served.get(name, _NONE)
                if (name, version) in under_way:
                    yield Absent(name, version, State.LOADING, "it is being loaded")
                elif self._is_refused(place):
                    yield Absent(name, version, State.REFUSED, self._refused[name, version][1])
                elif version not in of_name:
                    yield self._passed_over(name, version)

    def check(self) -> None:
        """Holds that nothing was refused.

        Raises:
            InvalidArtifact: something was; the text names all of it.
        """
        if self._refused:
            raise InvalidArtifact("\n".join(self._refused[key][1] for key in sorted(self._refused)))

    def _passed_over(self, name: str, version: int) -> Absent:
        if self._is_held(name):
            why = "it was unloaded" if name in self._unloaded else "it is loaded on request only (the setting `load`)"
            return Absent(name, version, State.UNLOADED, why)
        policy = self._settings.of(name).versions
        return Absent(name, version, State.NOT_CHOSEN, f"the setting `versions` is {policy}")

    def _is_held(self, name: str) -> bool:
        return name in self._unloaded or not (self._settings.of(name).load or name in self._asked)

    def _is_refused(self, place: Place) -> bool:
        return self._refused.get(key_of(place), (None, ""))[0] == place
