"""The methods to decide the dropout rates of a network that the studies compare.

A method is a text, which the tables and files show. It has a kind and, for most kinds,
the rates. `constant 0.5` drops half of the hidden units. `constant 0.2/0.5` also drops
a fifth of the inputs. `constant 0.1/0.5/0.6` has one rate for each of three places.
"""

import keras

import kdropout
from kdropout import callbacks, layers, schedules

UNITS = (256, 256)
START = 0.3  # the first value of rates that are learned or controlled

# Functions from the rate in the text and the number of training steps to a rate.
RATES = {
    "constant": lambda rate, steps: rate,
    # The speed is the paper's rule of thumb.
    "curriculum": lambda rate, steps: schedules.Curriculum(rate, gamma=10.0 / steps),
    "rising": lambda rate, steps: schedules.Ramp(0.0, rate, steps),
    "annealed": lambda rate, steps: schedules.Ramp(rate, 0.0, steps),
    "early": lambda rate, steps: schedules.EarlyDropout(rate, steps // 3),
    "late": lambda rate, steps: schedules.LateDropout(rate, steps // 3),
}


def constant(rate):
    """The method that drops hidden units at a rate."""
    return f"constant {rate}" if rate else "none"


def rate_of(method):
    """The rate of a method that `constant` returns."""
    return 0.0 if method == "none" else float(method.removeprefix("constant "))


def hidden_layers(method, steps, samples):
    """The layers of a network between input and output.

    Args:
        method: Text, the method.
        steps: Integer, number of training steps.
        samples: Integer, number of training samples.
    """
    kind, _, argument = method.partition(" ")
    dense = [
        keras.layers.Dense(units, "relu", name=f"hidden{index}")
        for index, units in enumerate(UNITS, start=1)
    ]
    if kind == "concrete":
        # The authors' weights for cross-entropy.
        terms = {"weight_regularizer": 1e-4 / samples}
        terms["dropout_regularizer"] = 1.0 / samples
        return [layers.ConcreteDropout(layer, START, **terms) for layer in dense]
    if kind == "standout":
        return [layers.Standout(layer) for layer in dense]
    rates = _rates(kind, argument, steps, samples)
    names = ("input_drop", "drop1", "drop2")
    drops = [
        [] if rate is None else [layers.Dropout(rate, name=name)]
        for rate, name in zip(rates, names, strict=True)
    ]
    return [*drops[0], dense[0], *drops[1], dense[1], *drops[2]]


def make_callbacks(method):
    """The callbacks that change the rates and log them."""
    kind, _, argument = method.partition(" ")
    if kind == "none":
        return []
    if kind == "controller":
        return [callbacks.RateLogger(), callbacks.GapController(float(argument))]
    return [callbacks.RateLogger()]


def _rates(kind, argument, steps, samples):
    """The argument `rate` for the inputs and both hidden layers, or None."""
    if kind == "none":
        return None, None, None
    if kind == "controller":
        return None, START, START
    if kind == "learned":
        rule = kdropout.LearnedRate(START, regularizer=1.0 / samples)
        return None, rule, rule
    rates = [float(text) for text in argument.split("/")]
    if len(rates) < 3:
        rates = [*([0.0] if len(rates) == 1 else []), *rates, rates[-1]]
    return [RATES[kind](rate, steps) if rate else None for rate in rates]
