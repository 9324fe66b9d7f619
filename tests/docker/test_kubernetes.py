"""Kubernetes: manifests that the published schemas take, and that fit each other and the image."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from tests.docker.places import DOCKER, Document, documents

KUBERNETES = DOCKER / "kubernetes"
# The oldest and the newest version that the schemas are asked for.
VERSIONS = ("1.30", "1.36")
# Kinds that Kubernetes itself does not have, so that the package has no schemas of theirs.
FOREIGN = {"Kustomization", "ServiceMonitor", "ServingRuntime", "InferenceService"}
BASE = {
    document["kind"] + "/" + document["metadata"]["name"]: document
    for path in sorted((KUBERNETES / "base").glob("*.yaml"))
    if path.name != "kustomization.yaml"
    for document in documents(path)
}
SELECTED = {"app.kubernetes.io/name": "hondo"}


def filled(document: Document) -> Document:
    """Gives a manifest with the labels that kustomize adds."""
    labels = {"matchLabels": SELECTED}
    spec = dict(document["spec"])
    if document["kind"] == "Deployment":
        spec["selector"] = labels
        spec["template"] = {**spec["template"], "metadata": {**spec["template"]["metadata"], "labels": SELECTED}}
    return {**document, "spec": spec}


def pod() -> dict[str, Any]:
    spec: dict[str, Any] = BASE["Deployment/hondo"]["spec"]["template"]["spec"]
    return spec


def container() -> dict[str, Any]:
    (only,) = pod()["containers"]
    assert isinstance(only, dict)
    return only


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", [name for name in BASE if name.split("/")[0] not in FOREIGN])
def test_manifest_fits_the_schema(name: str, version: str) -> None:
    """Every manifest of a kind of Kubernetes' own is what its published schema wants, with no field too many."""
    kubernetes_validate.validate(filled(BASE[name]), version, strict=True)


def test_schema_is_strict() -> None:
    """A misspelt field is found, so the test above can fail."""
    broken = filled(BASE["PodDisruptionBudget/hondo"])
    broken["spec"]["maxUnavailble"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, VERSIONS[-1], strict=True)
    del broken["spec"]["maxUnavailble"]


@pytest.mark.parametrize("folder", ["base", "tls", "kserve"])
def test_every_manifest_is_used(folder: str) -> None:
    """A kustomization names every file beside it, and none that is not there."""
    (kustomization,) = documents(KUBERNETES / folder / "kustomization.yaml")
    named = {*kustomization["resources"], *(p["path"] for p in kustomization.get("patches", ()) if "path" in p)}
    files = {path.name for path in (KUBERNETES / folder).glob("*.yaml")} - {"kustomization.yaml"}
    assert named - {"../base"} == files


def test_pod_is_confined() -> None:
    """The pod runs as the image's user, with a read-only disk, no capability, no token of Kubernetes'."""
    assert pod()["automountServiceAccountToken"] is False
    assert pod()["securityContext"]["runAsNonRoot"] is True
    assert pod()["securityContext"]["runAsUser"] == 10001
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_probes_ask_by_grpc() -> None:
    """Startup, readiness and liveness ask the health service; starting may take minutes, and busy is not dead."""
    probes = {name: container()[f"{name}Probe"] for name in ("startup", "readiness", "liveness")}
    assert all(probe["grpc"] == {"port": 8001} for probe in probes.values())
    patience_s = {name: probe["periodSeconds"] * probe["failureThreshold"] for name, probe in probes.items()}
    assert patience_s["startup"] >= 120
    assert patience_s["liveness"] > patience_s["readiness"]


def test_pod_has_time_to_drain() -> None:
    """The kill comes after the wait for the news and --drain-seconds."""
    wait_s = int(container()["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod()["terminationGracePeriodSeconds"] > wait_s + 30


def test_server_is_closed() -> None:
    """The server asks for tokens, from a Secret that is mounted so that its changes arrive."""
    arguments = container()["args"]
    assert not any("--insecure" in argument for argument in arguments)
    (mount,) = container()["volumeMounts"]
    assert f"--tokens={mount['mountPath']}/tokens" in arguments
    assert "subPath" not in mount


def test_services_and_monitors_find_the_ports() -> None:
    """Ports are called alike everywhere, the headless service has no address, and the monitor's port exists once."""
    ports = {port["name"] for port in container()["ports"]}
    services = [document for name, document in BASE.items() if name.startswith("Service/")]
    assert {port["targetPort"] for service in services for port in service["spec"]["ports"]} <= ports
    assert [service["spec"].get("clusterIP") for service in services] == [None, "None"]
    (endpoint,) = BASE["ServiceMonitor/hondo"]["spec"]["endpoints"]
    having = [s for s in services if endpoint["port"] in {port["name"] for port in s["spec"]["ports"]}]
    assert len(having) == 1


def test_scaling_goes_by_the_queue() -> None:
    """The autoscaler's metric is the one that the adapter makes of the time in the queue; the budget lets pods go."""
    spec = BASE["HorizontalPodAutoscaler/hondo"]["spec"]
    (metric,) = spec["metrics"]
    adapter = (KUBERNETES / "adapter.yaml").read_text("utf-8")
    assert f"as: {metric['pods']['metric']['name']}" in adapter
    assert "hondo_queue_seconds_bucket" in adapter
    assert spec["minReplicas"] > BASE["PodDisruptionBudget/hondo"]["spec"]["maxUnavailable"]


def test_tls_asks_otherwise() -> None:
    """With TLS, which the kubelet's gRPC probes do not speak, probes are /healthz; no argument of the base is lost."""
    (patch,) = documents(KUBERNETES / "tls" / "deployment.yaml")
    (patched,) = patch["spec"]["template"]["spec"]["containers"]
    for name in ("startup", "readiness", "liveness"):
        probe = patched[f"{name}Probe"]
        assert probe["grpc"] is None
        assert probe["httpGet"] == {"scheme": "HTTPS", "port": "metrics", "path": "/healthz"}
    assert set(container()["args"]) < set(patched["args"])


def test_kserve_runtime_serves_v2_by_grpc() -> None:
    """The runtime and the service agree on the format and on the protocol, and the runtime reads what KServe mounts."""
    (runtime,) = documents(KUBERNETES / "kserve" / "runtime.yaml")
    (service,) = documents(KUBERNETES / "kserve" / "service.yaml")
    model = service["spec"]["predictor"]["model"]
    assert model["runtime"] == runtime["metadata"]["name"]
    assert model["protocolVersion"] in runtime["spec"]["protocolVersions"]
    assert model["modelFormat"]["name"] in {each["name"] for each in runtime["spec"]["supportedModelFormats"]}
    (only,) = runtime["spec"]["containers"]
    assert only["args"][0] == "/mnt/models"
    assert only["ports"] == [{"name": "h2c", "containerPort": 8001, "protocol": "TCP"}]


def test_no_manifest_names_a_mutable_tag() -> None:
    """No image is `latest`."""
    for path in Path(KUBERNETES).rglob("*.yaml"):
        assert ":latest" not in path.read_text("utf-8")
