"""A closed server, as those outside meet it: tokens, TLS, limits, the port of the metrics, what the log says."""

import http.client
import re
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import grpc
import pytest
from click.testing import CliRunner
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from PIL import Image

from hondo.access import Access
from hondo.cli import main
from hondo.client import AsyncClient, Client
from hondo.errors import Overloaded, PermissionDenied, Unauthenticated, Unavailable
from protos.rpc import HONDO, INFERENCE
from serving.access import tokens
from serving.access.permission import OPEN, Permission, needed
from tests.hondo.pictures import encode
from tests.serving import artifacts
from tests.serving.access.certified import Authority
from tests.serving.asking import PATIENCE_S, call_of
from tests.serving.process import Process, hondo, serving

OWN = [("grpc.use_local_subchannel_pool", 1)]
METHODS = [f"/{service.full_name}/{method.name}" for service in (HONDO, INFERENCE) for method in service.methods]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of one classifier."""
    models = tmp_path_factory.mktemp("models")
    artifacts.write_classifier(models)
    return models


@dataclass(frozen=True)
class Closed:
    """A server with tokens."""

    process: Process
    file: Path
    # The token of each permission.
    tokens: dict[Permission, str]


@pytest.fixture(scope="module")
def closed(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Closed]:
    """A server that asks for tokens, one for each permission."""
    folder = tmp_path_factory.mktemp("closed")
    file, made = folder / "tokens", {}
    for permission in Permission:
        made[permission], grant = tokens.make(f"may-{permission}", [permission])
        tokens.add(file, grant)
    with serving(models, folder / "log", "--tokens", str(file)) as process:
        yield Closed(process, file, made)


def status(server: Process, method: str, token: str | None, header: str = "Bearer {}") -> grpc.StatusCode:
    """Gives the status of a call whose message is no message: a method that is let through says so."""
    metadata = () if token is None else (("authorization", header.format(token)),)
    with grpc.insecure_channel(server.address, options=OWN) as channel:
        function: Callable[..., grpc.Call] = channel.stream_stream(method)
        call = function(iter([b"\xff"]), metadata=metadata, timeout=PATIENCE_S)
        try:
            list(cast("Iterator[bytes]", call))
        except grpc.RpcError as error:
            return call_of(error).code()
        return grpc.StatusCode.OK


def metrics_of(server: Process) -> str:
    """Gives the address of a server's metrics."""
    found = re.search(r"metrics on (\S+)", server.log.read_text())
    assert found is not None
    return found[1]


def get(address: str, token: str | None = None, context: ssl.SSLContext | None = None) -> int:
    """Gives the HTTP status of an address."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    try:
        with urllib.request.urlopen(  # noqa: S310  our own server
            urllib.request.Request(address, headers=headers),  # noqa: S310  as above
            timeout=PATIENCE_S,
            context=context,
        ) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def eventually(said: Callable[[], bool]) -> bool:
    """Waits until something is so."""
    give_up_s = time.monotonic() + PATIENCE_S
    while not said() and time.monotonic() < give_up_s:
        time.sleep(0.1)
    return said()


@pytest.mark.parametrize("method", [method for method in METHODS if method not in OPEN])
def test_method_takes_a_token_that_allows_it(closed: Closed, method: str) -> None:
    """Without a token, or with one that is not known, it is UNAUTHENTICATED; with another's PERMISSION_DENIED."""
    assert status(closed.process, method, None) is grpc.StatusCode.UNAUTHENTICATED
    assert status(closed.process, method, "hondo_guess") is grpc.StatusCode.UNAUTHENTICATED
    for permission, token in closed.tokens.items():
        answered = status(closed.process, method, token)
        if permission is needed(method):
            assert answered not in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
        else:
            assert answered is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize("header", ["{}", "Basic {}", "Bearer", "Bearer ", "bearer{}", "Bearer x {}"])
