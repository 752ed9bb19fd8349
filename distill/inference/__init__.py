"""From a model folder and raw text to logits and calibrated probabilities.

Evaluation, speed and predict use only this. `logits` asks a network, `backends` hides whether it is one or a graph,
and `predictor` is what a user holds in the end.
"""

from distill.inference.backends import LogitModel, OnnxModel, TorchModel
from distill.inference.logits import check_logits, length_sorted_batches, predict_logits, predict_splits
from distill.inference.predictor import CALIBRATION, Prediction, Predictor, load_student, probabilities

__all__ = [
    "CALIBRATION",
    "LogitModel",
    "OnnxModel",
    "Prediction",
    "Predictor",
    "TorchModel",
    "check_logits",
    "length_sorted_batches",
    "load_student",
    "predict_logits",
    "predict_splits",
    "probabilities",
]
