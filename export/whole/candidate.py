"""What is to become an artifact that takes pictures of any size.

Legend: H height, W width, C channels.
"""

from dataclasses import dataclass

from torch import nn

from export import provenance, signature
from export.graphs import EdgeGraph, FilterGraph, WholeGraph
from export.whole.pictures import Samples
from protos.manifest_pb2 import EdgeDetection, ImageFilter, Provenance, Score
from serving.runtime.session import Signature
from training.edges.run import EdgeRun
from training.fixed import FixedRecipe
from training.models.kernels import Values


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WholeCandidate:
    """Everything that such an artifact is made of."""

    name: str
    # One sentence: what the model does.
    summary: str
    task: EdgeDetection | ImageFilter
    provenance: Provenance
    # On data that the training never saw.
    scores: tuple[Score, ...]
    samples: Samples
    # What the file must agree with.
    graph: WholeGraph

    @property
    def takes(self) -> Signature:
        """The graph's input."""
        return signature.takes_whole(self.task.channels)

    @property
    def gives(self) -> tuple[Signature, ...]:
        """The graph's outputs."""
        return self.graph.gives


def of_fixed(recipe: FixedRecipe, samples: Samples) -> WholeCandidate:
    """Gives what becomes of a recipe that needs no training."""
    task, net = recipe.task(), recipe.make()
    return WholeCandidate(
        name=recipe.name,
        summary=recipe.summary,
        task=task,
        provenance=provenance.of_fixed(recipe),
        scores=(),
        samples=samples,
        graph=_fixed_graph(task, net),
    )


def _fixed_graph(task: EdgeDetection | ImageFilter, net: nn.Module) -> WholeGraph:
    match task:
        case EdgeDetection():
            return EdgeGraph(Values(), net, task.channels)
        case ImageFilter():
            return FilterGraph(Values(), net, task.channels)


def of_run(run: EdgeRun, samples: Samples) -> WholeCandidate:
    """Gives what becomes of a finished training."""
    recipe = run.facts.recipe
    return WholeCandidate(
        name=recipe.name,
        summary=recipe.summary,
        task=recipe.task(),
        provenance=provenance.of_edges(run),
        scores=run.scores,
        samples=samples,
        graph=EdgeGraph(run.front, run.maps, recipe.task().channels),
    )
