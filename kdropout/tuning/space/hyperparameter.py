"""One hyperparameter of a search over rates, and its declaration to KerasTuner."""

import dataclasses

from kdropout.tuning.space.rates import Rates


@dataclasses.dataclass(frozen=True)
class Hyperparameter:
    """One hyperparameter, before KerasTuner knows it.

    Attributes:
        name: Its name, with the name scopes of KerasTuner in which it is declared.
        choice: What there is to choose from: `Rates`, a pair of integers, or a tuple of
            names.
        path: Path of the layer whose own value is the default.
        part: Of which value of the layer: "rate", or a part of its ramp.
    """

    name: str
    choice: Rates | tuple
    path: str
    part: str = "rate"

    @property
    def domain(self):
        """Equal for two hyperparameters that may have the same values."""
        return self.choice.domain if isinstance(self.choice, Rates) else self.choice

    def declare(self, hp, scope, own):
        """Declare it, and return the value that KerasTuner gives it.

        Args:
            hp: A `keras_tuner.HyperParameters`.
            scope: What `hp` puts before each name.
            own: The layer's own value, or None if it has none.

        Raises:
            ValueError: If it is declared in a conditional scope that is not active.
        """
        value = self._declare(hp, self.name.removeprefix(scope), own)
        if value is None:
            raise ValueError(
                f"The hyperparameter '{self.name}' must be declared where it is active."
                " Received: a conditional scope whose condition does not hold. Call "
                "'tune_rates' only if it does."
            )
        return value

    def _declare(self, hp, name, own):
        choice = self.choice
        if isinstance(choice, Rates):
            default = choice.default
            if default is None:
                default = choice.nearest(own)
            if choice.grid is None:
                bounds = (choice.low, choice.high)
                return hp.Float(
                    name, *bounds, sampling=choice.sampling, default=default
                )
            # KerasTuner's Float with a step leaves out the last point of some grids
            # (0.5 // 0.1 is 4), and takes some for their neighbours.
            return hp.Choice(name, list(choice.grid), ordered=True, default=default)
        if isinstance(choice[0], str):
            default = own if own in choice else None
            return hp.Choice(name, list(choice), ordered=False, default=default)
        low, high = choice
        default = own if own is not None and low <= own <= high else None
        return hp.Int(name, low, high, default=default)
