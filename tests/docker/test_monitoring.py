"""Monitoring: compose, Prometheus and Grafana ask for metrics that the server has."""

import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from serving.telemetry.metrics import Metrics
from tests.docker.places import DOCKER, documents

DASHBOARD: dict[str, Any] = json.loads((DOCKER / "grafana/dashboards/hondo.json").read_text("utf-8"))
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
(ALERTS,) = documents(DOCKER / "prometheus/alerts.yaml")
RULES: list[dict[str, Any]] = [rule for group in ALERTS["groups"] for rule in group["rules"]]


def served() -> set[str]:
    """Gives the names of all series that a server has, Prometheus' own `up` among them."""
    metrics = Metrics()
    metrics.tally("model", 1, "model")
    metrics.decode_tally("model", 1)
    names = {"up"}
    for family in text_string_to_metric_families(generate_latest(metrics.registry).decode()):
        names |= {sample.name for sample in family.samples}
        match family.type:
            case "counter":
                names.add(f"{family.name}_total")
            case "histogram":
                names |= {f"{family.name}_{part}" for part in ("bucket", "sum", "count")}
            case "gauge":
                names.add(family.name)
            case _:
                pass
    return names


def selected(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Goes through the series that an expression asks for, with the labels that it selects by; fails if it is none."""
    text = expression.replace("$__rate_interval", "5m").replace("$instance", ".*").replace("$model", ".*")
    found: list[promql_parser.VectorSelector] = []

    def visit(node: object) -> bool:
        if isinstance(node, promql_parser.MatrixSelector):
            node = node.vector_selector
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        return True

    promql_parser.walk(promql_parser.parse(text), visit)
    assert found
    for selector in found:
        yield selector.name or "", {matcher.name for matcher in selector.matchers.matchers}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_alert_asks_for_what_is_served(rule: dict[str, Any]) -> None:
    """An alert is an expression on the server's metrics, waits before it speaks, and names its place in the runbook."""
    assert {name for name, _ in selected(rule["expr"])} <= served()
    assert rule["for"]
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["summary"]
    file, _, heading = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^## (.*)$", (DOCKER.parent / file).read_text("utf-8"), re.MULTILINE)
    assert heading in {re.sub(r"[^\w -]", "", text).lower().replace(" ", "-") for text in headings}


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: str(panel["title"]))
def test_panel_asks_for_what_is_served(panel: dict[str, Any]) -> None:
    """A panel's expressions ask for the server's metrics, and for no label that Prometheus would not have."""
    assert panel["targets"]
    for target in panel["targets"]:
        for name, labels in selected(target["expr"]):
            assert name in served()
            assert labels <= {"job", "instance", "model", "version", "graph", "method", "code", "outcome"}


def test_dashboard_shows_what_matters() -> None:
    """Latency as histograms, queues, batch sizes, tokens and errors each have a panel; no two overlap."""
    asked = {name for panel in PANELS for target in panel["targets"] for name, _ in selected(target["expr"])}
    assert asked >= {
        *("hondo_call_seconds_bucket", "hondo_calls_total", "hondo_queue_seconds_bucket", "hondo_queue_rows"),
        *("hondo_batch_rows_sum", "hondo_run_seconds_bucket", "hondo_tokens_total", "hondo_requests_total"),
    }
    cells = [
        (x, y)
        for at in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    identities = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(identities)) == len(identities)


def test_data_source_is_the_provisioned_one() -> None:
    """Every panel asks the Prometheus that Grafana is told of."""
    (sources,) = documents(DOCKER / "grafana/provisioning/datasources/prometheus.yaml")
    (uid,) = [source["uid"] for source in sources["datasources"]]
    assert {panel["datasource"]["uid"] for panel in PANELS} == {uid}


def test_prometheus_scrapes_the_server() -> None:
    """Prometheus knows the rules' file, and its job has the name that they ask for."""
    (config,) = documents(DOCKER / "prometheus/prometheus.yaml")
    assert all((DOCKER / "prometheus" / file).is_file() for file in config["rule_files"])
    (job,) = config["scrape_configs"]
    assert job["job_name"] == "hondo"
    assert job["static_configs"] == [{"targets": ["hondo:8002"]}]


def test_compose_opens_nothing_to_others() -> None:
    """Every published port is this machine's own, every image has a tag, and what is mounted is there."""
    (compose,) = documents(DOCKER / "compose.yaml")
    assert set(compose["services"]) == {"hondo", "prometheus", "grafana"}
    for service in compose["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        assert re.search(r":[\w.-]+$", service["image"])
        assert not service["image"].endswith(":latest")
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert set(service["networks"]) <= set(compose["networks"])
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (DOCKER / source).exists()


def test_compose_server_is_read_only_and_drains() -> None:
    """The server's disk is read-only, and it has longer to stop than calls in flight may take."""
    (compose,) = documents(DOCKER / "compose.yaml")
    server = compose["services"]["hondo"]
    assert server["read_only"] is True
    assert int(server["stop_grace_period"].removesuffix("s")) > 30
    assert (DOCKER / server["build"]["context"] / server["build"]["dockerfile"]).is_file()