def test_header_is_bearer_and_token(closed: Closed, header: str) -> None:
    """Whatever else stands where the token should, is none."""
    token = closed.tokens[Permission.INFERENCE]
    method = f"/{HONDO.full_name}/ListModels"
    assert status(closed.process, method, token, header) is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("method", ["/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", "/a.B/C"])
def test_strangers_learn_nothing(closed: Closed, method: str) -> None:
    """Neither what is served, nor whether there is a method, is told without a token."""
    assert status(closed.process, method, None) is grpc.StatusCode.UNAUTHENTICATED


def test_probes_need_no_token(closed: Closed) -> None:
    """Health, the protocol's liveness and /healthz answer everybody."""
    with grpc.insecure_channel(closed.process.address) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check", HealthCheckRequest.SerializeToString, HealthCheckResponse.FromString
        )
        assert check(HealthCheckRequest(), timeout=PATIENCE_S).status == HealthCheckResponse.SERVING
    assert get(metrics_of(closed.process).replace("/metrics", "/healthz")) == 200
    asked = CliRunner().invoke(main, ["health", "--server", closed.process.address])
    assert (asked.exit_code, asked.output) == (0, "SERVING\n")


def test_metrics_take_a_token(closed: Closed) -> None:
    """The metrics are closed like the rest: 401 to strangers, 403 to those who may do something else."""
    address = metrics_of(closed.process)
    assert get(address) == 401
    assert get(address, "hondo_guess") == 401
    assert get(address, closed.tokens[Permission.INFERENCE]) == 403
    assert get(address, closed.tokens[Permission.METRICS]) == 200
    assert get(address.replace("/metrics", "/other"), closed.tokens[Permission.METRICS]) == 404


