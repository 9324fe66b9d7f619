"""`hondo generate`: what is typed, what is printed as JSON, and what Ctrl-C does."""

import json
import signal
import subprocess

import pytest
from click.testing import CliRunner, Result

from hondo.cli import main
from tests.serving.process import Process, hondo
from tests.serving.tasks.test_generate import await_gauge, expected, gauge

PATIENCE_S = 20


def generate(server: Process, *arguments: str) -> Result:
    """Runs `hondo generate` in this process against the real server."""
    return CliRunner().invoke(main, ["generate", "--server", server.address, *arguments])


def test_prompt_and_text_are_typed(server: Process) -> None:
    """The prompt and what is written after it stand there as one text, then the line ends."""
    result = generate(server, "--prompt", "hello", "--max-characters", "300", "--seed", "7")
    assert result.exit_code == 0
    assert result.output == "hello" + expected("hello", 300, seed=7) + "\n"


def test_settings_are_heeded(server: Process) -> None:
    """Temperature, top-k, top-p and stop strings go to the server."""
    stop = expected("ab", 9, temperature=0, top_k=2)[4:6]
    options = ["--max-characters", "9", "--temperature", "0", "--top-k", "2", "--top-p", "0.5", "--stop", stop]
    result = generate(server, "--model", "writer", "--prompt", "ab", *options)
    assert result.output == "ab" + expected("ab", 4, temperature=0, top_k=2) + "\n"


def test_continuations_stand_one_after_another(server: Process) -> None:
    """However their pieces come, each continuation is whole, after the prompt and under its number."""
    options = ["--prompt", "x", "--max-characters", "2000", "--seed", "7", "--continuations", "3"]
    result = generate(server, *options)
    texts = [f"x{expected('x', 2000, seed=7, row=row)}\n" for row in range(3)]
    assert result.output == f"{texts[0]}\n--- 2 ---\n{texts[1]}\n--- 3 ---\n{texts[2]}"


def test_json_has_what_is_known(server: Process) -> None:
    """Each continuation is an object on a line of its own, with all that tells how it came about."""
    options = ["--prompt", "x", "--max-characters", "20", "--seed", "7", "--continuations", "2", "--json"]
    found = [json.loads(line) for line in generate(server, *options).output.splitlines()]
    assert sorted(each["continuation"] for each in found) == [0, 1]
    for each in found:
        assert each["text"] == expected("x", 20, seed=7, row=each["continuation"])
        assert (each["model"], each["version"], each["seed"], each["prompt"]) == ("writer", 1, 7, "x")
        assert (each["ended"], each["stop"], each["characters"]) == ("length", None, 20)
        assert each["log_likelihood"] < 0


def test_refusal_is_said_plainly(server: Process) -> None:
    """What the server refuses is an error of one line, without the prompt before it."""
    result = generate(server, "--prompt", "Ä")
    assert result.exit_code == 1
    assert result.output == "Error: prompt: the model does not know the character 'Ä' (U+00C4)\n"
    assert generate(server, "--prompt", "Ä", "--replace-unknown", "--max-characters", "1").exit_code == 0


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_interrupt_ends_the_writing_on_the_server(server: Process, options: list[str]) -> None:
    """Ctrl-C ends the command at once, and frees the slot."""
    before = gauge(server, "hondo_requests_total")
    command = hondo(
        "generate", "--server", server.address, "--prompt", "hello", "--max-characters", "1000000", *options
    )
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        await_gauge(server, "hondo_running_rows", 1)
        process.send_signal(signal.SIGINT)
        typed, errors = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 130
        assert errors == b""
        assert typed.startswith(b"hello") == (not options)
    await_gauge(server, "hondo_running_rows", 0)
    assert gauge(server, "hondo_requests_total") == before + 1
