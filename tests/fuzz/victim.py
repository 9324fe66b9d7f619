"""The victim: a real server process of tiny models, closed by tokens, and what is to be seen of it from outside."""

import contextlib
import hashlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import grpc

from protos.hondo_pb2 import ClassifyRequest, ClassifyResponse
from protos.inference_pb2 import ModelInferResponse, RepositoryIndexRequest, RepositoryIndexResponse
from protos.inference_pb2 import RepositoryModelLoadRequest as Load
from protos.inference_pb2 import RepositoryModelLoadResponse as Loaded
from protos.rpc import HONDO, INFERENCE, unary
from serving.access import tokens
from serving.access.permission import Permission
from serving.access.tokens import Grant
from serving.bench.holdings import held
from tests.fuzz import seeds
from tests.fuzz.asker import HANGS_S
from tests.fuzz.reflected import Method, methods
from tests.serving import assortment, recurrent, requests
from tests.serving.artifacts import LABELS
from tests.serving.process import Process, serving
from tests.serving.values import packed

_METRICS: Final = re.compile(r"metrics on http://\S+:(\d+)/metrics")
# Always the same, so that what was thrown can be thrown again.
_TOKEN: Final = b"hondo_for_fuzzing_alone"
# What a server's log must not have: exceptions that nobody foresaw.
_TROUBLE: Final = re.compile(rb"Traceback|\bERROR\b|\bCRITICAL\b|never retrieved|never awaited|terminate called")


class Victim:
    """A running server."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.address = process.address
        self.metadata = (("authorization", f"Bearer {_TOKEN.decode()}"),)
        self._channel = grpc.insecure_channel(process.address)
        self._log_read = 0

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.popen.pid

    @property
    def metrics_port(self) -> int:
        """The port of the metrics."""
        found = _METRICS.search(self._process.log.read_text("utf-8", "replace"))
        assert found is not None, "it says so before it is ready"
        return int(found[1])

    def methods(self) -> list[Method]:
        """Gives every method that it has."""
        return methods(self._channel, self.metadata)

    def check(self) -> None:
        """Holds that it lives, answers good requests rightly, and met nothing that nobody foresaw."""
        assert self._process.popen.poll() is None, f"the server ended with {self._process.popen.poll()}"
        self._load_all()
        classify = unary(self._channel, HONDO, "Classify", ClassifyResponse, self.metadata)
        answer = classify(ClassifyRequest(model="side", images=requests.PICTURES, top_k=1), timeout=HANGS_S)
        assert [result.labels[0].name for result in answer.results] == list(LABELS)
        infer = unary(self._channel, INFERENCE, "ModelInfer", ModelInferResponse, self.metadata)
        assert infer(requests.joined(), timeout=HANGS_S).raw_output_contents[0] == packed("BYTES", ["a1", "größer-20"])
        assert not (trouble := self._trouble()), trouble

    def _load_all(self) -> None:
        """Loads what was unloaded, as fuzzers may."""
        index = unary(self._channel, INFERENCE, "RepositoryIndex", RepositoryIndexResponse, self.metadata)
        load = unary(self._channel, INFERENCE, "RepositoryModelLoad", Loaded, self.metadata)
        listed = index(RepositoryIndexRequest(), timeout=HANGS_S)
        for name in {model.name for model in listed.models if model.state != "READY"}:
            load(Load(model_name=name), timeout=HANGS_S)

    def _trouble(self) -> str:
        """Gives what came to its log since the last look, from the first trouble on."""
        with self._process.log.open("rb") as log:
            log.seek(self._log_read)
            fresh = log.read()
        self._log_read += len(fresh)
        found = _TROUBLE.search(fresh)
        return fresh[max(0, found.start() - 500) :][:5000].decode("utf-8", "replace") if found else ""

    @property
    def memory_mb(self) -> float:
        """Memory that it takes, MiB."""
        return held(self.pid).resident_kb / 1024

    @property
    def open_files(self) -> int:
        """Files and connections that it has open."""
        return held(self.pid).file_handles

    def close(self) -> None:
        """Asks it nothing any more."""
        self._channel.close()


@contextlib.contextmanager
def victim(folder: Path) -> Iterator[Victim]:
    """Starts a server of all that there is, with a token that may do anything; ends it."""
    models = assortment.write(folder / "models")
    shutil.rmtree(models / "fragile")  # fails for a reason of its own, as it is made to
    recurrent.remember(models / "remember" / "1" / "model.onnx")
    tokens.add(folder / "tokens", Grant("fuzz", frozenset(Permission), hashlib.sha256(_TOKEN).digest()))
    memory = Path("/dev/shm") / seeds.MEMORY  # noqa: S108
    memory.write_bytes(bytes(seeds.MEMORY_BYTES))
    options = ("--max-message-mb", "8", "--versions", "all", "--model-control", "--shared-memory")
    try:
        with serving(models, folder / "server.log", *options, "--tokens", str(folder / "tokens")) as process:
            found = Victim(process)
            try:
                yield found
            finally:
                found.close()
    finally:
        memory.unlink(missing_ok=True)
