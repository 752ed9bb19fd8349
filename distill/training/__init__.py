"""How a network is trained: the LightningModule, its batches and callbacks, and the one place that builds a Trainer."""

from distill.training.batches import TrainingSet
from distill.training.fit import Schedule, TrainingSummary, fit
from distill.training.recipe import Recipe

__all__ = ["Recipe", "Schedule", "TrainingSet", "TrainingSummary", "fit"]
