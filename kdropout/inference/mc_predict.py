"""Monte-Carlo prediction."""

import random
import warnings
from typing import Any

import keras

from kdropout import _validation
from kdropout._data import Batches, preprocess_of
from kdropout._model_kinds import has_call, require_built_model
from kdropout.inference import per_output
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
    noise_std: Any = None,
    log_variance: str | int | dict | None = None,
    class_axis: int | list | dict = -1,
    same_masks: bool = False,
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
        noise_std: The standard deviation of the noise of the targets, in the unit of
            the outputs: a number of at least 0, or an array that fits one row of the
            output. For several outputs, a list or dict with one of these or None each.
            `kdropout.fit_noise` estimates it. `total_std`, `quantile` and `interval` of
            the result then include it. Defaults to None.
        log_variance: The name or index of the output that is the log variance of the
            only other output; or a dict from the name or index of each mean to that of
            its log variance. The result then includes this noise, as with `noise_std`.
            Defaults to None.
        class_axis: Integer other than 0, the axis of class probabilities in the
            outputs, such as 1 for images with channels first. For several outputs, also
            a list or dict with an integer or None for each. Defaults to -1.
        same_masks: If True, each sample is one thinned network for all inputs. The same
            seed gives the same thinned networks for other inputs. This takes one pass
            for each sample and batch. Defaults to False, where each input has separate
            masks in each sample.

    Returns:
        A `kdropout.Prediction`: NumPy arrays `mean`, `variance`, `std`, `entropy`,
        `mutual_information` and `samples`, each in the structure of the outputs, and
        the methods `quantile` and `interval`.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range or does not fit the outputs; if the
            model has no `call` or is not built; if it has no dropout layer of kdropout
            with a rate above 0, so that its uncertainty would be zero; or if
            `same_masks` is True and other layers draw numbers, or a dropout layer has
            inputs whose first axis is not the batch.

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
        arXiv:1506.02142; for `log_variance`, Kendall, Gal 2017, "What uncertainties do
        we need in Bayesian deep learning for computer vision?", arXiv:1703.04977.
    """
    if not isinstance(same_masks, bool):
        raise _validation.type_error("same_masks", "a bool", same_masks)
    per_output.check_class_axis(class_axis)
    per_output.check_noise_std(noise_std)
    collector = Collector(return_samples, noise_std, log_variance, class_axis)
    batches = batches_of(model, x, batch_size)
    return predict(model, batches, collector, num_samples, seed, verbose, same_masks)[0]


def batches_of(model, x, batch_size):
    """The inputs of a prediction. The arguments are those of `mc_predict`."""
    _check_model(model)
    batch_size = _validation.integer("batch_size", batch_size, low=1)
    return Batches(x, batch_size, preprocess_of(model))


def predict(model, batches, collector, num_samples, seed, verbose, same_masks=False):
    """Add samples of all batches to a `Collector`.

    Returns:
        Tuple of the `Prediction`, and a list with the targets of each batch, None where
        the data do not hold any.
    """
    num_samples = _validation.integer("num_samples", num_samples, low=1)
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
    sampler, targets = Sampler(model, seed, same_masks), []
    for index, (batch, y) in enumerate(batches.with_targets()):
        for group in sampler.draw(batch, num_samples):
            collector.add(group)
        collector.end_batch()
        targets.append(y)
        bar.update(index + 1)
    if not sampler.has_drawn:
        raise ValueError(
            f"'x' must hold at least one batch. Received: x={batches.dataset!r}"
        )
    _warn_of_other_noise(sampler, is_seeded)
    return collector.result(), targets


def _warn_of_other_noise(sampler, is_seeded):
    """Name the layers whose numbers are not those that the user may expect."""
    if sampler.frozen:
        warnings.warn(
            f"These layers of the model draw numbers with NumPy: "
            f"{', '.join(map(repr, sampler.frozen))}. They draw once, when the model "
            "is compiled, and all samples share the result, as in 'predict'. Draw with "
            "keras.random and a keras.random.SeedGenerator.",
            stacklevel=4,
        )
    if is_seeded and sampler.unseeded:
        warnings.warn(
            f"'seed' does not decide what these layers of the model draw: "
            f"{', '.join(map(repr, sampler.unseeded))}. They draw other numbers in "
            "each call of mc_predict. Draw with keras.random and a "
            "keras.random.SeedGenerator.",
            stacklevel=4,
        )


def _check_model(model):
    """Refuse a model whose predictions would not vary."""
    require_built_model(model)
    if not has_call(model):
        raise ValueError(
            f"'model' must have a call(). Received: '{model.name}' of class "
            f"{type(model).__name__}, which has none, so it cannot predict. Pass the "
            "model inside it that computes the outputs, and that train_step calls: "
            "kdropout.mc_predict(model.<its attribute>, x). If there is no such model, "
            "write call(self, inputs, training=None), which computes them."
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
