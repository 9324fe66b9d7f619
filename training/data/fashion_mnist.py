"""Fashion-MNIST: Xiao, Rasul, Vollgraf 2017, pictures of clothes in the form of MNIST."""

from pathlib import Path
from typing import Final

from training.data import idx
from training.data.publication import Publication

FASHION_MNIST: Final = Publication(
    name="fashion-mnist",
    origin="Fashion-MNIST, Zalando SE, https://github.com/zalandoresearch/fashion-mnist",
    terms="MIT",
    where="Debian's package dataset-fashion-mnist",
    labels=(
        "T-shirt/top",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle boot",
    ),
    sha256={
        idx.TRAIN_IMAGES: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        idx.TRAIN_LABELS: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        idx.TEST_IMAGES: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        idx.TEST_LABELS: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
)

# Where Debian's package dataset-fashion-mnist puts the files.
DEBIAN: Final = Path("/usr/share/datasets/fashion-mnist")
