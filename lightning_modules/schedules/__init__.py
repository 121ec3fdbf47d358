"""Learning-rate schedules, and how long the training is that they are laid out for."""

import hyperalign  # noqa: F401 # isort: split  first: torchvision is repaired before anything imports it
from lightning_modules.schedules.learning_rate import (
    LinearWarmupCosine,
    LinearWarmupPolynomial,
    OneCycle,
    length_from,
)
from lightning_modules.schedules.training_length import CountsBatches, DividesTraining, training_length

__all__ = [
    "CountsBatches",
    "DividesTraining",
    "LinearWarmupCosine",
    "LinearWarmupPolynomial",
    "OneCycle",
    "length_from",
    "training_length",
]
