"""The entries of a space: their layers and their hyperparameters."""

import dataclasses

from kdropout import _validation
from kdropout.schedules import depth_rates
from kdropout.tuning.space.rates import Rates
from kdropout.tuning.space.schedules import Schedules


@dataclasses.dataclass(frozen=True)
class Hyperparameter:
    """One hyperparameter before it is declared to KerasTuner.

    Attributes:
        name: String, the name with the name scopes of KerasTuner.
        choice: `Rates`, a pair of integers or a tuple of names to choose from.
        path: String, path of the layer whose current value is the default.
        part: String, the value of the layer: "rate", or a part of its ramp. Defaults to
            "rate".
    """

    name: str
    choice: Rates | tuple
    path: str
    part: str = "rate"

    @property
    def domain(self):
        """A value that is equal for hyperparameters with the same allowed values."""
        return self.choice.domain if isinstance(self.choice, Rates) else self.choice

    def declare(self, hp, scope, own):
        """Declare the hyperparameter, and return the value that KerasTuner gives it.

        `scope` is the prefix that `hp` adds to names, `own` is the value of the layer.
        """
        value = self._declare(hp, self.name.removeprefix(scope), own)
        if value is None:
            raise ValueError(
                f"The hyperparameter '{self.name}' must be active when it is declared. "
                "Received: a conditional scope whose condition is not met. Call "
                "'tune_rates' only if the condition is met."
            )
        return value

    def _declare(self, hp, name, own):
        choice = self.choice
        if isinstance(choice, Rates):
            default = choice.default
            if default is None:
                default = choice.nearest(own)
            if choice.grid is None:
                return hp.Float(
                    name,
                    choice.low,
                    choice.high,
                    sampling=choice.sampling,
                    default=default,
                )
            # KerasTuner's Float with a step skips the last point of some grids, because
            # 0.5 // 0.1 is 4, and confuses some points with their neighbours.
            return hp.Choice(name, list(choice.grid), ordered=True, default=default)
        if isinstance(choice[0], str):
            default = own if own in choice else None
            return hp.Choice(name, list(choice), ordered=False, default=default)
        low, high = choice
        default = own if own is not None and low <= own <= high else None
        return hp.Int(name, low, high, default=default)


@dataclasses.dataclass(frozen=True)
class Group:
    """Layers with a fixed rate, and the base class of groups that are searched.

    Attributes:
        pattern: String, path or glob, the key of the entry.
        paths: Tuple of the paths of the layers of the entry, in order of depth.
        choice: Float, `Rates` or `Schedules`, the value of the entry.
        prefix: String, the prefix of the names of its hyperparameters. Defaults to
            "rate".
    """

    pattern: str
    paths: tuple[str, ...]
    choice: float | Rates | Schedules
    prefix: str = "rate"

    def hyperparameters(self):
        """Return a tuple of `Hyperparameter`, those that set the layers."""
        return ()

    def moved_by(self, name):
        """Return the paths of the layers that the hyperparameter `name` sets."""
        return self.paths

    def settings(self, values):
        """Return a dict from path to the new rate of the layer: a float or a `Ramp`."""
        return dict.fromkeys(self.paths, self.choice)

    def without(self, paths):
        """Return the group of the layers that are not in `paths`."""
        left = tuple(path for path in self.paths if path not in paths)
        return dataclasses.replace(self, paths=left)


class RateGroup(Group):
    """Layers whose rates are searched."""

    def hyperparameters(self):
        rates, shared = self.choice, f"{self.prefix}/{self.pattern}"
        if rates.tie == "shared":
            return (Hyperparameter(shared, rates, self.paths[0]),)
        if rates.tie == "linear":
            last = Hyperparameter(f"{shared}/last", rates, self.paths[-1])
            if len(self.paths) == 1:  # one layer gets the last rate, as in depth_rates
                return (last,)
            return (Hyperparameter(f"{shared}/first", rates, self.paths[0]), last)
        return tuple(
            Hyperparameter(f"{self.prefix}/{path}", rates, path) for path in self.paths
        )

    def moved_by(self, name):
        if self.choice.tie == "free":
            return (name.removeprefix(f"{self.prefix}/"),)
        return self.paths

    def settings(self, values):
        names = [hyperparameter.name for hyperparameter in self.hyperparameters()]
        chosen = [_validation.number(n, values[n], 0.0, 1.0) for n in names]
        tie = self.choice.tie
        if tie == "shared":
            chosen = chosen * len(self.paths)
        elif tie == "linear":
            chosen = depth_rates(len(self.paths), last=chosen[-1], first=chosen[0])
        elif tie in ("rising", "falling"):
            chosen = sorted(chosen, reverse=tie == "falling")
        return dict(zip(self.paths, chosen, strict=True))


class RampGroup(Group):
    """Layers whose schedules are searched."""

    def hyperparameters(self):
        return tuple(
            Hyperparameter(f"{base}/{part}", choice, path, part)
            for base, path in self._bases().items()
            for part, choice in self.choice.searched().items()
        )

    def moved_by(self, name):
        if self.choice.tie == "shared":
            return self.paths
        return (self._bases()[name.rpartition("/")[0]],)

    def settings(self, values):
        ramps = {}
        for base, path in self._bases().items():
            chosen = {part: values[f"{base}/{part}"] for part in self.choice.searched()}
            try:
                ramps[path] = self.choice.ramp(chosen)
            except (TypeError, ValueError) as error:
                raise _validation.error_within(error, (base,), f"'{base}'") from None
        if self.choice.tie == "shared":
            return dict.fromkeys(self.paths, *ramps.values())
        return ramps

    def _bases(self):
        """Dict from the prefix of hyperparameters to the layer of their ramp."""
        if self.choice.tie == "shared":
            return {f"{self.prefix}/{self.pattern}": self.paths[0]}
        return {f"{self.prefix}/{path}": path for path in self.paths}


def make_group(pattern, paths, choice, prefix):
    """Return the group of layers for an entry of a space."""
    kinds = {Rates: RateGroup, Schedules: RampGroup}
    return kinds.get(type(choice), Group)(pattern, tuple(paths), choice, prefix)
