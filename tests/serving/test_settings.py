"""Settings from a file and from the command line: each checked, the command line first."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from hondo.errors import InvalidSettings
from serving import command
from serving.catalog.versions import Versions
from serving.options import stated
from serving.runtime.providers import Acceleration
from serving.settings import ModelSettings, Settings, settings_of

ALL = {**settings_of(Settings), **settings_of(ModelSettings)}


def read(tmp_path: Path, text: str, **on_command_line: object) -> Settings:
    """Gives the settings of a file and a command line."""
    file = tmp_path / "hondo.toml"
    file.write_text(text)
    return Settings.read(file, on_command_line)


def wrong(tmp_path: Path, text: str) -> list[str]:
    """Gives what is said to be wrong with a file, without the file's name."""
    with pytest.raises(InvalidSettings) as raised:
        read(tmp_path, text)
    return [line.removeprefix(f"{tmp_path}/hondo.toml: ") for line in str(raised.value).splitlines()]


def test_file_is_read(tmp_path: Path) -> None:
    """A file states settings of the server and of all models, and of single models in tables of their own."""
    settings = read(
        tmp_path,
        """
        port = 9001
        watch = true
        watch_seconds = 5
        max_batch_size = 16
        versions = "newest:2"
        [models.lenet5]
        max_batch_size = 64
        threads = 1
        [models."a b"]
        versions = [3, 1]
        """,
    )
    assert (settings.port, settings.watch, settings.watch_seconds) == (9001, True, 5.0)
    assert settings.of("other") == ModelSettings(max_batch_size=16, versions=Versions(newest=2))
    assert settings.of("lenet5") == ModelSettings(max_batch_size=64, versions=Versions(newest=2), threads=1)
    assert settings.of("a b") == ModelSettings(max_batch_size=16, versions=Versions(newest=None, listed=(3, 1)))


def test_models_run_each_in_its_way_on_a_gpu(tmp_path: Path) -> None:
    """How a model runs on what is not the CPU is settled for all and for single ones."""
    settings = read(
        tmp_path,
        """
        cuda_memory_mb = 2048
        provider_options = "trt_fp16_enable=1,trt_profile_min_shapes=a:1x3,b:1x2"
        [models.lenet5]
        cuda_graphs = true
        cuda_conv_search = "EXHAUSTIVE"
        cpu_fallback = true
        """,
    )
    all_, one = settings.of("other").acceleration, settings.of("lenet5").wishes(None).acceleration
    options = {"trt_fp16_enable": "1", "trt_profile_min_shapes": "a:1x3,b:1x2"}
    assert all_ == Acceleration(memory_mb=2048, options=options)
    assert one == Acceleration(
        memory_mb=2048, options=options, graphs=True, conv_search="EXHAUSTIVE", cpu_fallback=True
    )


def test_nothing_stated_is_the_default(tmp_path: Path) -> None:
    """An empty file changes nothing, and neither does none."""
    assert read(tmp_path, "") == Settings.read(None, {}) == Settings()


