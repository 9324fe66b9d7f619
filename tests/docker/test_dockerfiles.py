"""Images: pinned, in stages, without what a server must not have, and not root."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.markers import Marker

from tests.docker.places import DOCKER, REQUIREMENTS, ROOT

DOCKERFILES = sorted(DOCKER.glob("*.Dockerfile"))
KNOWN = {"ARG", "FROM", "ENV", "WORKDIR", "COPY", "RUN", "LABEL", "USER", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK"}
KNOWN |= {"ENTRYPOINT", "CMD"}


@dataclass(frozen=True)
class Instruction:
    """One instruction, its lines joined."""

    name: str
    value: str


def read(path: Path) -> list[list[Instruction]]:
    """Gives a Dockerfile's instructions by stages; those before the first FROM come first."""
    lines = [line for line in path.read_text("utf-8").splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    stages: list[list[Instruction]] = [[]]
    for line in filter(None, map(str.strip, joined.splitlines())):
        name, _, value = line.partition(" ")
        if name == "FROM":
            stages.append([])
        stages[-1].append(Instruction(name, value.strip()))
    return stages


def values(stage: list[Instruction], name: str) -> list[str]:
    return [instruction.value for instruction in stage if instruction.name == name]


@pytest.fixture(params=DOCKERFILES, ids=lambda path: path.name)
def stages(request: pytest.FixtureRequest) -> list[list[Instruction]]:
    """A Dockerfile's stages."""
    path = request.param
    assert isinstance(path, Path)
    return read(path)


def test_there_are_three() -> None:
    """The server on a CPU and on CUDA, and training, each have their image."""
    names = [path.name for path in DOCKERFILES]
    assert names == ["serving.cpu.Dockerfile", "serving.cuda.Dockerfile", "training.Dockerfile"]


def test_instructions_are_known(stages: list[list[Instruction]]) -> None:
    """Each line is an instruction; ADD, which fetches from anywhere, and deprecated ones are none of them."""
    assert {instruction.name for stage in stages for instruction in stage} <= KNOWN


def test_bases_are_tagged(stages: list[list[Instruction]]) -> None:
    """All stages stand on one base, named with its registry and a tag that is not `latest`."""
    (base,) = values(stages[0], "ARG")
    assert re.fullmatch(r"PYTHON=docker\.io/library/python:3\.11-slim-bookworm", base)
    assert [values(stage, "FROM")[0].split()[0] for stage in stages[1:]] == ["${PYTHON}"] * 2


def test_installs_what_is_locked(stages: list[list[Instruction]]) -> None:
    """Pip installs from locks by their hashes, or what was built here without asking anybody; locks are there."""
    installs = re.findall(r"pip\S*(?: --python \S+)? install ([^&]*)", " && ".join(values(stages[1], "RUN")))
    assert len(installs) == 3
    for install in installs:
        assert "--require-hashes" in install or "--no-index" in install
        for lock in re.findall(r"-r (\S+)", install):
            assert (ROOT / lock).is_file()
            assert any(lock in copied for copied in values(stages[1], "COPY"))


def test_dependencies_come_before_code(stages: list[list[Instruction]]) -> None:
    """A change of Hondo's own code leaves the layer of dependencies as it is."""
    names = [instruction.value for instruction in stages[1] if instruction.name in ("COPY", "RUN")]
    assert names[0].startswith("requirements/")
    assert "--require-hashes" in names[1]
    assert "pyproject.toml" in names[2]


def test_what_is_copied_is_there_and_let_in(stages: list[list[Instruction]]) -> None:
    """Each source of a COPY is in the repository, and .dockerignore, which shuts out all else, lets it in."""
    let_in = {
        line[1:].rstrip("/") for line in (ROOT / ".dockerignore").read_text("ascii").splitlines() if line[:1] == "!"
    }
    for stage in stages[1:]:
        for copy in values(stage, "COPY"):
            if not copy.startswith("--from="):
                for source in copy.split()[:-1]:
                    assert (ROOT / source).exists()
                    assert source.split("/")[0] in let_in


def test_everything_else_is_shut_out() -> None:
    """.dockerignore begins with everything, so neither .git nor secrets get into an image by oversight."""
    assert (ROOT / ".dockerignore").read_text("ascii").splitlines()[0] == "*"


def test_runs_as_nobody(stages: list[list[Instruction]]) -> None:
    """The last stage has a fixed number that is not root's for its user, and nothing runs or is copied after it."""
    last = stages[-1]
    assert values(last, "USER") == ["10001:10001"]
    after = [instruction.name for instruction in last[[each.name for each in last].index("USER") :]]
    assert not {"RUN", "COPY"} & set(after)


def test_brings_what_was_built_alone(stages: list[list[Instruction]]) -> None:
    """The last stage runs nothing, so it has no tool, no cache and no package list that the base lacks."""
    assert values(stages[-1], "RUN") == []
    assert values(stages[-1], "COPY")[0] == "--from=build /opt/hondo /opt/hondo"


def test_says_what_it_is(stages: list[list[Instruction]]) -> None:
    """Labels by the names of the OCI's image specification."""
    labels = " ".join(values(stages[-1], "LABEL"))
    for name in ("title", "description", "licenses", "version", "revision"):
        assert f'org.opencontainers.image.{name}="' in labels


def test_server_is_closed_and_stops_well() -> None:
    """A server's image speaks up for itself, is stopped by SIGTERM, and is not open unless whoever runs it says so."""
    for path in DOCKERFILES[:2]:
        last = read(path)[-1]
        assert values(last, "STOPSIGNAL") == ["SIGTERM"]
        assert values(last, "HEALTHCHECK")[0].endswith('CMD ["hondo", "health"]')
        (entry,) = values(last, "ENTRYPOINT")
        assert entry.startswith('["hondo", "serve"')
        assert "--insecure" not in entry
        assert values(last, "CMD") == []


# A package of a lock: its name, its version, where it is taken (a marker), its hashes.
PACKAGE = re.compile(r"^([\w.-]+)==(\S+)(?: ; (.+?))?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", re.MULTILINE)
MACHINES = [("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"), ("win32", "AMD64")]


@pytest.mark.parametrize("lock", sorted(REQUIREMENTS.glob("*.lock")), ids=lambda path: path.name)
def test_lock_pins_by_hash(lock: Path) -> None:
    """A lock is packages of one version with hashes, that of the constraints; no place to fetch them is named."""
    text = lock.read_text("ascii")
    packages = PACKAGE.findall(text)
    assert len(packages) == len([line for line in text.splitlines() if not line.startswith("    --hash")])
    assert "://" not in text
    stated = (REQUIREMENTS / "constraints.txt").read_text("ascii").splitlines()
    pinned = dict(line.lower().replace("_", "-").split("==") for line in stated if "==" in line)
    assert {name: version for name, version, _, _ in packages if pinned.get(name, version) != version.lower()} == {}


@pytest.mark.parametrize("machine", MACHINES)
def test_no_machine_gets_both_runtimes(machine: tuple[str, str]) -> None:
    """Onnxruntime and onnxruntime-gpu are one module in two wheels: each lock takes one of them; servers no torch."""
    environment = {"sys_platform": machine[0], "platform_machine": machine[1]}
    for name in ("serve", "serve-cpu", "export", "dev"):
        taken = {
            package
            for package, _, marker, _ in PACKAGE.findall((REQUIREMENTS / f"{name}.lock").read_text("ascii"))
            if not marker or Marker(marker).evaluate(environment)
        }
        assert len({"onnxruntime", "onnxruntime-gpu"} & taken) == 1
        assert ("torch" in taken) == (name in ("export", "dev"))