async def test_clients_show_their_token(closed: Closed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both clients and the commands take a token as an argument or from the environment, and raise what is wrong."""
    server, token = closed.process.address, closed.tokens[Permission.INFERENCE]
    with Client(server) as client, pytest.raises(Unauthenticated, match="HONDO_TOKEN"):
        client.list_models()
    wrong = Access(token=closed.tokens[Permission.METRICS])
    with Client(server, access=wrong) as client, pytest.raises(PermissionDenied, match="may-metrics"):
        client.list_models()
    with Client(server, access=Access(token=token)) as client:
        assert [model.name for model in client.list_models()] == ["side"]
        (answer,) = client.classify_many([encode(Image.fromarray(artifacts.bright("left")), "PNG")])
        assert answer.labels[0].name == "left"
    async with AsyncClient(server, access=Access(token=token)) as asynchronous:
        assert [model.name for model in await asynchronous.list_models()] == ["side"]
    assert CliRunner().invoke(main, ["models", "--server", server]).exit_code == 1
    assert CliRunner().invoke(main, ["models", "--server", server, "--token", token]).exit_code == 0
    monkeypatch.setenv("HONDO_TOKEN", token)
    assert CliRunner().invoke(main, ["models", "--server", server]).exit_code == 0
    with Client(server) as client:
        assert client.list_models()


def test_tokens_come_and_go(closed: Closed, tmp_path: Path) -> None:
    """A token that `hondo token` adds is taken, and one whose line is removed is not, without a restart."""
    before = closed.file.read_text()
    made = CliRunner().invoke(main, ["token", "late", "--into", str(closed.file), "--may", "inference"])
    assert made.exit_code == 0
    method, token = f"/{HONDO.full_name}/ListModels", made.output.strip()
    refused = grpc.StatusCode.UNAUTHENTICATED
    assert eventually(lambda: status(closed.process, method, token) is not refused)
    closed.file.write_text(before)
    assert eventually(lambda: status(closed.process, method, token) is refused)


def test_log_has_no_secret(closed: Closed) -> None:
    """After all of that, the log tells of refusals, and holds neither a token nor a hash."""
    assert status(closed.process, f"/{HONDO.full_name}/Classify", "hondo_guess") is grpc.StatusCode.UNAUTHENTICATED
    log = closed.process.log.read_text()
    assert "refused a call" in log
    hashes = [line.split()[2] for line in closed.file.read_text().splitlines()]
    for secret in (*closed.tokens.values(), *hashes, "hondo_guess"):
        assert secret not in log
    assert "Traceback" not in log


def test_each_client_has_its_limit(models: Path, tmp_path: Path) -> None:
    """Who asks too often is told RESOURCE_EXHAUSTED and when to come again; another token is not held to that."""
    file, made = tmp_path / "tokens", {}
    for name in ("ann", "bob"):
        made[name], grant = tokens.make(name, [Permission.INFERENCE])
        tokens.add(file, grant)
    options = ("--tokens", str(file), "--client-calls-per-second", "5", "--client-calls-at-once", "4")
    with serving(models, tmp_path / "log", *options) as process:
        with Client(process.address, access=Access(token=made["ann"])) as ann:
            with pytest.raises(Overloaded) as refused:
                _ask_often(ann)
            assert 0 < refused.value.retry_after_s <= 0.2
            with Client(process.address, access=Access(token=made["bob"])) as bob:
                assert bob.list_models()
            time.sleep(refused.value.retry_after_s + 0.05)
            assert ann.list_models()
        with grpc.insecure_channel(process.address) as channel:
            metadata = (("authorization", f"Bearer {made['bob']}"),)
            method: Callable[..., grpc.Call] = channel.stream_stream(f"/{HONDO.full_name}/ClassifyStream")
            time.sleep(1.1)
            calls = [method(iter_forever(), metadata=metadata) for _ in range(4)]
            with Client(process.address, access=Access(token=made["bob"])) as bob:
                assert eventually(lambda: _is_refused(bob))
            for call in calls:
                call.cancel()


def _ask_often(client: Client) -> None:
    for _ in range(50):
        client.list_models()


def iter_forever() -> Iterator[bytes]:
    """Sends nothing, and does not end."""
    time.sleep(PATIENCE_S / 4)
    yield from ()


def _is_refused(client: Client) -> bool:
    try:
        client.list_models()
    except Overloaded as error:
        return "under way" in str(error)
    return False


def test_tls_certificate_is_replaced_without_restart(models: Path, tmp_path: Path) -> None:
    """Clients that trust the authority are served; others, and plain text, are not; a new certificate is taken up."""
    old, new = Authority(tmp_path, "old"), Authority(tmp_path, "new")
    files = old.certify("server")
    options = ("--tls-cert", str(files.certificate), "--tls-key", str(files.key))
    with serving(models, tmp_path / "log", *options) as process:
        address = metrics_of(process)
        assert address.startswith("https://")
        assert _serves(process.address, Access(ca=old.ca))
        assert get(address, context=ssl.create_default_context(cafile=old.ca)) == 200
        assert not _serves(process.address, Access(ca=new.ca))
        assert not _serves(process.address, Access())
        with pytest.raises((urllib.error.URLError, http.client.HTTPException, ConnectionError)):
            get(address.replace("https", "http"))
        asked = CliRunner().invoke(main, ["health", "--server", process.address, "--ca", str(old.ca)])
        assert (asked.exit_code, asked.output) == (0, "SERVING\n")

        files.key.write_bytes(b"no key")
        time.sleep(1.5)
        assert _serves(process.address, Access(ca=old.ca))
        other = new.certify("server")
        assert other == files
        assert eventually(lambda: _serves(process.address, Access(ca=new.ca)))
        assert not _serves(process.address, Access(ca=old.ca))
        assert get(address, context=ssl.create_default_context(cafile=new.ca)) == 200
    log = process.log.read_text()
    assert "stays in force" in log
    assert "PRIVATE KEY" not in log
    assert "Traceback" not in log


def test_mutual_tls_asks_who_comes(models: Path, tmp_path: Path) -> None:
    """With --tls-client-ca, only clients with a certificate of that authority are served, on both ports."""
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    files, friend, stranger = ours.certify("server"), ours.certify("friend"), theirs.certify("stranger")
    options = ("--tls-cert", str(files.certificate), "--tls-key", str(files.key), "--tls-client-ca", str(ours.ca))
    with serving(models, tmp_path / "log", *options) as process:
        assert _serves(process.address, Access(ca=ours.ca, certificate=friend.certificate, key=friend.key))
        assert not _serves(process.address, Access(ca=ours.ca))
        assert not _serves(process.address, Access(ca=ours.ca, certificate=stranger.certificate, key=stranger.key))
        trusting = ssl.create_default_context(cafile=ours.ca)
        with pytest.raises((urllib.error.URLError, http.client.HTTPException, ConnectionError, ssl.SSLError)):
            get(metrics_of(process), context=trusting)
        trusting.load_cert_chain(friend.certificate, friend.key)
        assert get(metrics_of(process), context=trusting) == 200


def _serves(server: str, access: Access) -> bool:
    with access.channel(server) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=2)
        except grpc.FutureTimeoutError:
            return False
    with Client(server, access=access, timeout_s=PATIENCE_S) as client:
        return bool(client.list_models())


def test_workers_are_as_closed(models: Path, tmp_path: Path) -> None:
    """Several workers ask for tokens and speak TLS like one, and so does the supervisor that tells the metrics."""
    authority = Authority(tmp_path, "authority")
    files, file = authority.certify("server"), tmp_path / "tokens"
    token, grant = tokens.make("ann", [Permission.INFERENCE, Permission.METRICS])
    tokens.add(file, grant)
    options = ("--tls-cert", str(files.certificate), "--tls-key", str(files.key), "--tokens", str(file))
    with serving(models, tmp_path / "log", "--workers", "2", *options) as process:
        for _ in range(4):
            with Client(process.address, access=Access(ca=authority.ca, token=token)) as client:
                assert client.list_models()
            with Client(process.address, access=Access(ca=authority.ca)) as client, pytest.raises(Unauthenticated):
                client.list_models()
            plain = Access(token=token)
            with Client(process.address, access=plain, timeout_s=2) as client, pytest.raises(Unavailable):
                client.list_models()
        address, context = metrics_of(process), ssl.create_default_context(cafile=authority.ca)
        assert get(address, context=context) == 401
        assert get(address, token, context) == 200
        assert get(address.replace("/metrics", "/healthz"), context=context) == 200
        process.popen.send_signal(signal.SIGTERM)
        assert process.popen.wait(PATIENCE_S) == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_server_does_not_listen_to_all_by_oversight(models: Path, workers: str) -> None:
    """`--host ::` alone ends at once, with words that say what to do."""
    command = hondo("serve", models, "--host", "::", "--port", "0", "--metrics-port", "0", "--workers", workers)
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert "--insecure" in ended.stderr
    assert "ready" not in ended.stderr


def test_health_of_nobody_is_an_error(tmp_path: Path) -> None:
    """`hondo health` fails where no server answers, soon."""
    asked = CliRunner().invoke(main, ["health", "--server", "127.0.0.1:1", "--timeout", "2"])
    assert asked.exit_code == 1
    assert "no server answers" in asked.output


def test_slow_handshake_holds_up_nobody(models: Path, tmp_path: Path) -> None:
    """Connections to the metrics that say nothing keep neither scrapes nor the end of the server waiting."""
    files = Authority(tmp_path, "authority").certify("server")
    options = ("--tls-cert", str(files.certificate), "--tls-key", str(files.key))
    with serving(models, tmp_path / "log", *options) as process:
        place = urlsplit(metrics_of(process))
        assert place.hostname
        assert place.port
        silent = [socket.create_connection((place.hostname, place.port)) for _ in range(20)]
        try:
            context = ssl.create_default_context(cafile=tmp_path / "authority.pem")
            started_s = time.monotonic()
            assert get(metrics_of(process), context=context) == 200
            assert time.monotonic() - started_s < 5
            process.popen.send_signal(signal.SIGTERM)
            assert process.popen.wait(PATIENCE_S) == 0
        finally:
            for connection in silent:
                connection.close()
