"""The preview: what would be served, and how, in lines for people (`hondo serve --dry-run`)."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Final

from serving.catalog.absent import State
from serving.catalog.catalog import Catalog
from serving.catalog.model import Model
from serving.runtime.device import Device
from serving.setting import about
from serving.settings import ModelSettings, Settings

_WHY: Final = {
    State.LOADING: "being loaded",
    State.REFUSED: "refused",
    State.UNLOADED: "not loaded",
    State.NOT_CHOSEN: "not served",
    State.UNLOADING: "unloaded",
}


def lines(catalog: Catalog, device: Device, settings: Settings) -> Iterator[str]:
    """Goes through the lines that tell the settings, then each model."""
    told = ", ".join(_changed(settings, Settings()))
    yield f"on {settings.host}:{settings.port}, device {device}{f'; {told}' if told else ''}"
    for model in catalog:
        yield from _of_model(model)
    for absent in catalog.absent:
        yield f"{absent.name} version {absent.version}: {_WHY[absent.state]}: {absent.reason}"


def is_any_refused(catalog: Catalog) -> bool:
    """Says whether anything that was wanted does not load."""
    return any(absent.state is State.REFUSED for absent in catalog.absent)


def _of_model(model: Model) -> Iterator[str]:
    yield f"{model.name} version {model.version}: {model.task or 'bare ONNX file'}"
    for role, plan in model.plans.items():
        sizes = "each request alone" if plan.sizes is None else f"{_numbers(plan.sizes.sizes)} rows a run"
        place = f"{plan.instances} side by side" if plan.instances else "on the event loop"
        place += f", {len(plan.sessions)} devices" if len(plan.sessions) > 1 else ""
        yield f"  {role}: {sizes}, {place}{', a lone one on all cores' if plan.alone else ''}"
    if (writing := model.decode_plan) is not None:
        reads = f"; prefill: {_numbers(writing.read_sizes)}" if writing.graphs.prefill is not None else ""
        yield f"  step: {_numbers(writing.sizes)} rows a run{reads}"
    limits = [f"at most {model.settings.max_queue_rows} rows wait", *_changed(model.settings, ModelSettings())]
    yield f"  {', '.join(limits)}"


def _numbers(sizes: tuple[int, ...]) -> str:
    return ", ".join(map(str, sizes))


def _changed(settings: Settings | ModelSettings, usual: Settings | ModelSettings) -> Iterator[str]:
    """Goes through the settings that differ from their defaults."""
    for field in fields(settings):
        value = getattr(settings, field.name)
        if about(field) is not None and value != getattr(usual, field.name):
            yield f"{field.name} = {str(value).lower() if isinstance(value, bool) else value}"
