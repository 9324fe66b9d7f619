"""A recipe's settings as plain JSON types: changed one by one, by their paths."""

import difflib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from hondo.errors import InvalidRequest

# What identifies a recipe cannot be set.
_FIXED = ("name", "summary", "source", "data")


def changed(plain: dict[str, Any], assignments: Mapping[str, str]) -> dict[str, Any]:
    """Gives settings with some of them changed.

    Args:
        plain: the settings, which are changed themselves.
        assignments: value by path, for example "0.1" by "optimizer.lr": JSON, or a word as it is.

    Raises:
        InvalidRequest: there is no such setting.
    """
    for path, text in assignments.items():
        place, field = _find(plain, path)
        place[field] = _value(text)
    return plain


def _find(plain: dict[str, Any], path: str) -> tuple[dict[str, Any], str]:
    *above, field = path.split(".")
    place = plain
    for name in above:
        inner = place.get(name)
        if not isinstance(inner, dict):
            raise _unknown(path, plain)
        place = inner
    if field not in place or isinstance(place[field], dict) or path in _FIXED:
        raise _unknown(path, plain)
    return place, field


def _unknown(path: str, plain: dict[str, Any]) -> InvalidRequest:
    paths = [known for known in _paths(plain) if known not in _FIXED]
    near = difflib.get_close_matches(path, paths, n=3, cutoff=0.4)
    near = near or [known for known in paths if known.rsplit(".", maxsplit=1)[-1] == path.rsplit(".", maxsplit=1)[-1]]
    meant = f"did you mean {', '.join(near)}?" if near else f"there is {', '.join(paths)}"
    return InvalidRequest(f"the recipe has no setting {path!r}: {meant}")


def _paths(plain: Mapping[str, Any], above: str = "") -> list[str]:
    return [
        path
        for name, value in plain.items()
        for path in (_paths(value, f"{above}{name}.") if isinstance(value, dict) else [f"{above}{name}"])
    ]


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def faults(error: ValidationError, above: str = "") -> str:
    """Says what is wrong with which setting, `above` before its path."""
    return "; ".join(f"{above}{_path(fault['loc'])}: {fault['msg']}" for fault in error.errors())


def _path(location: tuple[int | str, ...]) -> str:
    # pydantic puts the names of kinds between those of fields.
    return ".".join(str(part) for part in location if part not in {"image", "text", "table", "characters"})
