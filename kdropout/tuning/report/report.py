"""The report of a search: its files, and the data behind them."""

import dataclasses
import functools
import json
import os
import pathlib
from collections.abc import Sequence

from kdropout import _validation
from kdropout._files import replacing
from kdropout.tuning.report.answer import Answer, answer
from kdropout.tuning.report.confirmation import (
    Confirmation,
    CrossValidation,
    Setting,
    trial_of,
)
from kdropout.tuning.report.importance import (
    TREES,
    FeatureImportance,
    Importance,
    Marginal,
    measure_importance,
)
from kdropout.tuning.report.pareto import pareto_front
from kdropout.tuning.report.records import (
    DIRECTIONS,
    TrialRecord,
    check_trials,
    dimensions_seen,
    ranked,
)
from kdropout.tuning.report.score_format import format_of
from kdropout.tuning.report.table import FILE as TABLE_FILE
from kdropout.tuning.report.table import rows_of, write_csv
from kdropout.tuning.report.verdict import name_of
from kdropout.tuning.space.dimension import Dimension
from kdropout.version import __version__

# This number increases when JSON of earlier versions can no longer be read.
_FORMAT = 1


class Report:
    """Report the best dropout rates, the layers that matter, and whether rates help.

    A search cannot show whether its rates help, because its best score is partly luck.
    The `confirmation`, trained with new seeds, shows it. Without a confirmation, the
    verdict makes no claim.

    Args:
        trials: Sequence of `TrialRecord`, in the order of the search. Failed trials are
            listed, but not used.
        objective: String, name of the score.
        direction: "min" or "max": the direction in which scores are better.
        baseline: Dict from layer path to the rate that the model had before the search,
            or None. Defaults to None.
        confirmation: `Confirmation`, or None. Defaults to None.
        seed: Integer, seed of the random forest. Defaults to 0.
        trees: Integer, number of trees of the forest. Defaults to 200.
        limits: Dict from hyperparameter to the lowest and the highest value that the
            space allows. The report uses it to show best rates at a limit. None if the
            space is not known. Defaults to None.
        task: String that describes the task, the classes and the loss of the model, or
            None. Defaults to None.
        dimensions: Sequence of `Dimension`, the hyperparameters that were searched. If
            `limits` is None, they also give the limits. None if the space is not known:
            the report then infers it from the trials. Defaults to None.
        importance: `Importance` of these trials, dimensions, seed and trees, if it was
            measured before. None to measure it on first use. Defaults to None.
        curves: Dict from the id of a trial to the curve of its objective, a dict from
            the number of epochs trained to the value. A picture shows them if a curve
            has two epochs or more. `to_json` leaves them out, and `load_report` reads
            them from the files of the search. None if they are not known. Defaults to
            None.
        objectives: Sequence of pairs of the name of a metric of the trials and "min" or
            "max", if the objective is the sum of several. Defaults to ().

    Raises:
        TypeError: If `seed` or `trees` is not an integer, or `curves` is not a dict of
            dicts.
        ValueError: If no trial has completed, if the trials have different layers, or
            if an argument is out of range.

    Example:

    >>> from kdropout.tuning.report import Report, TrialRecord
    >>> trials = [
    ...     TrialRecord("0", {"rate/drop": 0.2}, {"drop": 0.2}, score=0.41),
    ...     TrialRecord("1", {"rate/drop": 0.5}, {"drop": 0.5}, score=0.36),
    ... ]
    >>> report = Report(trials, "val_loss", "min")
    >>> report.best_rates
    {'drop': 0.5}
    >>> model = keras.Sequential([kdropout.layers.Dropout(0.2, name="drop")])
    >>> kdropout.set_rates(model, report.best_rates)
    """

    def __init__(
        self,
        trials: Sequence[TrialRecord],
        objective: str,
        direction: str,
        baseline: dict[str, float] | None = None,
        confirmation: Confirmation | None = None,
        seed: int = 0,
        trees: int = TREES,
        limits: dict[str, tuple[float, float]] | None = None,
        task: str | None = None,
        dimensions: Sequence[Dimension] | None = None,
        importance: Importance | None = None,
        curves: dict[str, dict[int, float]] | None = None,
        objectives: Sequence[tuple[str, str]] = (),
    ):
        check_trials(trials)
        if limits is None and dimensions is not None:
            limits = {entry.name: (entry.low, entry.high) for entry in dimensions}
        self.trials = tuple(trials)
        self.objective = objective
        self.direction = _validation.choice("direction", direction, DIRECTIONS)
        self.baseline = baseline
        self.confirmation = confirmation
        self.seed = _validation.integer("seed", seed)
        self.trees = _validation.integer("trees", trees, low=2)
        self.limits = limits
        self.task = task
        self.dimensions = None if dimensions is None else tuple(dimensions)
        self.curves = _checked_curves(curves)
        self.objectives = _checked_objectives(objectives)
        if importance is not None:
            self.importance = importance

    @functools.cached_property
    def best_trial(self) -> TrialRecord:
        """The `TrialRecord` with the best score of the search, which may be luck."""
        return ranked(self.trials, self.direction)[0]

    @property
    def recommended(self) -> str | None:
        """Label of the setting of the confirmation that `best_rates` holds, or None."""
        return self.confirmation.recommendation.label if self.confirmation else None

    @functools.cached_property
    def trial_to_use(self) -> TrialRecord | None:
        """The `TrialRecord` whose rates are `best_rates`.

        None if they are not the rates of a trial, such as one rate everywhere.
        """
        if self._recommended_setting is None:
            return self.best_trial
        return trial_of(self._recommended_setting, self.trials, self.direction)

    @functools.cached_property
    def _recommended_setting(self) -> Setting | None:
        if self.confirmation is None or self.recommended is None:
            return None
        return self.confirmation.candidates[self.recommended]

    @functools.cached_property
    def pareto_front(self) -> tuple[TrialRecord, ...]:
        """The trials that no other trial beats in all objectives.

        The best by the first objective comes first. Empty if there is one objective.
        Each value is that of one training, so the front is partly luck.
        """
        if not self.objectives:
            return ()
        return tuple(pareto_front(self.trials, self.objectives))

    @property
    def best_rates(self) -> dict[str, float]:
        """The rates to use: dict from layer path to rate, for `kdropout.set_rates`.

        With a confirmation, these are the rates of the simplest setting, unless a more
        complex one is shown to be better. The order is: no dropout, one rate
        everywhere, the rates found. Without a confirmation, these are the unconfirmed
        rates of `best_trial`. For a schedule, this is its final rate.
        """
        if self.trial_to_use is not None:
            return dict(self.trial_to_use.rates)
        setting = self._recommended_setting or {}
        paths = self.best_trial.rates
        return {path: float(setting[path]) for path in paths if path in setting}

    @property
    def best_values(self) -> dict[str, float | int | str | bool]:
        """Dict from hyperparameter to value of the trial whose rates are `best_rates`.

        Empty if they are not the rates of a trial, such as one rate everywhere.
        """
        return {} if self.trial_to_use is None else dict(self.trial_to_use.values)

    @property
    def best_other_values(self) -> dict[str, float | int | str | bool]:
        """The values of the hyperparameters that set no rate, to use with `best_rates`.

        Dict from name, such as "learning_rate", to value. Empty if only rates were
        searched.
        """
        if self.trial_to_use is not None:
            return dict(self.trial_to_use.other_values)
        setting, rates = self._recommended_setting or {}, self.best_trial.rates
        return {name: value for name, value in setting.items() if name not in rates}

    @functools.cached_property
    def importance(self) -> Importance:
        """The `Importance` of each layer, and whether it is reliable."""
        return measure_importance(self.trials, self.dimensions, self.seed, self.trees)

    @property
    def marginals(self) -> tuple[Marginal, ...]:
        """Tuple of `Marginal`, one per layer or group, in the order of the model."""
        return self.importance.marginals

    @property
    def verdict(self) -> str:
        """A few sentences on whether the rates found are shown to be better."""
        return self.answer.verdict

    @functools.cached_property
    def answer(self) -> Answer:
        """The four texts with which the terminal, `report.md` and the page begin.

        They are `verdict`, `advice` (which rates to use), `code` (the line that sets
        them) and `next_step`.
        """
        return answer(self)

    def __repr__(self) -> str:
        best = self.best_trial
        score = format_of(self.objective, [best.score]).score(best.score)
        use = "not confirmed"
        if self.recommended is not None:
            use = f"recommended: {name_of(self.recommended)}"
        count = len(self.trials)
        return (
            f"<Report of {count} trial{'' if count == 1 else 's'}: {self.objective} "
            f"{score} in trial {best.trial_id}, {use}>"
        )

    def _repr_markdown_(self) -> str:
        """Return what a notebook shows, where links to pictures would be broken."""
        from kdropout.tuning.report.markdown import render

        return render(self, has_pictures=False)

    def to_markdown(self) -> str:
        """Return the report as Markdown."""
        from kdropout.tuning.report.markdown import render

        return render(self)

    def table(self) -> list[dict[str, float | int | str | bool | None]]:
        """Return a row for each trial, for example for `pandas.DataFrame`.

        Returns:
            List of dicts with the same keys: "trial_id", "score", "status", "epochs",
            "std" (the standard deviation of the scores, if trials have several
            trainings, such as one for each fold), the path of each layer (for its
            rate), the name of each hyperparameter that is not the rate of one layer,
            and the name of each metric. A missing value is None. If a name is taken,
            "rate/", "value/" or "metric/" is put before it.

        Example:

        >>> from kdropout.tuning.report import Report, TrialRecord
        >>> trials = [
        ...     TrialRecord("0", {"rate/drop": 0.2}, {"drop": 0.2}, 0.4, {"loss": 0.3})
        ... ]
        >>> (row,) = Report(trials, "val_loss", "min").table()
        >>> row["score"], row["drop"], row["loss"]
        (0.4, 0.2, 0.3)
        """
        return rows_of(self.trials)

    def to_csv(self, path: str | os.PathLike) -> None:
        """Write the rows of `table` into a CSV file, completely or not at all.

        Args:
            path: Path of the file. An existing file is replaced.

        Raises:
            OSError: If the file cannot be written.
            TypeError: If `path` is not a path.
            ValueError: If `path` is a folder.
        """
        write_csv(self.trials, path)

    def to_json(self) -> str:
        """Return the report as JSON, which `from_json` reads."""
        content = {
            "format": _FORMAT,
            "kdropout": __version__,
            "task": self.task,
            "objective": self.objective,
            "direction": self.direction,
            "objectives": [list(pair) for pair in self.objectives],
            "pareto_front": [trial.trial_id for trial in self.pareto_front],
            **dataclasses.asdict(self.answer),
            "best_rates": self.best_rates,
            "best_values": self.best_values,
            "best_other_values": self.best_other_values,
            "recommended": self.recommended,
            "best_trial": self.best_trial.trial_id,
            "baseline": self.baseline,
            "seed": self.seed,
            "trees": self.trees,
            "limits": self.limits,
            "dimensions": _dimensions_to_plain(self.dimensions),
            "importance": _importance_to_plain(self.importance),
            "marginals": [_marginal_to_plain(marginal) for marginal in self.marginals],
            "confirmation": _confirmation_to_plain(self.confirmation),
            "trials": [dataclasses.asdict(trial) for trial in self.trials],
        }
        return json.dumps(
            content,
            indent=1,
            allow_nan=False,
            ensure_ascii=False,
            default=lambda scalar: scalar.item(),  # scalars of NumPy or of a backend
        )

    @classmethod
    def from_json(cls, text: str) -> "Report":
        """Make a report from the text that `to_json` returned.

        Args:
            text: String.

        Returns:
            `Report`.

        Raises:
            TypeError: If `text` is not a string.
            ValueError: If `text` is not the JSON of a report.
        """
        content = _read(text)
        try:
            # kdropout 0.1 wrote no limits, no task and no dimensions.
            dimensions = _dimensions_from_plain(content.get("dimensions"))
            report = cls(
                [TrialRecord(**trial) for trial in content["trials"]],
                content["objective"],
                content["direction"],
                content["baseline"],
                _confirmation_from_plain(content["confirmation"]),
                content["seed"],
                content["trees"],
                _limits_from_plain(content.get("limits")),
                content.get("task"),
                dimensions,
                objectives=[tuple(pair) for pair in content.get("objectives", ())],
            )
            report.importance = _importance_from_plain(
                content, report.dimensions or dimensions_seen(report.trials)
            )
            return report
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(
                "'text' must be the JSON of a report, as Report.to_json writes it. "
                f"Received: JSON with a missing or invalid part: {error}"
            ) from None

    def plot(self, path: str | os.PathLike) -> None:
        """Draw the report into one PNG file.

        Args:
            path: Path of the file.

        Raises:
            ImportError: If matplotlib is not installed.
            OSError: If the file cannot be written.
        """
        from kdropout.tuning.report.pictures import draw_overview

        draw_overview(self, pathlib.Path(path))

    def save(self, folder: str | os.PathLike) -> list[pathlib.Path]:
        """Write `report.md`, `report.json`, `trials.csv` and pictures into a folder.

        Each file is written completely or not at all.

        Args:
            folder: Path of a folder. It is created if it does not exist.

        Returns:
            List of the paths of the files.

        Raises:
            ImportError: If matplotlib is not installed.
            OSError: If the files cannot be written.
            ValueError: If `folder` is a file.
        """
        from kdropout.tuning.report.pictures import draw_all

        folder = pathlib.Path(folder)
        if folder.exists() and not folder.is_dir():
            raise _validation.value_error("folder", "a folder", str(folder))
        texts = {"report.json": self.to_json(), "report.md": self.to_markdown()}
        folder.mkdir(parents=True, exist_ok=True)
        written = draw_all(self, folder)
        for name, text in texts.items():
            with replacing(folder / name) as temporary:
                temporary.write_text(text, encoding="utf-8")
            written.append(folder / name)
        self.to_csv(folder / TABLE_FILE)
        return [*written, folder / TABLE_FILE]


