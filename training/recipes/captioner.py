"""A captioner with attention for Flickr8k: what sees stays as it is, so that a few cores can train the rest."""

from training.augmentation import Augmentation
from training.averaging import Average
from training.captions.recipe import CaptionRecipe, Reward
from training.captions.views import Views
from training.inputs import Image
from training.models.captioner import captioner
from training.optimizers import Optimizer
from training.schedules import Schedule

RECIPE = CaptionRecipe(
    name="captioner",
    summary="Says in a sentence what is in a photo, and where it looked at each word.",
    source='Xu et al., "Show, attend and tell", 2015, 3.1 and 4.2, then Rennie et al. 2017, 3',
    # The sides are those that Flickr8k is often given in; the trunk's weights are for pixels as (value - 127) / 128.
    input=Image(
        height=224,
        width=224,
        channels=3,
        resize="stretch",
        filter="bicubic",
        mean=(127 / 255,) * 3,
        std=(128 / 255,) * 3,
    ),
    sight=2,
    views=Views(distorted=2, augmentation=Augmentation(flip=0.5, crop_share=0.6, brightness=0.2, contrast=0.2)),
    build=captioner,
    # What sees and what says are to fit into 20 MB together, in 16 bits.
    net={"features": 384, "attention": 192, "dimensions": 256, "width": 512, "dropout": 0.5, "tied": True},
    length_penalty=0.5,
    epochs=12,
    batch_size=32,
    label_smoothing=0.1,
    optimizer=Optimizer(kind="adamw", lr=1e-3, weight_decay=1e-2),
    schedule=Schedule(kind="cosine", warmup=0.05),
    average=Average(kind="ema", decay=0.998),
    max_gradient_norm=5,
    precision="auto",
    # Further epochs of it gain nothing on pictures kept for validation.
    reward=Reward(epochs=1, lr=1e-4),
)
