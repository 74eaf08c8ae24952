"""Monte-Carlo dropout: predictions with dropout on, and their uncertainty."""

from kdropout.inference.drop_fractions import drop_fractions
from kdropout.inference.fit_noise import fit_noise
from kdropout.inference.mc_predict import mc_predict
from kdropout.inference.prediction import Prediction

__all__ = ["Prediction", "drop_fractions", "fit_noise", "mc_predict"]


def __dir__():
    return __all__
