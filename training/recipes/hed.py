"""HED as published: VGG-16, whose weights a user brings, on BSDS500."""

from typing import Literal

from torch import nn

from training.edges.recipe import Colours, Crops, EdgeRecipe
from training.models.hed import HED, REACH_PX, STEP_PX
from training.optimizers import Optimizer
from training.schedules import Schedule


def build(*, enlarge: Literal["exactly", "stretched"]) -> nn.Module:
    """Gives the net."""
    return HED(enlarge=enlarge)


# Made for accelerators: on two cores an epoch takes about an hour. `hondo import hed` brings trained weights.
RECIPE = EdgeRecipe(
    name="hed",
    summary="Finds the edges that people would draw in a picture, at five scales and in all.",
    source='Xie, Tu, "Holistically-nested edge detection", 2015',
    build=build,
    net={"enlarge": "exactly"},
    trunk="random",
    reach_px=REACH_PX,
    step_px=STEP_PX,
    # As torchvision's weights of VGG-16 expect it: `--set trunk=FILE` takes them.
    input=Colours(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    crops=Crops(side_px=320, per_picture=4, flip=0.5, turned=0.5, scale=(0.75, 1.5)),
    # The source's edges are what at least three of five drew.
    agreement=0.5,
    epochs=40,
    batch_size=10,
    optimizer=Optimizer(kind="adamw", lr=1e-4, weight_decay=2e-4),
    schedule=Schedule(kind="cosine", warmup=0.02),
    max_gradient_norm=1,
    precision="auto",
    temperature=2.5,
    validation_pictures=16,
)
