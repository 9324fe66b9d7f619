"""Who may import what: the rooms of the house as an executable table."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent

# Room -> what its files may import, beside the standard library and the room itself.
MAY_IMPORT: Final = {
    "protos": {"google.protobuf", "grpc"},
    "hondo": {"protos", "google.protobuf", "google.rpc", "grpc", "numpy", "PIL", "click"},
    "training": {
        *{"hondo", "protos", "google.protobuf", "numpy", "PIL", "click"},
        *{"torch", "lightning", "torchmetrics", "kornia", "pydantic", "sklearn", "scipy", "tqdm"},
    },
    "serving": {
        *{"hondo", "protos", "google.protobuf", "grpc", "grpc_health", "grpc_reflection", "numpy", "click"},
        *{"onnxruntime", "prometheus_client"},
    },
    "export": {
        *{"hondo", "protos", "training", "serving", "google.protobuf", "numpy", "PIL", "click"},
        *{"torch", "onnx", "onnxscript", "onnx_ir", "onnxruntime"},
    },
}
# File -> what it alone in its room may import besides.
MAY_ALSO_IMPORT: Final = {
    "protos/generate.py": {"grpc_tools"},
    "serving/bench/nets.py": {"onnx"},
    "serving/bench/plot.py": {"matplotlib"},
    "serving/telemetry/traces.py": {"opentelemetry"},
    "training/bsds/plot.py": {"matplotlib"},
    "training/captions/measures.py": {"pycocoevalcap"},
    **{f"training/report/{noun}.py": {"matplotlib"} for noun in ("columns", "confusion", "curves", "mosaic", "theme")},
    "export/imports/samples.py": {"sklearn"},
    "export/imports/hed.py": {"h5py"},
    "export/whole/pictures.py": {"sklearn"},
}

# Inner room of serving/ -> the other modules of serving/ that its files may import. What lies in none makes a server of
# them, and may import all but the benches.
SERVING_MAY_IMPORT: Final = {
    "runtime": set(),
    "telemetry": set(),
    "access": {"refusal"},
    "batching": {"runtime", "telemetry"},
    "decode": {"batching", "runtime", "telemetry"},
    "contract": {"decode", "runtime"},
    "catalog": {"settings", "contract", "decode", "batching", "runtime", "telemetry"},
    "tasks": {"refusal", "streams", "catalog", "contract", "decode", "batching", "runtime", "telemetry"},
    "protocol": {"refusal", "streams", "calls", "catalog", "decode", "batching", "runtime", "telemetry"},
    "bench": {"access", "catalog", "contract", "decode", "runtime", "telemetry"},
}

# Lower room -> the rooms above or beside it, which it must not even name in a string.
MUST_NOT_NAME: Final = {
    "protos": {"hondo", "training", "serving", "export", "tests"},
    "hondo": {"training", "serving", "export", "tests"},
    "training": {"serving", "export", "tests"},
    "serving": {"training", "export", "tests"},
    "export": {"tests"},
}
# The command line loads rooms on use, so its table names them.
NAMES_ROOMS: Final = "hondo/cli.py"

# Room -> what must not come with it when all of its modules load.
KEEPS_OUT: Final = {
    "protos": {"hondo", "serving", "training", "export", "torch", "onnx", "onnxruntime"},
    "hondo": {"serving", "training", "export", "torch", "onnx", "onnxruntime"},
    "serving": {"training", "export", "torch", "onnx"},
}


def files(room: str) -> dict[str, ast.Module]:
    """Gives the syntax tree of every Python file of a room, by its path from the root."""
    paths = (path for path in sorted((ROOT / room).rglob("*.py")) if not path.name.endswith("_pb2.py"))
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text("utf-8")) for path in paths}


def imports(tree: ast.AST) -> Iterator[str]:
    """Goes through the modules that a file imports anywhere: at the top, in functions, for type checkers."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            # `from google import protobuf` imports google.protobuf, for all that the syntax tells.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def strings(tree: ast.AST) -> Iterator[str]:
    """Goes through the string constants of a file."""
    return (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))


def called(tree: ast.AST) -> Iterator[str]:
    """Goes through the names of all that a file calls."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            yield node.func.id if isinstance(node.func, ast.Name) else node.func.attr


def test_table_names_every_room() -> None:
    """Every package that is shipped has its row in the table."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert set(MAY_IMPORT) == set(pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_room_imports_what_it_may(room: str) -> None:
    """A file imports only what the table allows its room, wherever in the file the import stands."""
    foreign = {}
    for file, tree in files(room).items():
        allowed = {room} | MAY_IMPORT[room] | MAY_ALSO_IMPORT.get(file, set())
        foreign[file] = {
            name
            for name in imports(tree)
            if name.split(".")[0] not in sys.stdlib_module_names
            and not any(f"{name}.".startswith(f"{module}.") for module in allowed)
        }
    assert foreign
    assert {file: names for file, names in foreign.items() if names} == {}


def test_inner_rooms_import_what_they_may() -> None:
    """In serving/, too, imports go one way: what runs graphs knows nothing of models, and these nothing of calls."""
    inner = {path.name for path in (ROOT / "serving").iterdir() if (path / "__init__.py").is_file()}
    assert set(SERVING_MAY_IMPORT) == inner
    for file, tree in files("serving").items():
        room = Path(file).parts[1]
        imported = {name.split(".")[1] for name in imports(tree) if name.startswith("serving.")}
        if room in inner:
            assert imported - {room} <= SERVING_MAY_IMPORT[room], file
        else:
            assert "bench" not in imported, file


@pytest.mark.parametrize("room", MUST_NOT_NAME)
def test_room_names_no_higher_room(room: str) -> None:
    """Only the command line's table names a module of a higher room in a string."""
    higher = re.compile(rf"({'|'.join(sorted(MUST_NOT_NAME[room]))})(\.\w+)+")
    named = {file: [text for text in strings(tree) if higher.fullmatch(text)] for file, tree in files(room).items()}
    assert {file for file, texts in named.items() if texts} == ({NAMES_ROOMS} if room == "hondo" else set())


@pytest.mark.parametrize("room", ["protos", "hondo", "serving"])
def test_room_imports_nothing_by_computed_name(room: str) -> None:
    """Below training, only the command line imports modules whose names are computed."""
    computed = {
        file
        for file, tree in files(room).items()
        if {"__import__", "import_module", "spec_from_file_location"} & set(called(tree))
    }
    assert computed == ({NAMES_ROOMS} if room == "hondo" else set())


_LOAD_ALL: Final = """
import importlib, pkgutil, sys
room = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
    importlib.import_module(module.name)
print(*{name.split(".")[0] for name in sys.modules})
"""


@pytest.mark.parametrize("room", KEEPS_OUT)
def test_room_loads_without(room: str) -> None:
    """Loading every module of a room, in a fresh interpreter, brings in nothing that the room must do without."""
    command = [sys.executable, "-c", _LOAD_ALL, room]
    loaded = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert room in loaded
    assert KEEPS_OUT[room].isdisjoint(loaded)
