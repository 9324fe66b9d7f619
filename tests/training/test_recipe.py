"""Legend: N examples, K classes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import training.recipes
from hondo.errors import InvalidRequest, ModelNotFound
from protos.manifest_pb2 import Classification, TableInput, TextGeneration, TextInput
from training import inputs, recipe
from training.augment import augment
from training.data import corpus
from training.data.choice import _NEEDS
from training.layers import example
from training.optimizers import Optimizer
from training.recipe import Recipe


def task(found: Recipe, classes: int) -> Classification:
    """Gives a task that the recipe's net can be made for."""
    labels = [str(number) for number in range(classes)]
    match found.input:
        case inputs.Image():
            return Classification(image=found.input.spec(), labels=labels)
        case inputs.Text():
            vocabulary = [f"word{number}" for number in range(50)]
            return Classification(text=TextInput(vocabulary=vocabulary, length=found.input.length), labels=labels)
        case inputs.Table():
            return Classification(table=TableInput(columns=["a", "b", "c"]), labels=labels)
        case inputs.Characters():
            raise AssertionError("it makes no classifier")


WRITERS = [name for name in recipe.classifiers() if isinstance(recipe.find(name).input, inputs.Characters)]


@pytest.mark.parametrize("name", sorted(set(recipe.classifiers()) - set(WRITERS)))
def test_every_recipe_makes_its_net(name: str) -> None:
    """A recipe bears the name of its file, and its net takes what the recipe says, for any number of classes."""
    found = recipe.find(name)
    made_for = task(found, 7)
    assert found.name == name
    with torch.device("meta"):
        net, front = found.make(made_for).eval(), inputs.front(found.input, made_for)
        logits_NK = net(front(example(made_for)))
    assert logits_NK.shape == (1, 7)


@pytest.mark.parametrize("name", WRITERS)
def test_every_recipe_for_characters_makes_its_net(name: str) -> None:
    """Such a recipe bears the name of its file, and its net foretells the characters of any vocabulary."""
    found = recipe.find(name)
    assert found.name == name
    net = found.make(TextGeneration(vocabulary="abcde")).eval()
    logits_NTV, _ = net(torch.zeros(2, 3, dtype=torch.int64))
    assert logits_NTV.shape == (2, 3, 5)


def test_recipes_for_characters_have_no_classifiers_settings() -> None:
    """A setting that means nothing to a net that writes is refused, not passed over."""
    with pytest.raises(InvalidRequest, match="loss, augmentation and monitor are for classifiers"):
        recipe.find("char-lstm").changed({"loss.label_smoothing": "0.1"})


@pytest.mark.parametrize("name", recipe.classifiers())
def test_every_recipe_is_complete(name: str) -> None:
    """A recipe says what it does, after whom, for which data that users can get; its distortions can be made."""
    found = recipe.find(name)
    assert found.summary.endswith(".")
    assert found.source
    assert found.data in {*_NEEDS, *(source.name for source in corpus.PUBLISHED.values())}
    if isinstance(found.input, inputs.Image):
        augment(found.augmentation, found.input.height, found.input.width, found.input.channels)


def test_names_are_those_of_the_files() -> None:
    """Every file of recipes is a model, its name written with dashes."""
    files = {path.stem for path in Path(training.recipes.__file__).parent.glob("*.py")} - {"__init__"}
    assert set(recipe.names()) == {name.replace("_", "-") for name in files}
    assert "resnet20-cifar10" in recipe.names()


@pytest.mark.parametrize("name", recipe.classifiers())
def test_settings_survive_json(name: str) -> None:
    """A recipe comes back equal from its settings as JSON."""
    changed = replace(recipe.find(name), epochs=3, optimizer=Optimizer(kind="adam", lr=0.5))
    assert recipe.from_settings(json.loads(json.dumps(changed.settings()))) == changed


@pytest.mark.parametrize("name", ["lenet6", "resnet20_cifar10"])
def test_unknown_name_lists_what_there_is(name: str) -> None:
    """The error for a name without a recipe says which recipes there are, and which may have been meant."""
    with pytest.raises(ModelNotFound, match=rf"'{name}' here \(did you mean .*\?\): there is .*lenet5"):
        recipe.find(name)


@pytest.mark.parametrize("change", [{"epochs": 0}, {"batch_size": 0}, {"validation": 1.0}, {"max_norm": -1.0}])
def test_refuses_settings_that_cannot_be(change: dict[str, float]) -> None:
    """A recipe is checked when it is made, and the text names the setting."""
    with pytest.raises(ValueError, match=next(iter(change))):
        replace(recipe.find("lenet5"), **change)  # type: ignore[arg-type]  # one setting at a time


def test_changes_settings_by_their_paths() -> None:
    """Any setting can be changed by its path: numbers, words, several numbers; all others stay."""
    found = recipe.find("lenet5")
    assignments = {"optimizer.lr": "0.1", "optimizer.kind": "sgd", "schedule.milestones": "[0.3, 0.6]", "epochs": "7"}
    changed = found.changed(assignments)
    assert (changed.optimizer.lr, changed.optimizer.kind, changed.epochs) == (0.1, "sgd", 7)
    assert changed.schedule.milestones == (0.3, 0.6)
    assert changed == replace(
        found,
        epochs=7,
        optimizer=replace(found.optimizer, lr=0.1, kind="sgd"),
        schedule=replace(found.schedule, milestones=(0.3, 0.6)),
    )


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("optimizer.lrr", "did you mean .*optimizer.lr"),
        ("lr", "did you mean .*optimizer.lr"),
        ("qqq", "there is net.activation, initialisation, "),
        ("epochs.more", "did you mean epochs"),
        ("optimizer", "did you mean .*optimizer"),
        ("name", r"\?|there is"),
        ("summary", r"\?|there is"),
    ],
)
def test_unknown_setting_is_answered_with_those_that_there_are(path: str, meant: str) -> None:
    """A path that is no setting, or of what identifies a recipe, is refused with what may have been meant."""
    with pytest.raises(InvalidRequest, match=f"has no setting '{path}': .*({meant})"):
        recipe.find("lenet5").changed({path: "1"})


@pytest.mark.parametrize(
    ("path", "value"),
    [("optimizer.lr", "fast"), ("optimizer.lr", "-1"), ("optimizer.kind", "lion"), ("epochs", "1.5"), ("epochs", "0")],
)
def test_refuses_values_by_their_setting(path: str, value: str) -> None:
    """A value that a setting does not take is refused, with the setting's path."""
    with pytest.raises(InvalidRequest, match=f"lenet5 does not take these settings: {path}"):
        recipe.find("lenet5").changed({path: value})


def test_refuses_a_net_that_cannot_be() -> None:
    """Settings of the net are checked when it is made."""
    found = recipe.find("resnet18").changed({"net.depth": "19"})
    with pytest.raises(InvalidRequest, match=r"resnet18 cannot be built with these settings: net\.depth"):
        found.make(task(found, 3))


def test_settings_of_a_recipe_that_is_gone() -> None:
    """Settings of a recipe that there is no more are refused by its name."""
    with pytest.raises(ModelNotFound, match="'lenet4'"):
        recipe.from_settings({**recipe.find("lenet5").settings(), "name": "lenet4"})