def _checked_objectives(objectives):
    """The objectives of a report as a tuple of pairs, or raise."""
    expected = "pairs of the name of a metric and 'min' or 'max'"
    if not isinstance(objectives, (list, tuple)) or not all(
        isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in objectives
    ):
        raise _validation.type_error("objectives", expected, objectives)
    pairs = tuple((name, direction) for name, direction in objectives)
    for name, direction in pairs:
        if not isinstance(name, str) or direction not in DIRECTIONS:
            raise _validation.value_error("objectives", expected, objectives)
    return pairs


def _checked_curves(curves):
    """The curves of a report as a dict, which is empty if they are not known."""
    if curves is None:
        return {}
    if not isinstance(curves, dict) or not all(
        isinstance(curve, dict) for curve in curves.values()
    ):
        expected = "a dict from the id of a trial to a dict from epoch to value"
        raise _validation.type_error("curves", expected, curves)
    return dict(curves)


def _read(text):
    """Parse the JSON of a report."""
    if not isinstance(text, str):
        raise _validation.type_error("text", "a string of JSON", text)
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            "'text' must be the JSON of a report, as Report.to_json writes it. "
            f"Received: {text[:60]!r}, which is not JSON: {error}"
        ) from None
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise ValueError(
            "'text' must be the JSON of a report, as Report.to_json of kdropout "
            f"{__version__} writes it, with format={_FORMAT}. Received: "
            f"{text[:60]!r}"
        )
    return content


