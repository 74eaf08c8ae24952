"""Monte-Carlo prediction."""

import random
import warnings
from typing import Any

import keras

from kdropout import _validation
from kdropout._data import Batches, preprocess_of
from kdropout._model_kinds import has_call, require_built_model
from kdropout.inference.prediction import Collector, Prediction
from kdropout.inference.sampler import Sampler
from kdropout.inspection import dropout_layers
from kdropout.rate_rules.base import ObservedRate


def mc_predict(
    model: keras.Model,
    x: Any,
    num_samples: int = 50,
    batch_size: int = 32,
    seed: int | None = None,
    return_samples: bool = False,
    verbose: str | int = "auto",
) -> Prediction:
    """Sample predictions with dropout on (Monte-Carlo dropout).

    Each sample is the output of a thinned network: the model with one random mask.
    Everything except dropout stays in inference mode, as in `predict`. Rates,
    schedules, seeds and weights do not change. The part of the model before the first
    dropout layer is computed once per batch, and the rest for many samples in one
    compiled pass. Dropout layers of Keras stay off: for a model with such layers, call
    `kdropout.convert` first. In the cell of an RNN, the time steps of a sample share a
    mask.

    A layer that draws numbers in `predict`, such as an LSTM that always drops, draws
    other numbers for each sample. A model with such a layer, or with a layer that
    writes its state at inference, takes one pass per sample.

    Args:
        model: A built `keras.Model` with dropout layers of kdropout.
        x: Inputs: an array, a list or dict of arrays for several inputs, or a dataset
            of batches (of inputs, or of `(x, y)`). A KerasHub task with a preprocessor
            takes the inputs of its `predict`, such as texts, or a dict of the inputs
            that the preprocessor returns.
        num_samples: Integer of at least 1, the number of thinned networks per input.
            Defaults to 50.
        batch_size: Integer of at least 1, the number of inputs per batch. A dataset has
            its own batches. Defaults to 32.
        seed: Integer in [0, 2**31), or None for a random seed. The same seed and the
            same batches give the same samples. The seed also decides the numbers of
            every `keras.random.SeedGenerator`, whose state does not change. Defaults to
            None.
        return_samples: If True, the result also has the outputs of all thinned
            networks. Defaults to False.
        verbose: 0 to show no progress bar, 1 to show one, or "auto" to show one if
            there are several batches. Defaults to "auto".

    Returns:
        A `kdropout.Prediction`: NumPy arrays `mean`, `variance`, `std`, `entropy`,
        `mutual_information` and `samples`, each in the structure of the outputs.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range, if the model has no `call` or is not
            built, or if it has no dropout layer of kdropout with a rate above 0, so
            that its uncertainty would be zero.

    Warns:
        UserWarning: If `seed` does not decide the numbers of some layers, such as
            layers that draw with `tf.random`. Also if layers draw with NumPy while the
            model is compiled, so that all samples share one draw. The warning lists the
            paths of the layers.

    Example:

    >>> model = keras.Sequential([
    ...     keras.Input((4,)), keras.layers.Dense(8, activation="relu"),
    ...     kdropout.layers.Dropout(0.5), keras.layers.Dense(3, activation="softmax")])
    >>> prediction = kdropout.mc_predict(model, np.ones((2, 4)), seed=1)
    >>> prediction.mean.shape, prediction.mutual_information.shape
    ((2, 3), (2,))

    Reference:
        Gal, Ghahramani 2016, "Dropout as a Bayesian approximation",
        arXiv:1506.02142.
    """
    _check_model(model)
    num_samples = _validation.integer("num_samples", num_samples, low=1)
    batch_size = _validation.integer("batch_size", batch_size, low=1)
    batches = Batches(x, batch_size, preprocess_of(model))
    seed = _validation.optional_seed(seed)
    is_seeded = seed is not None
    if not is_seeded:
        seed = random.randrange(2**31)  # `keras.utils.set_random_seed` seeds it
    if verbose not in ("auto", 0, 1):
        raise _validation.value_error("verbose", '"auto", 0 or 1', verbose)
    several = verbose == "auto" and len(batches) != 1
    bar = keras.utils.Progbar(
        len(batches) or None, verbose=int(several or verbose == 1)
    )
    sampler, collector = Sampler(model, seed), Collector(return_samples)
    for index, batch in enumerate(batches):
        for group in sampler.draw(batch, num_samples):
            collector.add(group)
        collector.end_batch()
        bar.update(index + 1)
    if not sampler.has_drawn:
        raise ValueError(f"'x' must hold at least one batch. Received: x={x!r}")
    _warn_of_other_noise(sampler, is_seeded)
    return collector.result()


def _warn_of_other_noise(sampler, is_seeded):
    """Name the layers whose numbers are not those that the user may expect."""
    if sampler.frozen:
        warnings.warn(
            f"These layers of the model draw numbers with NumPy: "
            f"{', '.join(map(repr, sampler.frozen))}. They draw once, when the model "
            "is compiled, and all samples share the result, as in 'predict'. Draw with "
            "keras.random and a keras.random.SeedGenerator.",
            stacklevel=3,
        )
    if is_seeded and sampler.unseeded:
        warnings.warn(
            f"'seed' does not decide what these layers of the model draw: "
            f"{', '.join(map(repr, sampler.unseeded))}. They draw other numbers in "
            "each call of mc_predict. Draw with keras.random and a "
            "keras.random.SeedGenerator.",
            stacklevel=3,
        )


def _check_model(model):
    """Refuse a model whose predictions would not vary."""
    require_built_model(model)
    if not has_call(model):
        raise ValueError(
            f"'model' must have a call(). Received: '{model.name}' of class "
            f"{type(model).__name__}, which has none, so it cannot predict. Pass the "
            "model inside it that computes the outputs, and that train_step calls: "
            "kdropout.mc_predict(model.<its attribute>, x)."
        )
    found = dropout_layers(model)
    if not found:
        raise ValueError(
            "'model' must hold dropout layers of kdropout, or its uncertainty would be "
            f"zero. Received: '{model.name}', which has none. If it has dropout layers "
            "of Keras, pass kdropout.convert(model)."
        )
    if not any(
        layer.rate > 0.0 or isinstance(layer._rate_rule, ObservedRate)
        for layer in found.values()
    ):
        raise ValueError(
            "'model' must have a rate above 0, or its uncertainty would be zero. "
            f"Received: '{model.name}', whose rates are all 0. Set them with "
            "kdropout.set_rates(model, ...)."
        )
