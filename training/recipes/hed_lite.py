"""HED on EfficientNet-Lite0, for BSDS500: light enough to be trained on a few cores."""

from torch import nn

from training.averaging import Average
from training.edges.recipe import Colours, Crops, EdgeRecipe
from training.models.hed_lite import REACH_PX, STEP_PX, HEDLite
from training.optimizers import Optimizer
from training.schedules import Schedule


def build(*, channels: int) -> nn.Module:
    """Gives the net."""
    return HEDLite(channels)


RECIPE = EdgeRecipe(
    name="hed-lite",
    summary="Finds the edges that people would draw in a picture, at five scales and in all.",
    source='Xie, Tu, "Holistically-nested edge detection", 2015, with the trunk of Liu, EfficientNet-Lite0, 2020',
    build=build,
    net={"channels": 32},
    trunk="package",
    reach_px=REACH_PX,
    step_px=STEP_PX,
    # The trunk's weights were trained with pixels as (value - 127) / 128.
    input=Colours(mean=(127 / 255,) * 3, std=(128 / 255,) * 3),
    crops=Crops(side_px=288, per_picture=1, flip=0.5, turned=0.5, scale=(0.75, 1.5), brightness=0.2, contrast=0.2),
    agreement=0.3,
    epochs=24,
    batch_size=4,
    optimizer=Optimizer(kind="adamw", lr=7e-4, weight_decay=1e-3),
    schedule=Schedule(kind="cosine", warmup=0.05),
    average=Average(kind="ema", decay=0.995),
    max_gradient_norm=1,
    precision="auto",
    validation_pictures=16,
)