def _confirmation_to_plain(confirmation):
    """A `Confirmation` as a dict, with its comparisons for readers of the file."""
    if confirmation is None:
        return None
    folds = confirmation.cross_validation
    return {
        "candidates": confirmation.candidates,
        "seeds": list(confirmation.seeds),
        "direction": confirmation.direction,
        "measure": confirmation.measure,
        "scores": _pairs_to_plain(confirmation.scores, "score"),
        "failures": _pairs_to_plain(confirmation.failures, "message"),
        "cross_validation": None if folds is None else dataclasses.asdict(folds),
        "comparisons": [
            dataclasses.asdict(comparison) for comparison in confirmation.comparisons
        ],
    }


def _confirmation_from_plain(plain):
    if plain is None:
        return None
    folds = plain.get("cross_validation")  # kdropout 0.1 had none
    return Confirmation(
        plain["candidates"],
        tuple(plain["seeds"]),
        plain["direction"],
        plain["measure"],
        _pairs_from_plain(plain["scores"], "score"),
        _pairs_from_plain(plain["failures"], "message"),
        None if folds is None else CrossValidation(**folds),
    )


def _limits_from_plain(plain):
    if plain is None:
        return None
    return {name: tuple(pair) for name, pair in plain.items()}


def _dimensions_to_plain(dimensions):
    if dimensions is None:
        return None
    return [dimension.plain() for dimension in dimensions]


