"""Which hyperparameters move which layers."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from kdropout import _validation
from kdropout.inspection import dropout_layers
from kdropout.schedules import Ramp
from kdropout.tuning.space.dimension import Dimension
from kdropout.tuning.space.groups import Group
from kdropout.tuning.space.rules import apply, check_can_set

# Where a model keeps its plan, as Keras keeps `train_function`.
_PLAN = "_kdropout_rate_plan"


class RatePlan:
    """Which hyperparameters move the rates of which layers.

    It holds paths and no layers: so it serves any model that has them.

    Args:
        groups: Sequence of `Group`.

    Raises:
        ValueError: If two groups use a hyperparameter of the same name.

    Example:

    >>> import keras_tuner
    >>> from kdropout import tuning
    >>> model = keras.Sequential([kdropout.layers.Dropout(0.5, name="drop")])
    >>> model = tuning.tune_rates(keras_tuner.HyperParameters(), model)
    >>> plan = tuning.plan_of(model)
    >>> plan.names
    frozenset({'rate/drop'})
    >>> plan.rates({"rate/drop": 0.25})
    {'drop': 0.25}
    """

    def __init__(self, groups: Sequence[Group]):
        self._groups = tuple(groups)
        self.hyperparameters: dict[str, Dimension] = {}
        for group in self._groups:
            for hyperparameter in group.hyperparameters():
                if hyperparameter.name in self.hyperparameters:
                    raise ValueError(_two_meanings(hyperparameter.name))
                self.hyperparameters[hyperparameter.name] = hyperparameter

    @property
    def names(self) -> frozenset[str]:
        """Names of the hyperparameters that move rates, a frozenset."""
        return frozenset(self.hyperparameters)

    @property
    def paths(self) -> tuple[str, ...]:
        """Paths of the layers that the plan decides on, a tuple."""
        return tuple(path for group in self._groups for path in group.paths)

    def groups(self) -> dict[str, tuple[str, ...]]:
        """Dict from the name of each hyperparameter to the paths that it moves."""
        return {
            hyperparameter.name: group.moved_by(hyperparameter.name)
            for group in self._groups
            for hyperparameter in group.hyperparameters()
        }

    def settings(self, values: Mapping[str, Any]) -> dict[str, float | Ramp]:
        """What the layers get.

        Args:
            values: Dict from names of hyperparameters to their values, such as
                `hp.values`. Others may be among them.

        Returns:
            Dict from path to a float, or to a `kdropout.schedules.Ramp` where schedules
            are searched.

        Raises:
            TypeError: If `values` is not a dict, or a value not a number.
            ValueError: If a value is missing or out of range.
        """
        if not isinstance(values, Mapping):
            expected = "a dict from names of hyperparameters to values, as 'hp.values'"
            raise _validation.type_error("values", expected, values)
        missing = [name for name in self.hyperparameters if name not in values]
        if missing:
            raise _validation.argument_error(
                ValueError,
                "values",
                "must hold each hyperparameter of the plan. Missing: "
                f"{', '.join(map(repr, missing))}. Received: "
                f"{', '.join(map(repr, values)) or 'none'}",
            )
        settings = {}
        for group in self._groups:
            settings.update(group.settings(values))
        return settings

    def rates(self, values: Mapping[str, Any]) -> dict[str, float]:
        """Dict from path to rate; of a schedule, the rate at its end.

        Args:
            values: As for `settings`.
        """
        return {
            path: setting if isinstance(setting, float) else setting.end
            for path, setting in self.settings(values).items()
        }

    def assign(self, model: keras.layers.Layer, values: Mapping[str, Any]) -> None:
        """Give the layers of `model` what `values` choose. It is not traced anew.

        Nothing is set unless all can be.

        Args:
            model: A `keras.Model` or layer that has the layers of the plan.
            values: As for `settings`.

        Raises:
            TypeError: As for `settings`, or if a gradient decides a rate.
            ValueError: As for `settings`, or if a layer is missing.
        """
        settings = self.settings(values)
        layers = dropout_layers(model)
        for path in settings:
            if path not in layers:
                has = ", ".join(map(repr, layers)) or "none"
                error = _validation.argument_error(
                    ValueError,
                    "model",
                    f"must hold the layers of the plan. Missing: '{path}'. Received: "
                    f"'{model.name}', whose dropout layers are: {has}",
                )
                error.layer = path
                raise error
            check_can_set(path, layers[path], argument="plan")
        apply(model, {layers[path]: setting for path, setting in settings.items()})

    def merged(self, later: "RatePlan") -> "RatePlan":
        """The plan of both; of a layer in both, `later` decides.

        Raises:
            ValueError: If they use one name for two hyperparameters.
        """
        taken = set(later.paths)
        left = [group.without(taken) for group in self._groups]
        return RatePlan([*(group for group in left if group.paths), *later._groups])


def plan_of(model: keras.layers.Layer) -> RatePlan | None:
    """The `RatePlan` of a model that went through `tune_rates`, or None.

    Example:

    >>> from kdropout import tuning
    >>> tuning.plan_of(keras.Sequential([kdropout.layers.Dropout(0.5)])) is None
    True
    """
    return vars(model).get(_PLAN)


def keep_plan(model, plan):
    """Let the model keep its plan, where Keras does not see it."""
    vars(model)[_PLAN] = plan


def _two_meanings(name):
    return (
        f"The hyperparameter '{name}' must have one meaning. Received: two entries of "
        "the space that use the name. Write one of the patterns in another way."
    )
