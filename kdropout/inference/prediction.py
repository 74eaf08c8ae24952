"""What `mc_predict` returns."""

import dataclasses

import numpy as np
from keras import tree


@dataclasses.dataclass(frozen=True)
class Prediction:
    """Moments and uncertainty of the outputs over the thinned networks.

    Each field has the structure of the model's outputs: an array, or a list or dict
    of arrays. With `f[t]` the outputs of the thinned network `t` of `T`:

        mean               = sum(f) / T
        variance           = sum((f - mean) ** 2) / T
        entropy            = H[mean]
        mutual_information = H[mean] - sum(H[f[t]]) / T

    `H[p] = -sum(p log p)` over the last axis, in nats, where all outputs are class
    probabilities (none negative, and they sum to 1 along the last axis). Where they
    only all lie in [0, 1], as those of sigmoid units, each is the probability of one
    of two classes, and `H[p] = -p log p - (1 - p) log(1 - p)`. Otherwise both are
    None. A row of NaN, infinity or zeros does not count: its entropy is NaN, and the
    others keep theirs.

    The entropy is the whole uncertainty of a prediction; the mutual information is
    the part that more data would remove, on which the thinned networks disagree. For
    regression the predictive variance is `variance` plus the noise of the targets.

    Attributes:
        mean: Arrays of the shape of the outputs.
        variance: Arrays of the shape of the outputs.
        entropy: Arrays without the last axis of the outputs for class probabilities;
            of the shape of the outputs for sigmoid units; None otherwise.
        mutual_information: As `entropy`.
        samples: Arrays of shape `(num_samples, *outputs)`, or None if not asked for.

    Reference:
        Gal, Ghahramani 2016, "Dropout as a Bayesian approximation",
        arXiv:1506.02142; Gal 2016, "Uncertainty in deep learning", section 3.3.
    """

    mean: object
    variance: object
    entropy: object
    mutual_information: object
    samples: object = None

    @property
    def std(self):
        """The square root of `variance`."""
        return tree.map_structure(np.sqrt, self.variance)
