"""The plan of a search, which connects hyperparameters and layers."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from kdropout import _validation
from kdropout.inspection import dropout_layers
from kdropout.schedules import Ramp
from kdropout.tuning.space.dimension import Dimension
from kdropout.tuning.space.groups import Group
from kdropout.tuning.space.rules import apply, check_can_set

# The attribute in which a model keeps its plan.
_PLAN = "_kdropout_rate_plan"

_MOST_NAMES = 4  # that a plan prints


class RatePlan:
    """Connects the hyperparameters of a search with the layers whose rates they set.

    A plan stores the paths of layers, so you can use it with every model that has
    layers at these paths.

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

    def __repr__(self) -> str:
        names, count = [*self.hyperparameters], len(self.paths)
        more = ["..."] if len(names) > _MOST_NAMES else []
        listed = ", ".join([*names[:_MOST_NAMES], *more]) or "no hyperparameters"
        return f"<RatePlan of {count} layer{'' if count == 1 else 's'}: {listed}>"

    @property
    def names(self) -> frozenset[str]:
        """Names of the hyperparameters that set rates, a frozenset."""
        return frozenset(self.hyperparameters)

    @property
    def paths(self) -> tuple[str, ...]:
        """Paths of the layers whose rates the plan sets, a tuple."""
        return tuple(path for group in self._groups for path in group.paths)

    def groups(self) -> dict[str, tuple[str, ...]]:
        """Return a dict from each hyperparameter to the paths of the layers it sets.

        Returns:
            Dict from name to a tuple of paths.
        """
        return {
            hyperparameter.name: group.moved_by(hyperparameter.name)
            for group in self._groups
            for hyperparameter in group.hyperparameters()
        }

    def settings(self, values: Mapping[str, Any]) -> dict[str, float | Ramp]:
        """Return the rate or the schedule of each layer for these values.

        Args:
            values: Dict from names of hyperparameters to their values, such as
                `hp.values`. It may contain other hyperparameters.

        Returns:
            Dict from path to a float, or to a `kdropout.schedules.Ramp` if schedules
            are searched.

        Raises:
            TypeError: If `values` is not a dict, or a value is not a number.
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
                "must contain each hyperparameter of the plan. Missing: "
                f"{', '.join(map(repr, missing))}. Received: "
                f"{', '.join(map(repr, values)) or 'none'}",
            )
        settings = {}
        for group in self._groups:
            settings.update(group.settings(values))
        return settings

    def rates(self, values: Mapping[str, Any]) -> dict[str, float]:
        """Return the rate of each layer for these values.

        Args:
            values: As for `settings`.

        Returns:
            Dict from path to rate. For a schedule, this is the final rate.

        Raises:
            TypeError: As for `settings`.
            ValueError: As for `settings`.
        """
        return {
            path: setting if isinstance(setting, float) else setting.end
            for path, setting in self.settings(values).items()
        }

    def assign(self, model: keras.layers.Layer, values: Mapping[str, Any]) -> None:
        """Set the rates or schedules of `model` to these values.

        The model is not traced again. If one rate cannot be set, none is set.

        Args:
            model: A `keras.Model` or layer that has the layers of the plan.
            values: As for `settings`.

        Raises:
            TypeError: As for `settings`, or if a gradient determines a rate.
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
                    f"must contain the layers of the plan. Missing: '{path}'. "
                    f"Received: '{model.name}', whose dropout layers are: {has}",
                )
                error.layer = path
                raise error
            check_can_set(path, layers[path], argument="plan")
        apply(model, {layers[path]: setting for path, setting in settings.items()})

    def merged(self, later: "RatePlan") -> "RatePlan":
        """Return the union of two plans, in which `later` sets the layers of both.

        Args:
            later: `RatePlan`.

        Returns:
            `RatePlan`.

        Raises:
            ValueError: If the plans use one name for two hyperparameters.
        """
        taken = set(later.paths)
        left = [group.without(taken) for group in self._groups]
        return RatePlan([*(group for group in left if group.paths), *later._groups])


def plan_of(model: keras.layers.Layer) -> RatePlan | None:
    """Return the `RatePlan` of a model.

    Args:
        model: A `keras.Model` or layer.

    Returns:
        `RatePlan`, or None if `tune_rates` was not called on the model.

    Example:

    >>> from kdropout import tuning
    >>> tuning.plan_of(keras.Sequential([kdropout.layers.Dropout(0.5)])) is None
    True
    """
    return vars(model).get(_PLAN)


def keep_plan(model, plan):
    """Store the plan in the model, without Keras tracking it."""
    vars(model)[_PLAN] = plan


def _two_meanings(name):
    return (
        f"The hyperparameter '{name}' must belong to one entry of the space. Received: "
        "two entries that use this name. Write one of the patterns in another way."
    )
