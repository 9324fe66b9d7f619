"""What leaves the machine: nothing that nobody asked for."""

import os
import subprocess
import sys
from pathlib import Path

from tests.serving import graphs

SCRIPT = "import sys, pathlib; from serving.runtime.session import Session; Session.open(pathlib.Path(sys.argv[1]))"


def test_onnxruntime_keeps_no_record_of_its_use(tmp_path: Path) -> None:
    """ONNX Runtime's telemetry, on by default, is off: it leaves no identifier or records in the user's home."""
    graph = graphs.same(tmp_path / "model.onnx", "FP32", ["n"])
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment = kept | {"HOME": str(home), "XDG_CACHE_HOME": str(home)}
    subprocess.run([sys.executable, "-c", SCRIPT, graph], check=True, env=environment, cwd=Path(__file__).parents[2])
    assert list(home.rglob("*")) == []