def _dimensions_from_plain(plain):
    if plain is None:
        return None
    return [Dimension.from_plain(entry) for entry in plain]


def _importance_to_plain(importance):
    return {
        "features": [
            {
                "name": feature.name,
                "layers": list(feature.layers),
                "mean": feature.mean,
                "std": feature.std,
            }
            for feature in importance.features
        ],
        "r2": importance.r2,
        "num_trials": importance.num_trials,
        "problem": importance.problem,
    }


def _marginal_to_plain(marginal):
    return {
        "name": marginal.name,
        "layers": list(marginal.layers),
        "kind": marginal.kind,
        "levels": list(marginal.levels),
        "grid": list(marginal.grid),
        "mean": list(marginal.mean),
        "spread": list(marginal.spread),
        "tried": list(marginal.tried),
        "scores": list(marginal.scores),
    }


def _importance_from_plain(content, dimensions):
    """The `Importance` in the content of a report, with its marginals."""
    known = {dimension.label: dimension for dimension in dimensions}
    marginals = [_marginal_from_plain(entry, known) for entry in content["marginals"]]
    moved = {marginal.name: marginal.dimension for marginal in marginals}
    plain = content["importance"]
    features = [
        FeatureImportance(moved[entry["name"]], entry["mean"], entry["std"])
        for entry in plain["features"]
    ]
    return Importance(
        tuple(features),
        plain["r2"],
        plain["num_trials"],
        plain["problem"],
        tuple(marginals),
    )


def _marginal_from_plain(plain, known):
    dimension = known.get(plain["name"])
    if dimension is None:  # kdropout 0.1 grouped layers with almost equal rates
        dimension = Dimension(
            name=plain["name"],
            layers=tuple(plain["layers"]),
            kind=plain["kind"],
            low=min(plain["grid"]),
            high=max(plain["grid"]),
        )
    return Marginal(
        dataclasses.replace(dimension, levels=tuple(plain["levels"])),
        grid=tuple(plain["grid"]),
        mean=tuple(plain["mean"]),
        spread=tuple(plain["spread"]),
        tried=tuple(plain["tried"]),
        scores=tuple(plain["scores"]),
    )


def _pairs_to_plain(by_pair, name):
    return [
        {"label": label, "seed": seed, name: value}
        for (label, seed), value in by_pair.items()
    ]


def _pairs_from_plain(plain, name):
    return {(entry["label"], entry["seed"]): entry[name] for entry in plain}