def test_command_line_goes_before_the_file(tmp_path: Path) -> None:
    """What the command line says holds for all, whatever the file says of all or of one model."""
    text = "port = 1\nthreads = 2\n[models.a]\nthreads = 3\ninstances = 4"
    settings = read(tmp_path, text, threads=1, port=2)
    assert (settings.port, settings.of("b").threads, settings.of("a").threads) == (2, 1, 1)
    assert settings.of("a").instances == 4


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("max_batchsize = 1", "max_batchsize: there is no such setting; max_batch_size is meant?"),
        ("max-batch-size = 1", "max-batch-size: there is no such setting; max_batch_size is meant?"),
        ("xyz = 1", "xyz: there is no such setting; `hondo serve --help` lists all"),
        ("worker = 1", "worker: there is no such setting; workers is meant?"),
        ("[models.a]\nthread = 1", "[models.a] thread: there is no such setting; threads is meant?"),
        (
            "[models.a]\nport = 1",
            "[models.a] port: a setting of the server, not a model's: it stands above all tables",
        ),
        ("port = '80'", "port: '80' came, a whole number from 0 to 65535 expected"),
        ("port = 80.0", "port: 80.0 came, a whole number from 0 to 65535 expected"),
        ("port = true", "port: True came, a whole number from 0 to 65535 expected"),
        ("port = 65536", "port: 65536 came, a whole number from 0 to 65535 expected"),
        ("drain_seconds = -1", "drain_seconds: -1 came, a number from 0 expected"),
        ("drain_seconds = inf", "drain_seconds: inf came, a number from 0 expected"),
        (f"tls_cert = '{'x' * 300}'", f"tls_cert: there is no file {'x' * 300}"),
        ("drain_seconds = nan", "drain_seconds: nan came, a number from 0 expected"),
        ("queue_timeout_ms = 0", "queue_timeout_ms: 0 came, a number above 0 expected"),
        ("watch = 1", "watch: 1 came, true or false expected"),
        ("host = 1", "host: 1 came, a text expected"),
        ("host = ''", "host: '' came, a text expected"),
        ("device = 'tpu'", "device: 'tpu' came, auto, cpu, cuda, or such as cuda:1 or cuda:0,cuda:1 expected"),
        ("device = 'cuda:'", "device: 'cuda:' came, auto, cpu, cuda, or such as cuda:1 or cuda:0,cuda:1 expected"),
        (
            "device = 'cpu,cuda'",
            "device: 'cpu,cuda' came, auto, cpu, cuda, or such as cuda:1 or cuda:0,cuda:1 expected",
        ),
        ("device = 1", "device: 1 came, auto, cpu, cuda, or such as cuda:1 or cuda:0,cuda:1 expected"),
        (
            "[models.a]\ndevice = 'cpu'",
            "[models.a] device: a setting of the server, not a model's: it stands above all tables",
        ),
        (
            "cuda_conv_search = 'heuristic'",
            "cuda_conv_search: 'heuristic' came, one of HEURISTIC, EXHAUSTIVE, DEFAULT expected",
        ),
        ("cuda_arena = 'x'", "cuda_arena: 'x' came, one of kSameAsRequested, kNextPowerOfTwo expected"),
        ("cuda_memory_mb = 0", "cuda_memory_mb: 0 came, a whole number from 1 expected"),
        ("cuda_graph = true", "cuda_graph: there is no such setting; cuda_graphs is meant?"),
        ("[models.a]\ncudaTF32 = true", "[models.a] cudaTF32: there is no such setting; cuda_tf32 is meant?"),
        ("provider_options = 'a'", "provider_options: 'a' came, KEY=VALUE or KEY=VALUE,KEY=VALUE expected"),
        ("models = 1", "models: tables expected, such as [models.lenet5]"),
        ("[models]\na = 1", "models: tables expected, such as [models.lenet5]"),
        ("[a]", "a: there is no such setting; `hondo serve --help` lists all"),
    ],
)
def test_wrong_setting_is_named(tmp_path: Path, text: str, told: str) -> None:
    """A setting that is unknown, of another type or out of its bounds is refused, saying what is expected."""
    assert wrong(tmp_path, text) == [told]


def test_all_that_is_wrong_is_named(tmp_path: Path) -> None:
    """One look names everything that is wrong in a file."""
    told = wrong(tmp_path, "prot = 1\nworkers = 0\n[models.a]\nload = 'no'")
    assert [line.split(": ")[0] for line in told] == ["prot", "workers", "[models.a] load"]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        *((b"port = ", "is no TOML"), (b"\xff", "is no TOML")),
        (b"a = " + b"9" * 5000, "is no TOML: Exceeds the limit"),
        (b"max_wait_ms = 0x" + b"f" * 5000, "is no TOML: a whole number has more than 64 bits"),
        (b"a = " + b"[" * 5000, "is no TOML: maximum recursion depth"),
    ],
)
def test_file_that_is_no_toml_is_refused(tmp_path: Path, data: bytes, told: str) -> None:
    """What cannot be parsed is refused with the parser's reason."""
    file = tmp_path / "hondo.toml"
    file.write_bytes(data)
    with pytest.raises(InvalidSettings, match=f"{file} {told}"):
        Settings.read(file, {})


