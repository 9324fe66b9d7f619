import pickle
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from torch import nn

from export.imports import weights
from hondo.errors import InvalidRequest


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(OrderedDict(body=nn.Linear(4, 6), norm=nn.BatchNorm1d(6), fc=nn.Linear(6, 3)))


@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(dict, id="a state_dict"),
        pytest.param(lambda state: {"state_dict": state, "epoch": 90}, id="a checkpoint"),
        pytest.param(lambda state: {f"module.{name}": value for name, value in state.items()}, id="of DataParallel"),
    ],
)
def test_weights_are_read_in_the_forms_they_come_in(wrap: object, tmp_path: Path) -> None:
    """A plain state_dict, a checkpoint around it and DataParallel's names all fill the net with the same weights."""
    assert callable(wrap)
    theirs, ours, path = net(), net(), tmp_path / "weights.pth"
    nn.init.ones_(theirs.get_parameter("fc.weight"))
    torch.save(wrap(theirs.state_dict()), path)
    state = weights.read(path)
    assert weights.classes(state, "fc", path) == 3
    weights.fit(ours, state, path)
    assert all(torch.equal(value, theirs.state_dict()[name]) for name, value in ours.state_dict().items())
    assert not ours.training


def test_counters_that_old_files_lack_are_not_missed(tmp_path: Path) -> None:
    """Batch norm's count of batches, which only training uses, may be absent."""
    state = {name: value for name, value in net().state_dict().items() if "num_batches" not in name}
    weights.fit(net(), state, tmp_path)


def test_weights_of_another_net_are_refused_with_their_names(tmp_path: Path) -> None:
    """What is missing, what is too much and what has another shape are all told at once."""
    state = dict(net().state_dict())
    state["extra.weight"] = state.pop("body.bias")
    state["fc.weight"] = torch.zeros(5, 6)
    with pytest.raises(InvalidRequest) as caught:
        weights.fit(net(), state, tmp_path / "w.pth")
    for told in (
        "missing: body.bias",
        "unexpected: extra.weight",
        "of another shape: fc.weight [5, 6] instead of [3, 6]",
        "Is it the file of another architecture",
    ):
        assert told in str(caught.value)


def test_a_long_list_of_names_is_cut(tmp_path: Path) -> None:
    """Five names tell which net it is; the rest is counted."""
    with pytest.raises(InvalidRequest, match=r"missing: body.weight, body.bias, norm.weight, norm.bias, .* and 3 more"):
        weights.fit(net(), {}, tmp_path)


def test_a_last_layer_of_another_name_is_refused(tmp_path: Path) -> None:
    """How many classes there are is read from the last layer, which the text names."""
    with pytest.raises(InvalidRequest, match=r"has no matrix 'head.weight', .*: it has body.weight, body.bias"):
        weights.classes(net().state_dict(), "head", tmp_path)


class Code:
    """What a malicious pickle would run."""

    def __reduce__(self) -> tuple[object, ...]:
        return print, ("ran",)


def test_code_in_a_file_does_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A pickle that would call a function is refused unread."""
    (tmp_path / "w.pth").write_bytes(pickle.dumps({"state_dict": Code()}, protocol=2))
    with pytest.raises(InvalidRequest, match="cannot be read as weights"):
        weights.read(tmp_path / "w.pth")
    assert capsys.readouterr().out == ""


def test_a_file_without_weights_is_refused(tmp_path: Path) -> None:
    """A tensor, or a dict of other things, is no state_dict."""
    for content in (torch.zeros(3), {"epoch": 3}):
        torch.save(content, tmp_path / "w.pth")
        with pytest.raises(InvalidRequest, match="holds no weights by name"):
            weights.read(tmp_path / "w.pth")
