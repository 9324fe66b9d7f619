"""The witness: sees how each request ended, and tells the metrics, the log and the traces."""

import logging
from collections.abc import Callable

from serving.telemetry import course
from serving.telemetry.course import Context, Course

_log = logging.getLogger(__name__)


class Witness:
    """Watches requests; whom it tells of them is settled when it is made."""

    def __init__(self, tell: list[Callable[[Course], None]]) -> None:
        self._tell = tell

    def begin(self, method: str, context: Context | None = None) -> Course:
        """Begins to watch a request, in the task that answers it."""
        return course.begin(Course(method, context, self._end))

    def _end(self, ended: Course) -> None:
        for tell in self._tell:
            tell(ended)


def log_to_debug(ended: Course) -> None:
    """Writes a line about a request where the log has what is for debugging."""
    if _log.isEnabledFor(logging.DEBUG):
        log(ended, logging.DEBUG)


def log(ended: Course, level: int = logging.INFO) -> None:
    """Writes a line about a request."""
    took_ms = (ended.ended_s - ended.began_s) * 1000
    about = {
        "method": ended.method,
        "model": ended.model,
        "version": ended.version,
        "code": ended.code.name,
        "took_ms": round(took_ms, 3),
    }
    subject = f" {ended.model}/{ended.version}" if ended.model else ""
    _log.log(level, "%s%s %s after %.2f ms", ended.method, subject, ended.code.name, took_ms, extra={"about": about})
