"""Random distortions of training pictures, by kornia on whole batches."""

import math

from kornia.augmentation import RandomAffine, RandomElasticTransform
from torch import nn

from training.recipe import Augmentation

# A Gaussian is cut off so many standard deviations from its middle.
_GAUSSIAN_REACH = 1.5


def augment(settings: Augmentation) -> nn.Module:
    """Gives the module that distorts image_NCHW f32 in 0..1, black (0) coming in from outside."""
    reach_px = math.ceil(_GAUSSIAN_REACH * settings.elastic_sigma_px)
    return nn.Sequential(
        RandomAffine(
            degrees=settings.rotation_deg,
            translate=(settings.shift, settings.shift),
            scale=(1 - settings.scale, 1 + settings.scale),
            shear=settings.shear_deg,
            p=1,
        ),
        RandomElasticTransform(
            kernel_size=(2 * reach_px + 1, 2 * reach_px + 1),
            sigma=(settings.elastic_sigma_px, settings.elastic_sigma_px),
            alpha=(settings.elastic_alpha, settings.elastic_alpha),
            p=1,
        ),
    )
