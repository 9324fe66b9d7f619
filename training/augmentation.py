"""How strongly training examples are distorted at random: the settings that `training/augment.py` acts on."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from training.inputs import STRICT

# The most to either side, or a share; 0 leaves it out.
Amount = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Augmentation:
    """What happens to training pictures, or to the words of training texts; nothing, unless said."""

    # Share of a text's words that count as unknown (Iyyer et al. 2015, "Deep unordered composition", 3.1).
    word_dropout: Share = 0

    # Share of the pictures that are mirrored, left for right.
    flip: Share = 0
    # Black pixels put around before the picture's own size is cut out anywhere (He et al. 2015, 4.2).
    pad_px: Annotated[int, Field(ge=0)] = 0
    # The smallest share of the picture that is cut out anywhere, up to all of it, and scaled to the whole size, the
    # sides' ratio 3:4 to 4:3 (Szegedy et al. 2014, 6).
    crop_share: Share = 0
    rotation_deg: Amount = 0
    # Share of the picture's side.
    shift: Share = 0
    # 0.1 scales by 0.9 to 1.1.
    scale: Share = 0
    shear_deg: Amount = 0
    # Elastic distortion (Simard, Steinkraus, Platt 2003): a random field of shifts, smoothed by a Gaussian so wide.
    elastic_sigma_px: Amount = 0
    # The field's amplitude before smoothing, in half sides of the picture.
    elastic_alpha: Amount = 0
    # 0.2 multiplies by 0.8 to 1.2: brightness the values, contrast their distances from the picture's mean grey,
    # saturation those from the pixel's grey.
    brightness: Share = 0
    contrast: Share = 0
    saturation: Share = 0
    # Turns of the colour circle, 0.5 at most.
    hue: Annotated[float, Field(ge=0, lt=0.5)] = 0
    # Deviation of the shift along the colours' principal components (Krizhevsky et al. 2012, 4.1: 0.1).
    pca_colour: Amount = 0
    # Share of the pictures that have a square blacked out (DeVries and Taylor 2017), and its side in pixels.
    cutout: Share = 0
    cutout_px: Annotated[int, Field(ge=0)] = 0

    def __post_init__(self) -> None:
        if bool(self.elastic_alpha) != bool(self.elastic_sigma_px):
            raise ValueError("elastic_alpha and elastic_sigma_px need each other")
        if bool(self.cutout) != bool(self.cutout_px):
            raise ValueError("cutout and cutout_px need each other")

    @property
    def needs_colours(self) -> bool:
        """Whether some of it makes sense for colour pictures alone."""
        return bool(self.saturation or self.hue or self.pca_colour)
