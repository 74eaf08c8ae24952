"""The dimensions of a search, which are the axes of its charts."""

import dataclasses

import keras_tuner

from kdropout.tuning.space.rates import Rates


@dataclasses.dataclass(frozen=True)
class Dimension:
    """One hyperparameter of a search.

    Args:
        name: String, name of the hyperparameter.
        layers: Tuple of the paths of the layers that it sets.
        kind: "rate", the part of a schedule ("start", "end", "steps" or "shape"), or
            "other" for a hyperparameter that sets no rate, such as the learning rate.
        low: Number, the lowest value.
        high: Number, the highest value.
        levels: Tuple of strings, the names of the values 0, 1, ... if they are not
            numbers. Defaults to ().
        grid: Tuple of the numbers to choose from, in order. If empty, all values
            between the bounds are allowed. Defaults to ().
        rate_of: String, path of a layer. If given, a report uses the rate of this layer
            instead of the value. This is for layers that get the values of several
            hyperparameters in order of size, and for values that are not known.
            Defaults to "".
        label: String, the name that people see. Defaults to the name without "rate/".
        is_log: Boolean, whether values are spread evenly over their logarithm. Defaults
            to False.
    """

    name: str
    layers: tuple[str, ...]
    kind: str
    low: float
    high: float
    levels: tuple[str, ...] = ()
    grid: tuple[float, ...] = ()
    rate_of: str = ""
    label: str = ""
    is_log: bool = False

    def __post_init__(self):
        if not self.label:
            object.__setattr__(self, "label", self.name.removeprefix("rate/"))

    @property
    def sets_rate(self) -> bool:
        """True if its value is the final rate of layers."""
        return self.kind in ("rate", "end")

    def number(self, value):
        """Return a value as a number, or None if it is missing or not a level."""
        if not self.levels:
            return value
        text = str(value)
        return self.levels.index(text) if text in self.levels else None

    def plain(self):
        """Return a dict that JSON can store."""
        return dataclasses.asdict(self)

    @classmethod
    def from_plain(cls, plain):
        """Make a dimension from the dict of `plain`, which may come from JSON."""
        fields = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in plain.items()
        }
        return cls(**fields)


def dimensions_of(plan):
    """Return the dimensions of a `RatePlan` as a list, in the order of the model."""
    layers = plan.groups()
    return [
        _dimension(hyperparameter, tuple(layers[hyperparameter.name]))
        for hyperparameter in plan.hyperparameters.values()
    ]


def other_dimensions(hyperparameters, plan):
    """Return the dimensions of the hyperparameters that do not set rates.

    Args:
        hyperparameters: Iterable of hyperparameters of KerasTuner, such as `hp.space`.
        plan: `RatePlan` of a model of the search.

    Returns:
        List of `Dimension`, in the order in which they were declared.
    """
    dimensions = {}
    for hyperparameter in hyperparameters:
        if not is_other(hyperparameter.name, plan):
            continue
        dimension = _other(hyperparameter)
        if dimension is not None:
            dimensions.setdefault(dimension.name, dimension)
    return list(dimensions.values())


def is_other(name, plan):
    """Return True for a hyperparameter of the user that sets no rate."""
    # A model of another trial may have rates that this plan does not know.
    return name not in plan.names and not name.startswith(("tuner/", "rate/"))


def _other(hyperparameter):
    """The dimension of a hyperparameter, or None if it has a single value."""
    name, kinds = hyperparameter.name, keras_tuner.engine.hyperparameters
    if isinstance(hyperparameter, (kinds.Float, kinds.Int)):
        low, high = hyperparameter.min_value, hyperparameter.max_value
        is_log = hyperparameter.sampling in ("log", "reverse_log")
        return Dimension(name, (), "other", low, high, is_log=is_log)
    if isinstance(hyperparameter, kinds.Boolean):
        return Dimension(name, (), "other", 0, 1, levels=("False", "True"))
    if not isinstance(hyperparameter, kinds.Choice) or len(hyperparameter.values) < 2:
        return None
    values = hyperparameter.values
    if isinstance(values[0], str):
        return Dimension(name, (), "other", 0, len(values) - 1, levels=tuple(values))
    grid = tuple(sorted(values))
    return Dimension(name, (), "other", grid[0], grid[-1], grid=grid)


def parts_of(plan):
    """Return a dict from hyperparameter to "rate", or to the part of a schedule."""
    return {name: entry.part for name, entry in plan.hyperparameters.items()}


def _dimension(hyperparameter, layers):
    name, kind, choice = hyperparameter.name, hyperparameter.part, hyperparameter.choice
    if isinstance(choice, Rates):
        return _of_rates(hyperparameter, layers)
    if isinstance(choice[0], str):
        return Dimension(name, layers, kind, 0, len(choice) - 1, levels=choice)
    low, high = choice
    return Dimension(name, layers, kind, low, high)


def _of_rates(hyperparameter, layers):
    rates, name = hyperparameter.choice, hyperparameter.name
    is_sorted = rates.tie in ("rising", "falling") and len(layers) > 1
    is_line = rates.tie == "linear" and len(layers) > 1
    label = ""
    if hyperparameter.part in ("rate", "end"):
        if is_sorted or len(layers) == 1 or (is_line and len(layers) == 2):
            label = hyperparameter.path  # the rate of one layer
        elif not is_line:
            label = f"{name.removeprefix('rate/')} ({len(layers)} layers)"
    return Dimension(
        name=name,
        layers=layers,
        kind=hyperparameter.part,
        low=rates.low,
        high=rates.high,
        grid=rates.grid or (),
        rate_of=hyperparameter.path if is_sorted else "",
        label=label,
    )
