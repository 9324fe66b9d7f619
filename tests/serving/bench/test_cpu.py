import os
import socket
import subprocess
import sys
import time

from serving.bench import cpu
from serving.bench.load import Window

BURN = "import time\nwhile time.process_time() < 0.3: pass\nprint('burnt', flush=True)\ninput()"


def test_listeners_are_found() -> None:
    """The process that listens on a port is found by the port; a port that nobody listens on has none."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert os.getpid() in cpu.listeners(port)
    assert cpu.listeners(port) == frozenset()


def test_children_count() -> None:
    """What a process's child uses is the process's too."""
    with subprocess.Popen([sys.executable, "-c", BURN], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        before_s = cpu.used_s([os.getpid()])
        child.stdout.readline()
        after_s = cpu.used_s([os.getpid()])
        child.communicate(b"\n")
    assert before_s is not None
    assert after_s is not None
    assert after_s - before_s >= 0.2


def test_unknown_processes_have_no_time() -> None:
    """A group of processes that is empty, or gone, has no figure rather than a zero."""
    now_s = time.monotonic()
    window = Window(now_s, now_s, now_s)
    assert cpu.spent_s(window, [[], [2**30], [os.getpid()]])[:2] == [None, None]
