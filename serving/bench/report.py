"""The report: all figures of a bench, as a table for a person and as JSON for a program."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from serving.bench.figures import Figures
from serving.bench.load import Closed, Load
from serving.bench.machine import Machine
from serving.bench.points import Point, Reference
from serving.bench.rate import mean
from serving.bench.raw import Explored, Setting
from serving.telemetry.watchdog import Lateness


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A bench from beginning to end."""

    machine: Machine
    model: str
    # HOST:PORT, and whether the bench started it.
    server: str
    started: bool
    # /package.Service/Method of the calls.
    method: str
    rows: int
    request_bytes: int
    generator: str
    # How long each point counted, seconds.
    seconds: float
    deadline_ms: float | None
    explored: Explored | None
    points: Sequence[Point]
    # Of the server's event loop; None where it was not watched.
    lateness: Lateness | None


def to_json(report: Report) -> str:
    """Gives one JSON document with every figure; times in the unit that ends their names, rates per second."""
    document = {
        "machine": asdict(report.machine),
        "model": report.model,
        "server": {"address": report.server, "started_by_bench": report.started},
        "requests": {"method": report.method, "rows": report.rows, "bytes": report.request_bytes},
        "generator": report.generator,
        "seconds": report.seconds,
        "deadline_ms": report.deadline_ms,
        "raw": None if report.explored is None else _explored(report.explored),
        "points": [_point(point) for point in report.points],
        "event_loop": None if report.lateness is None else asdict(report.lateness),
    }
    return json.dumps(document, indent=2)


def _explored(explored: Explored) -> dict[str, Any]:
    return {
        "best": asdict(explored.best),
        "single": asdict(explored.single),
        "tried": [asdict(setting) | asdict(rate) for setting, rate in explored.rates.items()],
    }


def _point(point: Point) -> dict[str, Any]:
    setting = None if point.raw_setting is None else asdict(point.raw_setting)
    return {
        "load": _load(point.load),
        "served": asdict(point.served),
        "raw": None if point.raw is None else _reference(point.raw) | {"setting": setting},
        "echo": None if point.echo is None else _reference(point.echo),
        "checked": point.checked,
        "wrong": point.wrong,
        "note": point.note,
    }


def _load(load: Load) -> dict[str, Any]:
    return {"kind": "closed" if isinstance(load, Closed) else "open"} | asdict(load)


def _reference(reference: Reference) -> dict[str, Any]:
    return asdict(reference) | {"per_s": reference.per_s, "ratio": reference.ratio}


def to_text(report: Report) -> str:
    """Gives the table for a person."""
    return "\n".join([*_head(report), "", *_table(report), "", *_remarks(report)]).rstrip()


def _head(report: Report) -> Iterator[str]:
    machine = report.machine
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    yield f"{machine.cores} cores of {machine.cpu}, load average {machine.load_average:.1f} before; {versions}"
    yield (
        f"{report.model} on {report.server}: {report.method}, {report.request_bytes:,} bytes and {report.rows} "
        f"row{'s' if report.rows > 1 else ''} a request, {report.seconds:g} s a point, generator {report.generator}"
    )
    if report.explored:
        best, single = report.explored.best, report.explored.single
        yield f"raw ONNX Runtime at its best: {_setting(best)}; one request at a time: {_setting(single)}"


def _setting(setting: Setting) -> str:
    return (
        f"{setting.rows} rows, {setting.instances} x {setting.threads} threads, "
        f"spinning {'on' if setting.spinning else 'off'}"
    )


def _table(report: Report) -> list[str]:
    rows = [list(_cells(report, point).items()) for point in report.points]
    heads = [name for name, _ in rows[0]]
    lines = [heads, *([text for _, text in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    return ["  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)) for line in lines]


def _cells(report: Report, point: Point) -> dict[str, str]:
    served = point.served
    cells = {"load": str(point.load), "requests/s": _rate(served.requests_per_s), "rows/s": _rate(served.rows_per_s)}
    if report.deadline_ms is not None:
        cells["in time/s"] = _rate(served.goodput_per_s)
    for name in ("p50", "p95", "p99", "max"):
        cells[f"{name} ms"] = f"{getattr(served.latency, f'{name}_ms'):.2f}" if served.latency else "-"
    cells["client CPU ms"], cells["server CPU ms"] = _ms(served.client_cpu_ms), _ms(served.server_cpu_ms)
    if any(each.raw for each in report.points):
        cpu_ms = mean([point.raw.before, point.raw.after]).cpu_ms if point.raw else None
        cells["raw CPU ms"] = _ms(None if cpu_ms is None else cpu_ms * report.rows)
        cells["raw rows/s"], cells["of raw"] = _against(point.raw)
    if any(each.echo for each in report.points):
        cells["echo/s"], cells["of echo"] = _against(point.echo)
    return cells


def _against(reference: Reference | None) -> tuple[str, str]:
    return ("-", "-") if reference is None else (_rate(reference.per_s), f"{reference.ratio:.2f}")


def _rate(per_s: float) -> str:
    return f"{per_s:,.0f}" if per_s >= 100 else f"{per_s:.1f}"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _remarks(report: Report) -> Iterator[str]:
    for point in report.points:
        for remark in (*_failures(point.served), *_doubts(point)):
            yield f"{point.load}: {remark}"
    checked = sum(point.checked for point in report.points)
    if checked and not any(point.wrong for point in report.points):
        yield f"{checked} answers under load were compared with the answer to the same request alone: all agree."
    if report.lateness:
        late = report.lateness
        yield f"The server's event loop was late by {late.worst_ms:.1f} ms at worst, p99.9 {late.p999_ms:.1f} ms."


def _failures(served: Figures) -> Iterator[str]:
    for status, failures in served.failures.items():
        p99 = "" if failures.p99_ms is None else f", p99 {failures.p99_ms:.2f} ms"
        yield f"{failures.count} x {status}{p99}"


def _doubts(point: Point) -> Iterator[str]:
    if point.served.not_sent:
        yield f"{point.served.not_sent} calls were due but not sent: too many were under way"
    if point.wrong:
        yield f"{point.wrong} of {point.checked} answers differ from the answer to the same request alone"
    if point.note:
        yield point.note