def test_what_lets_strangers_in_is_not_for_a_file_beside_the_models(tmp_path: Path) -> None:
    """Whoever brings a folder of models cannot open the server or have the models trusted; who starts it can."""
    file = tmp_path / "hondo.toml"
    file.write_text("insecure = true\nshared_memory = true\nport = 1\n[models.a]\ntrust_models = true\n")
    with pytest.raises(InvalidSettings) as caught:
        Settings.read(file, {}, is_beside_models=True)
    assert [line.split(": ")[1] for line in str(caught.value).splitlines()] == [
        *("insecure", "shared_memory", "trust_models")
    ]
    said = {"insecure": True, "shared_memory": False, "trust_models": True}
    assert Settings.read(file, said, is_beside_models=True).insecure
    assert Settings.read(file, {}).of("a").trust_models
    file.write_text("insecure = false\n")
    assert not Settings.read(file, {}, is_beside_models=True).insecure


def test_missing_file_is_refused(tmp_path: Path) -> None:
    """A file that is not there is no empty file."""
    with pytest.raises(InvalidSettings, match=r"none\.toml cannot be read: No such file"):
        Settings.read(tmp_path / "none.toml", {})


def test_settings_are_checked_when_made() -> None:
    """A setting out of its bounds is refused wherever it comes from."""
    with pytest.raises(InvalidSettings, match="port: 70000 came, a whole number from 0 to 65535 expected"):
        Settings(port=70000)
    with pytest.raises(InvalidSettings, match="threads: 0 came, a whole number from 1 expected"):
        ModelSettings(threads=0)


@pytest.mark.parametrize("settings", [{"workers": 2}, {"worker": 1}])
def test_control_needs_a_single_worker(settings: dict[str, int]) -> None:
    """Clients that load and unload would reach one of several workers only: that is refused, saying what to do."""
    with pytest.raises(InvalidSettings, match=r"--model-control needs --workers 1.* use --watch"):
        Settings(model_control=True, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "chosen", "shown"),
    [
        ("newest", [5], "newest"),
        ("newest:1", [5], "newest"),
        ("newest:2", [5, 3], "newest:2"),
        ("newest:9", [5, 3, 1], "newest:9"),
        ("all", [5, 3, 1], "all"),
        ("1,5", [5, 1], "5,1"),
        (" 3 , 4", [3], "4,3"),
        ([3, 3], [3], "3"),
    ],
)
def test_versions_are_chosen(said: object, chosen: list[int], shown: str) -> None:
    """The newest ones, all, or those that are listed, newest first; what is shown says the same again."""
    versions = Versions.parse(said)
    assert versions.chosen([1, 5, 3]) == chosen
    assert str(versions) == shown
    assert Versions.parse(shown) == versions


@pytest.mark.parametrize(
    "said", ["", "oldest", "newest:", "newest:0", "newest:x", "1,", "0", "-1", "1.5", [], [0], [True], ["x"], 3, None]
)
def test_other_versions_are_refused(said: object) -> None:
    """What says none of these is refused; so is a number alone, which could mean either."""
    with pytest.raises(InvalidSettings, match='"newest", "newest:N", "all" or a list of versions expected'):
        Versions.parse(said)


@pytest.mark.parametrize("name", [name for name, (told, _) in ALL.items() if not told.is_hidden])
def test_help_explains_every_setting(name: str) -> None:
    """Each setting has an option of its name, and the help says what it is for."""
    shown = CliRunner().invoke(command.serve, ["--help"], terminal_width=200).output
    told, _ = ALL[name]
    assert f"--{name.replace('_', '-')}" in shown
    assert told.help[:40] in " ".join(shown.split())


def test_only_what_the_command_line_states_is_taken_from_it() -> None:
    """A default of an option does not go before the file; the same value, stated, does."""
    line = ["--port", "8001", "--watch", "--no-load", "--versions", "2,1", "models"]
    context: click.Context = command.serve.make_context("serve", line)
    assert stated(context) == {
        "port": 8001,
        "watch": True,
        "load": False,
        "versions": Versions(newest=None, listed=(2, 1)),
    }
