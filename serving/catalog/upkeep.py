"""The upkeep: brings what is served to what the folder has, behind the traffic.

A new version is loaded, proved and warmed on a thread of its own, then served from one step of the event loop to the
next. Calls that have begun on the one before end there; then that is closed. What does not load is refused, and what
was served stays.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from hondo.errors import HondoError, InvalidArtifact, ModelNotFound
from serving.catalog import loading
from serving.catalog.absent import Absent, State
from serving.catalog.catalog import Catalog
from serving.catalog.model import Model
from serving.catalog.place import Place, look
from serving.catalog.stock import Key, Stock, key_of
from serving.runtime import memory
from serving.runtime.attempt import Attempt
from serving.runtime.device import Device
from serving.settings import Settings
from serving.telemetry.metrics import Metrics

Result = TypeVar("Result")

_log = logging.getLogger(__name__)

# Loads at a time: one that takes for ever holds up no other, and no more than these measure each other's times.
_SIDE_BY_SIDE: Final = 2
# What leaves may take to end once no call may use it any more, seconds.
_END_S: Final = 5.0
# The counts of a version stay so long after its end, for the last scrape.
_COUNTS_STAY_S: Final = 60.0


class Upkeep:
    """Keeps a catalog as its folder is; to be used on the event loop that serves."""

    def __init__(self, catalog: Catalog, stock: Stock, device: Device, settings: Settings, metrics: Metrics) -> None:
        self._catalog = catalog
        self._stock = stock
        self._device = device
        self._settings = settings
        self._metrics = metrics
        self._seen: dict[Key, Place] = {}
        self._loading: dict[Key, asyncio.Task[None]] = {}
        self._leaving: dict[Model, asyncio.Task[None]] = {}
        self._side_by_side = asyncio.Semaphore(_SIDE_BY_SIDE)
        self._watching: asyncio.Task[None] | None = None
        # What is wrong with the folder, as the log has it.
        self._trouble = ""

    def start(self) -> None:
        """Opens what was loaded, and keeps up with the folder if that is wished."""
        for model in self._catalog:
            model.open(self._metrics)
        for absent in self._catalog.absent:
            if absent.state is State.REFUSED:
                _log.error("refused %s version %d: %s", absent.name, absent.version, absent.reason)
        for name in self._stock.unknown:
            _log.warning("[models.%s] has settings, but there is no such model yet", name)
        if self._settings.watch:
            self._seen = {key_of(place): place for place in self._places()}
            self._watching = asyncio.create_task(self._watch())

    def stop(self) -> None:
        """Loads nothing any more."""
        for task in (*self._loading.values(), *([self._watching] if self._watching else [])):
            task.cancel()

    async def close(self) -> None:
        """Ends with the last of what is served and what leaves; no call may use any."""
        for model in self._catalog:
            await _off_loop(model.close)
        if self._leaving:
            await asyncio.wait(self._leaving.values(), timeout=_END_S)

    async def load(self, name: str) -> None:
        """Loads a model that was unloaded, or what is new of it; returns when that is served.

        Raises:
            ModelNotFound: there is none of that name in the folder.
            InvalidArtifact: a wanted version does not load; what was served stays.
        """
        places = await _off_loop(self._places)
        now = {key_of(place): place for place in places if place.name == name}
        self._accept(now, {*now, *self._keys_of(name)})
        if not self._stock.versions(name):
            raise ModelNotFound(f"there is no model {name[:100]!r} to load; there are {', '.join(self._stock.names)}")
        self._stock.retry(name)
        self._settle(name)
        while tasks := [task for key, task in self._loading.items() if key[0] == name]:
            await asyncio.wait(tasks)
        if reasons := self._stock.why_refused(name):
            raise InvalidArtifact("\n".join(reasons))

    def unload(self, name: str) -> None:
        """Serves a model no longer, until somebody asks to load it; the calls that use it go on.

        Raises:
            ModelNotFound: there is none of that name.
        """
        if not (self._stock.versions(name) or self._catalog.served(name)):
            raise ModelNotFound(f"there is no model {name[:100]!r} to unload; there are {', '.join(self._stock.names)}")
        self._stock.unload(name)
        self._settle(name)

    async def _watch(self) -> None:
        """Looks again and again; what two looks find the same is so."""
        while True:
            await asyncio.sleep(self._settings.watch_seconds)
            try:
                await self._look_again()
            except OSError as error:
                self._warn(f"cannot be read: {error}.")
            except Exception:  # noqa: BLE001  whatever it is, the next look may succeed
                _log.exception("looking at %s failed", self._stock.folder)

    async def _look_again(self) -> None:
        now = {key_of(place): place for place in await _off_loop(self._places)}
        steady = {key for key in {*now, *self._seen, *self._keys()} if now.get(key) == self._seen.get(key)}
        self._seen = now
        if not now and self._keys():
            self._warn("is empty: a volume that is gone?")
            return
        self._trouble = ""
        for name in self._accept(now, steady):
            self._settle(name)

    def _warn(self, trouble: str) -> None:
        """Says what is wrong with the folder, once for as long as it is."""
        if trouble != self._trouble:
            _log.warning("%s %s All stays as it is", self._stock.folder, trouble)
        self._trouble = trouble

    def _places(self) -> list[Place]:
        return look(self._stock.folder)

    def _keys(self) -> set[Key]:
        return {key for name in self._stock.names for key in self._keys_of(name)}

    def _keys_of(self, name: str) -> set[Key]:
        return {(name, version) for version in self._stock.versions(name)}

    def _accept(self, now: dict[Key, Place], keys: Iterable[Key]) -> list[str]:
        """Takes into stock what is there under some keys, and what is gone; gives the models that this changes."""
        changed: set[str] = set()
        for key in keys:
            name, version = key
            place = now.get(key)
            if place == self._stock.versions(name).get(version):
                continue
            changed.add(name)
            if place is None:
                self._stock.drop(key)
            else:
                self._stock.put(place)
        return sorted(changed)

    def _settle(self, name: str) -> None:
        """Begins to load what is missing of a model; once nothing is, retires what is not wanted any more."""
        missing = self._stock.missing(name, self._catalog.served(name))
        for place in missing:
            if key_of(place) not in self._loading:
                self._loading[key_of(place)] = asyncio.create_task(self._load(place))
        if not missing and not self._stock.must_stay(name):
            wanted = {place.version for place in self._stock.wanted(name, self._catalog.served(name))}
            for version, model in list(self._catalog.served(name).items()):
                if version not in wanted:
                    self._catalog.retire(model)
                    self._see_off(model)
        self._tell()

    async def _load(self, place: Place) -> None:
        """Loads a version and serves it, or refuses it."""
        try:
            async with self._side_by_side:
                started_s = time.monotonic()
                model = await self._loaded(place)
            if place in self._stock.missing(place.name, self._catalog.served(place.name)):
                self._swap(model, time.monotonic() - started_s)
        except HondoError as error:
            self._refuse(place, str(error))
        except Exception:  # noqa: BLE001  whatever it is, it concerns this version alone
            _log.exception("taking in %s failed", place.path)
            self._refuse(place, "internal error; the server's log says more")
        finally:
            del self._loading[key_of(place)]
        self._settle(place.name)

    async def _loaded(self, place: Place) -> Model:
        limit_s = self._settings.load_timeout_seconds
        settings = self._settings.of(place.name)
        attempt = loading.begin(place, self._device, settings, self._settings.cores, is_behind=True)
        try:
            async with asyncio.timeout(limit_s):
                return await asyncio.wrap_future(attempt.done)
        except TimeoutError:
            raise InvalidArtifact(loading.took_too_long(place, limit_s)) from None
        finally:
            if not attempt.done.done():
                attempt.give_up()

    def _swap(self, model: Model, took_s: float) -> None:
        model.open(self._metrics)
        before = self._catalog.serve(model)
        _log.info("serving %s version %d, loaded in %.1f s", model.name, model.version, took_s)
        if before is not None:
            self._see_off(before)

    def _refuse(self, place: Place, reason: str) -> None:
        self._stock.refuse(place, reason)
        served = ", ".join(map(str, self._catalog.versions(place.name)))
        stays = f"version {served} stays" if served else "nothing of it is served"
        _log.error("refused %s version %d, %s: %s", place.name, place.version, stays, reason)

    def _see_off(self, model: Model) -> None:
        self._leaving[model] = asyncio.create_task(self._close(model))

    async def _close(self, model: Model) -> None:
        """Waits for the calls that use a model that is served no longer, then lets go of it."""
        users = model.users
        await model.unused()
        await _off_loop(model.close)
        await _off_loop(memory.give_back)
        _log.info("ended %s version %d, after its last calls (%d)", model.name, model.version, users)
        del self._leaving[model]
        self._tell()
        asyncio.get_running_loop().call_later(_COUNTS_STAY_S, self._forget, model.name, model.version)

    def _forget(self, name: str, version: int) -> None:
        if version not in self._catalog.served(name):
            self._metrics.forget(name, version)

    def _tell(self) -> None:
        """Says what is there but not served."""
        absent = {(each.name, each.version): each for each in self._stock.absent(self._catalog.all(), self._loading)}
        for model in self._leaving:
            if model.version not in self._catalog.served(model.name):
                text = "its last calls are being answered"
                absent[model.name, model.version] = Absent(model.name, model.version, State.UNLOADING, text)
        self._catalog.set_absent(sorted(absent.values(), key=lambda each: (each.name, -each.version)))


async def _off_loop(work: Callable[[], Result]) -> Result:
    """Does something that may block, on a thread that keeps nobody waiting at the end."""
    return await asyncio.wrap_future(Attempt(work, is_behind=False).done)
