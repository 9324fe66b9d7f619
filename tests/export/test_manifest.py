import json

from export.candidate import of_run
from export.manifest import describe, facts
from training.run import Run


def test_the_manifest_has_what_the_run_knows(run: Run) -> None:
    """Name and version are the artifact's, everything else is the run's."""
    manifest = describe(of_run(run), "forms", 3)
    assert (manifest.name, manifest.version, manifest.summary) == ("forms", 3, run.summary)
    assert manifest.classification.image == run.task.image
    assert manifest.classification.labels == run.task.labels
    assert tuple(manifest.scores) == run.scores


def test_facts_are_the_whole_manifest_laid_flat(run: Run) -> None:
    """Every field of the manifest, its task and its provenance is there once: text as it is, the rest as JSON."""
    manifest = describe(of_run(run), "forms", 3)
    made = manifest.provenance
    told = facts(manifest)
    fields = {
        field for message in (manifest, manifest.classification, made) for field in message.DESCRIPTOR.fields_by_name
    }
    assert set(told) == fields - {
        "graphs",
        "golden",
        "classification",
        "edge_detection",
        "image_filter",
        "text_generation",
        "captioning",
        "provenance",
        "text",
        "table",
        "precision",
        "weights",
    } | {"task"}
    assert (told["name"], told["version"], told["task"]) == ("forms", "3", "classification")
    assert (told["summary"], told["source"], told["created_at"]) == (run.summary, run.source, made.created_at)
    assert json.loads(told["recipe"]) == run.recipe
    assert json.loads(told["labels"]) == list(run.task.labels)
    assert json.loads(told["data"])[0]["terms"] == "CC0 1.0"
    assert json.loads(told["scores"])[0]["value"] == 12.5
    assert json.loads(told["image"]) == {
        "height": 8,
        "width": 6,
        "channels": 1,
        "resize": "STRETCH",
        "filter": "BILINEAR",
        "shorter_side": 0,
    }


def test_a_zero_is_a_fact(run: Run) -> None:
    """A seed of 0 and a missing commit are told, though protobuf's JSON leaves them out."""
    manifest = describe(of_run(run), "forms", 3)
    manifest.provenance.seed = 0
    manifest.provenance.git_commit = ""
    told = facts(manifest)
    assert (told["seed"], told["git_commit"]) == ("0", "")


def test_facts_keep_their_order(run: Run) -> None:
    """A map in the manifest is told in the order of its keys, so that the same facts are the same bytes."""
    versions = list(json.loads(facts(describe(of_run(run), "forms", 3))["library_versions"]))
    assert versions == sorted(versions)
