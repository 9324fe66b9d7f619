"""MNIST: LeCun, Cortes, Burges, 60,000 handwritten digits to train on and 10,000 to test on, 28x28 grey."""

from typing import Final

from training.data import idx
from training.data.publication import Publication

NAME: Final = "mnist"
MNIST: Final = Publication(
    name=NAME,
    origin="MNIST, Y. LeCun, C. Cortes, C. Burges, http://yann.lecun.com/exdb/mnist/",
    terms="CC BY-SA 3.0",
    where="https://ossci-datasets.s3.amazonaws.com/mnist/",
    labels=tuple("0123456789"),
    sha256={
        idx.TRAIN_IMAGES: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        idx.TRAIN_LABELS: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        idx.TEST_IMAGES: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        idx.TEST_LABELS: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
)
