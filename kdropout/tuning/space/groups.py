"""One entry of a space: its layers, its hyperparameters and what they choose."""

import dataclasses

from kdropout import _validation
from kdropout.schedules import depth_rates
from kdropout.tuning.space.rates import Rates
from kdropout.tuning.space.schedules import Schedules


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

        `scope` is what `hp` puts before each name, `own` the value of the layer.
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
                return hp.Float(
                    name,
                    choice.low,
                    choice.high,
                    sampling=choice.sampling,
                    default=default,
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


@dataclasses.dataclass(frozen=True)
class Group:
    """Layers of a fixed rate, and the base of those whose rates are searched.

    Attributes:
        pattern: Path or glob, the key of the entry.
        paths: Paths of the layers that the entry is left with, in order of depth.
        choice: The entry: a float, `Rates` or `Schedules`.
        prefix: What the names of its hyperparameters begin with.
    """

    pattern: str
    paths: tuple[str, ...]
    choice: float | Rates | Schedules
    prefix: str = "rate"

    def hyperparameters(self):
        """The hyperparameters that move the layers, a tuple of `Hyperparameter`."""
        return ()

    def moved_by(self, name):
        """Paths of the layers that the hyperparameter `name` moves."""
        return self.paths

    def settings(self, values):
        """Dict from path to what the layer gets: a float, or a `Ramp`."""
        return dict.fromkeys(self.paths, self.choice)

    def without(self, paths):
        """The group of those layers that are not among `paths`."""
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
            if len(self.paths) == 1:  # which gets the last rate, as in depth_rates
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
        """Dict from the beginning of names to the layer whose ramp they make."""
        if self.choice.tie == "shared":
            return {f"{self.prefix}/{self.pattern}": self.paths[0]}
        return {f"{self.prefix}/{path}": path for path in self.paths}


def make_group(pattern, paths, choice, prefix):
    """The group of layers that an entry of a space is left with."""
    kinds = {Rates: RateGroup, Schedules: RampGroup}
    return kinds.get(type(choice), Group)(pattern, tuple(paths), choice, prefix)
