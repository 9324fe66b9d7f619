"""LeNet-5 for handwritten digits."""

from protos.manifest_pb2 import ImageInput
from training.models.lenet5 import LeNet5
from training.recipe import Augmentation, Recipe

RECIPE = Recipe(
    name="lenet5",
    summary="Names what a small grey picture shows, such as a handwritten digit.",
    source='LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", 1998, II.B',
    net=LeNet5,
    image=ImageInput(height=28, width=28, channels=1, resize=ImageInput.STRETCH, filter=ImageInput.BILINEAR),
    # Of MNIST's training pictures.
    mean=(0.1307,),
    std=(0.3081,),
    bright_on_dark=True,
    augmentation=Augmentation(
        rotation_deg=10, shift=0.07, scale=0.1, shear_deg=10, elastic_sigma_px=4, elastic_alpha=1
    ),
    epochs=100,
    batch_size=256,
    learning_rate=3e-3,
    warmup=0.1,
    weight_decay=0.05,
    patience_epochs=30,
    average_decay=0.9995,
    validation=1 / 12,
)
