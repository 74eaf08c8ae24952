"""One hyperparameter that moves rates: an axis of a search, and of its charts."""

import dataclasses

from kdropout.tuning.space.rates import Rates


@dataclasses.dataclass(frozen=True)
class Dimension:
    """One hyperparameter of a search over rates.

    Args:
        name: String, name of the hyperparameter.
        layers: Tuple of the paths of the layers that it moves.
        kind: "rate", or the part of a schedule: "start", "end", "steps" or "shape".
        low: Number, the lowest value.
        high: Number, the highest value.
        levels: Tuple of strings, the names of the values 0, 1, ... if they are not
            numbers. Defaults to none.
        grid: Tuple of the numbers to choose from, in order. Empty for all between the
            bounds. Defaults to empty.
        rate_of: String, path of the layer whose rate a report takes in place of the
            value: the layers get the values of several hyperparameters in order of
            size, or the values are not known. Empty to take the value. Defaults to
            empty.
        label: String, what people read. Defaults to the name without "rate/".
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

    def __post_init__(self):
        if not self.label:
            object.__setattr__(self, "label", self.name.removeprefix("rate/"))

    @property
    def sets_rate(self) -> bool:
        """Whether its value is the rate that layers have in the end."""
        return self.kind in ("rate", "end")

    def number(self, value):
        """A value as a number; None if it is missing, or not one of the levels."""
        if not self.levels:
            return value
        return self.levels.index(value) if value in self.levels else None

    def plain(self):
        """A dict that JSON can hold."""
        return dataclasses.asdict(self)

    @classmethod
    def from_plain(cls, plain):
        """The dimension of which `plain` was made, also if JSON held it since."""
        fields = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in plain.items()
        }
        return cls(**fields)


def dimensions_of(plan):
    """The dimensions of a `RatePlan`, a list in the order of the model."""
    layers = plan.groups()
    return [
        _dimension(hyperparameter, tuple(layers[hyperparameter.name]))
        for hyperparameter in plan.hyperparameters.values()
    ]


def parts_of(plan):
    """Dict from hyperparameter to what it moves: "rate", or a part of a schedule."""
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
            label = hyperparameter.path  # it is the rate of one layer
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
