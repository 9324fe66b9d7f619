"""Logs: lines for people, or JSON objects for what collects them; both name the request that a line is about."""

import json
import logging
import time
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from serving.telemetry import course

# Where gRPC writes a page for each header that is no text, and for each answer whose caller has left meanwhile.
_GRPC: Final = "grpc._cython.cygrpc"
_NO_NEWS: Final = ("Invalid encoding on", "ExecuteBatchError raised")
# Whose debug lines are written: gRPC would add some to each call, Pillow to each picture.
_ROOMS: Final = ("hondo", "serving")
# Which levels' lines are written.
_shown: "Final[dict[int, bool]]" = {}
_HUMAN: Final = "%(asctime)s %(levelname)s{worker} %(message)s%(request)s"


class LogFormat(StrEnum):
    """How lines are written."""

    HUMAN = "human"
    JSON = "json"


def set_up(kind: LogFormat, worker: int | None) -> None:
    """Has this process write its log to standard error.

    Args:
        kind: for whom.
        worker: which of several workers this is; None where it is the only one, or supervises them.
    """
    handler = logging.StreamHandler()
    handler.addFilter(_is_shown)
    handler.addFilter(_name_request)
    handler.setFormatter(_Json(worker) if kind is LogFormat.JSON else _human(worker))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for name in (_GRPC, "asyncio"):
        logging.getLogger(name).addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    """Drops what any stranger can have gRPC write as often as it likes.

    To name the request of a line about a header (see below) would read that again, without end. How methods end gRPC
    whose names are no text, `serving.intake` tells.
    """
    is_of_name = isinstance(record.msg, UnicodeDecodeError) or (record.exc_info or (None,))[0] is UnicodeDecodeError
    return not (is_of_name or str(record.msg).startswith(_NO_NEWS))


def show(levels: Mapping[int, bool]) -> None:
    """Says of each of logging's levels whether its lines are written, from now on."""
    _shown.update(levels)
    least = min((level for level, is_shown in levels.items() if is_shown), default=logging.CRITICAL)
    for room in _ROOMS:
        logging.getLogger(room).setLevel(least)
    logging.getLogger().setLevel(max(least, logging.INFO))


def _is_shown(record: logging.LogRecord) -> bool:
    # What is worse than an error counts as one.
    return _shown.get(min(record.levelno, logging.ERROR), True)


def _name_request(record: logging.LogRecord) -> bool:
    """Adds the request's id to what is logged while it is worked on."""
    under_way = course.current()
    request_id = under_way.request_id if under_way else ""
    record.__dict__ |= {"request_id": request_id, "request": f" [request {request_id}]" if request_id else ""}
    return True


def _human(worker: int | None) -> logging.Formatter:
    return logging.Formatter(_HUMAN.format(worker=f" worker {worker}:" if worker else ""))


class _Json(logging.Formatter):
    """Writes a record as one JSON object."""

    # UTC, to the millisecond, as RFC 3339 has it.
    converter = time.gmtime  # type: ignore[assignment]  # the stub knows of localtime's signature only
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self, worker: int | None) -> None:
        super().__init__()
        self._worker = worker

    def format(self, record: logging.LogRecord) -> str:
        """Gives the line."""
        line = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "worker": self._worker,
            "request_id": getattr(record, "request_id", "") or None,
            "message": record.getMessage(),
            "traceback": self.formatException(record.exc_info) if record.exc_info else None,
            **getattr(record, "about", {}),
        }
        return json.dumps({key: value for key, value in line.items() if value is not None}, ensure_ascii=False)
