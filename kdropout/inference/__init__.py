"""What the thinned networks say: Monte-Carlo dropout."""

from kdropout.inference.mc_predict import mc_predict
from kdropout.inference.prediction import Prediction

__all__ = ["Prediction", "mc_predict"]
