"""One hyperparameter that moves rates, as charts of a search have it."""

import dataclasses

from kdropout.tuning.space.rates import Rates


@dataclasses.dataclass(frozen=True)
class Dimension:
    """An axis of a search over rates.

    Args:
        name: String, name of the hyperparameter.
        layers: Tuple of the paths of the layers that it moves.
        kind: "rate", or the part of a schedule: "start", "end", "steps" or "shape".
        low: Number, the lowest value.
        high: Number, the highest value.
        levels: Tuple of strings, the names of the values 0, 1, ... if they are no
            numbers. Defaults to none.
    """

    name: str
    layers: tuple
    kind: str
    low: float
    high: float
    levels: tuple = ()

    def number(self, value):
        """A value as a number; None if there is none, or an unknown one."""
        if not self.levels:
            return value
        return self.levels.index(value) if value in self.levels else None

    def plain(self):
        """What JSON can hold."""
        return dataclasses.asdict(self)

    @classmethod
    def from_plain(cls, plain):
        """The dimension of which `plain` was made, also if JSON held it since."""
        sequences = {key: tuple(plain[key]) for key in ("layers", "levels")}
        return cls(**{**plain, **sequences})


def dimensions_of(plan):
    """The dimensions of a `RatePlan`, a list in the order of the model."""
    layers = plan.groups()
    return [
        Dimension(
            hyperparameter.name,
            layers[hyperparameter.name],
            hyperparameter.part,
            *_bounds(hyperparameter.choice),
        )
        for hyperparameter in plan.hyperparameters.values()
    ]


def _bounds(choice):
    if isinstance(choice, Rates):
        return choice.low, choice.high
    if isinstance(choice[0], str):
        return 0, len(choice) - 1, choice
    return choice
