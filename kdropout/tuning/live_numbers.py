"""Numbers of optimizers, schedules and losses that need no new compilation.

Keras holds the learning rate of an optimizer in a variable. Other numbers, such as the
weight decay, are plain attributes, which become constants of the compiled code. While
an epoch is compiled, `LiveNumbers` puts variables in their place, so that the next
trial can set other values.
"""

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import keras

_SCHEDULES = (
    keras.optimizers.schedules.CosineDecay,
    keras.optimizers.schedules.CosineDecayRestarts,
    keras.optimizers.schedules.ExponentialDecay,
    keras.optimizers.schedules.InverseTimeDecay,
    keras.optimizers.schedules.PolynomialDecay,
)

# Keras's own formulas give the same result to the bit with a variable as with a
# constant. This does not hold for numbers such as `beta_1`, of which Keras computes
# `1 - beta_1` in double precision.
_ATTRIBUTES = [
    (keras.optimizers.Optimizer, "weight_decay"),
    (keras.optimizers.SGD, "momentum"),
    (keras.optimizers.RMSprop, "momentum"),
    (keras.losses.Loss, "label_smoothing"),
    *((schedule, "initial_learning_rate") for schedule in _SCHEDULES),
]


@dataclasses.dataclass(frozen=True)
class Place:
    """A place that holds a number.

    Args:
        holder: Dict that holds the number, such as the attributes of an optimizer.
        key: String, the key of the number in the dict.
        is_in_loss: Boolean, whether an evaluation depends on the number.
    """

    holder: dict
    key: str
    is_in_loss: bool

    @property
    def value(self) -> float:
        return self.holder[self.key]

    def put(self, value: object) -> None:
        self.holder[self.key] = value

    @property
    def structure(self) -> tuple:
        """The key, and whether the number is zero, which the compiled code tests."""
        return self.key, self.value == 0.0


def places_of(value: Any) -> list[Place]:
    """Return the places of the live numbers of an optimizer, a schedule or a loss.

    Only classes of Keras have live numbers, because another class may use a number in
    any way. The list is empty for other objects, and for calculations that are not in
    single precision, where a variable may be rounded in another way than a constant.
    """
    if type(value).__module__.partition(".")[0] != "keras":
        return []
    if keras.config.floatx() != "float32":
        return []
    names = [name for kind, name in _ATTRIBUTES if isinstance(value, kind)]
    if not names:
        return []
    is_loss = isinstance(value, keras.losses.Loss)
    if is_loss and value.dtype != "float32":
        return []
    # A loss of Keras passes the arguments to its function from a second dict.
    holders = [vars(value)]
    if is_loss:
        holders.append(vars(value).get("_fn_kwargs", {}))
    return [
        Place(holder, name, is_loss)
        for holder in holders
        for name in names
        if type(holder.get(name)) is float
    ]


class LiveNumbers:
    """The numbers of one compiled model, as variables for its compiled code.

    Args:
        places: Sequence of `Place`.
    """

    def __init__(self, places):
        self._places = tuple(places)
        self._numbers = [LiveNumber(place.value) for place in self._places]

    @property
    def variables(self) -> list[keras.Variable]:
        """All variables, of which the compiled code reads the values."""
        return [part for number in self._numbers for part in number.parts]

    def read(self) -> None:
        """Give the variables the values that the model has now."""
        for number, place in zip(self._numbers, self._places, strict=True):
            number.set(place.value)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Return a context in which the model holds the variables as its numbers."""
        values = [place.value for place in self._places]
        try:
            for number, place in zip(self._numbers, self._places, strict=True):
                place.put(number)
            yield
        finally:
            for value, place in zip(values, self._places, strict=True):
                place.put(value)

    @contextlib.contextmanager
    def traced_as(self, values) -> Iterator[None]:
        """Return a context in which the variables have the values of a trace of JAX.

        Args:
            values: List of arrays, one for each of `variables`.
        """
        variables = self.variables
        kept = [variable._value for variable in variables]
        try:
            for variable, value in zip(variables, values, strict=True):
                variable._value = value
            yield
        finally:
            for variable, value in zip(variables, kept, strict=True):
                variable._value = value


class LiveNumber(keras.Variable):
    """A variable that compiled code of Keras can use like a constant number.

    Keras tests whether some numbers are zero. The result must be a boolean of Python,
    which stays true, because models with and without a zero are compiled separately.
    """

    def __init__(self, value):
        like = {"dtype": "float32", "trainable": False, "autocast": False}
        super().__init__(value, **like)
        self._is_zero = value == 0.0
        # Keras computes `1 - label_smoothing` in double precision.
        self._complement = keras.Variable(1.0 - value, **like)

    @property
    def parts(self) -> list[keras.Variable]:
        return [self, self._complement]

    def set(self, value: float) -> None:
        self.assign(value)
        self._complement.assign(1.0 - value)

    def __bool__(self):
        return not self._is_zero

    def __eq__(self, other):
        return self._is_zero if _is_zero(other) else super().__eq__(other)

    def __ne__(self, other):
        return not self._is_zero if _is_zero(other) else super().__ne__(other)

    def __gt__(self, other):
        return not self._is_zero if _is_zero(other) else super().__gt__(other)

    def __rsub__(self, other):
        is_one = isinstance(other, float) and other == 1.0
        return self._complement.value if is_one else super().__rsub__(other)

    __hash__ = keras.Variable.__hash__


def _is_zero(value):
    return isinstance(value, (int, float)) and value == 0
