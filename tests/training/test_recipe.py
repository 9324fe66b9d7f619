import json
from dataclasses import replace

import pytest
import torch

from hondo.errors import ModelNotFound
from training import recipe


@pytest.mark.parametrize("name", recipe.names())
def test_every_recipe_makes_its_net(name: str) -> None:
    """A recipe bears the name of its file, and its net takes pictures of the size that it says."""
    found = recipe.find(name)
    image = found.image
    assert found.name == name
    logits_NK = found.net(7)(torch.zeros(2, image.channels, image.height, image.width))
    assert logits_NK.shape == (2, 7)


@pytest.mark.parametrize("name", recipe.names())
def test_settings_survive_json(name: str) -> None:
    """A recipe comes back equal from its settings as JSON."""
    changed = replace(recipe.find(name), epochs=3, learning_rate=0.5)
    assert recipe.from_settings(json.loads(json.dumps(changed.settings()))) == changed


def test_unknown_name_lists_what_there_is() -> None:
    """The error for a name without a recipe says which recipes there are."""
    with pytest.raises(ModelNotFound, match=r"'lenet6' here: there is .*lenet5"):
        recipe.find("lenet6")


@pytest.mark.parametrize("change", [{"epochs": 0}, {"learning_rate": 0.0}, {"validation": 1.0}, {"average_decay": 0.0}])
def test_refuses_settings_that_cannot_be(change: dict[str, float]) -> None:
    """A recipe is checked when it is made, and the text names the setting."""
    with pytest.raises(ValueError, match=next(iter(change))):
        replace(recipe.find("lenet5"), **change)  # type: ignore[arg-type]  # one setting at a time
