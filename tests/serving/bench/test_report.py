import json
from pathlib import Path
from typing import Any

import pytest

from serving.bench import plot
from serving.bench.load import Closed, Load, Open
from serving.bench.report import to_json, to_text
from tests.serving.bench.samples import report

NUMBER = int | float
RATE = {"per_s": NUMBER, "p50_ms": NUMBER, "cpu_ms": NUMBER | None}
REFERENCE = {"before": RATE, "after": RATE, "served_per_s": NUMBER, "per_s": NUMBER, "ratio": NUMBER}
SETTING = {"rows": int, "instances": int, "threads": int, "spinning": bool}
SCHEMA: Any = {
    "machine": {"cores": int, "cpu": str, "system": str, "load_average": NUMBER, "versions": dict},
    "model": str,
    "server": {"address": str, "started_by_bench": bool},
    "requests": {"method": str, "rows": int, "bytes": int},
    "generator": str,
    "seconds": NUMBER,
    "deadline_ms": NUMBER | None,
    "raw": {"best": SETTING, "single": SETTING, "tried": [SETTING | RATE]},
    "points": [
        {
            "load": dict,
            "served": {
                "requests_per_s": NUMBER,
                "rows_per_s": NUMBER,
                "goodput_per_s": NUMBER,
                "latency": {"p50_ms": NUMBER, "p95_ms": NUMBER, "p99_ms": NUMBER, "max_ms": NUMBER},
                "failures": dict,
                "not_sent": int,
                "client_cpu_ms": NUMBER | None,
                "server_cpu_ms": NUMBER | None,
            },
            "raw": REFERENCE | {"setting": SETTING},
            "echo": REFERENCE,
            "checked": int,
            "wrong": int,
            "note": str,
        }
    ],
    "event_loop": {"worst_ms": NUMBER, "p999_ms": NUMBER, "seconds": NUMBER},
}


def check(value: object, schema: Any, place: str = "") -> None:
    """Holds a JSON value to a schema of keys and types."""
    if isinstance(schema, dict):
        assert isinstance(value, dict), place
        assert value.keys() == schema.keys(), place
        for key in schema:
            check(value[key], schema[key], f"{place}.{key}")
    elif isinstance(schema, list):
        assert isinstance(value, list), place
        for element in value:
            check(element, schema[0], f"{place}[]")
    else:
        assert isinstance(value, schema), place


def test_json_has_every_figure() -> None:
    """The JSON document has these keys and types, which programs that read it rely on."""
    document = json.loads(to_json(report([Closed(4)])))
    check(document, SCHEMA)
    assert document["points"][0]["load"] == {"kind": "closed", "concurrency": 4}
    assert document["points"][0]["served"]["failures"] == {"RESOURCE_EXHAUSTED": {"count": 2, "p99_ms": 0.5}}
    assert document["points"][0]["raw"]["ratio"] == pytest.approx(0.8)


def test_open_loop_has_its_rate_and_no_echo() -> None:
    """An open loop names the rate that was offered; an empty server at the same rate would tell nothing."""
    (point,) = json.loads(to_json(report([Open(50)])))["points"]
    assert point["load"] == {"kind": "open", "rate_per_s": 50}
    assert point["echo"] is None


def test_table_has_a_line_for_each_load() -> None:
    """The table has a line for each load under aligned heads, and says what failed and what was not sent."""
    text = to_text(report())
    head, *lines = [line for line in text.splitlines() if "of raw" in line or "0.80" in line]
    assert len(lines) == 3
    assert {len(line) for line in lines} == {len(head)}
    assert "32 at once: 2 x RESOURCE_EXHAUSTED, p99 0.50 ms" in text
    assert "50/s: 7 calls were due but not sent" in text
    assert "event loop was late by 1.5 ms at worst" in text


@pytest.mark.parametrize("loads", [[Closed(1)], [Open(5), Open(50)], [Closed(1), Closed(8), Open(50)]])
def test_plot_is_a_picture(tmp_path: Path, loads: list[Load]) -> None:
    """Whatever loads were measured, the plot is a PNG file."""
    pytest.importorskip("matplotlib")
    plot.save(report(loads), tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
