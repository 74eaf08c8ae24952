"""The answer of a search: which rates, which layers, and is it really better?"""

import pathlib

from kdropout import validation
from kdropout.files import replacing
from kdropout.tuning.report import report_json
from kdropout.tuning.report.answer import answer
from kdropout.tuning.report.candidates import trial_of
from kdropout.tuning.report.confirmation import Confirmation
from kdropout.tuning.report.forest import TREES, Forest, why_no_forest
from kdropout.tuning.report.importance import measure_importance
from kdropout.tuning.report.marginal import measure_marginals
from kdropout.tuning.report.recommendation import recommended
from kdropout.tuning.report.trial_record import check_rates
from kdropout.tuning.report.trials import (
    check_direction,
    check_limits,
    check_trials,
    ranked,
)


class Report:
    """Which dropout rates are best, which layers matter, and is it really better?

    The search itself cannot say whether its rates help: its best score is also its
    luckiest. That is what `confirmation` is for, trained with new seeds; without it the
    verdict claims nothing.

    Args:
        trials: Sequence of `TrialRecord`, in the order of the search. Failed ones are
            counted and listed, never used.
        objective: String, name of the score.
        direction: "min" or "max", what a better score is.
        baseline: Dict from layer path to the rate that the model had before the search,
            or None. Defaults to None.
        confirmation: `Confirmation`, or None. Defaults to None.
        seed: Integer, seed of the random forest. Defaults to 0.
        trees: Integer, number of its trees. Defaults to 200.
        limits: Dict from hyperparameter to the lowest and the highest value that the
            space allows, so that a best rate at a limit is reported. None if the space
            is not known. Defaults to None.
        task: String, what the model was trained for: task, classes and loss, or None.
            Defaults to None.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If no trial is completed, or an argument is out of range.

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
        trials,
        objective,
        direction,
        baseline=None,
        confirmation=None,
        seed=0,
        trees=TREES,
        limits=None,
        task=None,
    ):
        self.trials = check_trials(trials)
        if not isinstance(objective, str):
            raise TypeError(validation.received("objective", "a string", objective))
        self.objective = objective
        self.direction = check_direction(direction)
        self.baseline = None if baseline is None else check_rates("baseline", baseline)
        if not isinstance(confirmation, Confirmation | None):
            expected = "what kdropout.tuning.report.confirm returned, or None"
            raise TypeError(validation.received("confirmation", expected, confirmation))
        self.confirmation = confirmation
        self.seed = validation.integer("seed", seed)
        self.trees = validation.integer("trees", trees, low=2)
        self.limits = check_limits(limits)
        if not isinstance(task, str | None):
            raise TypeError(validation.received("task", "a string or None", task))
        self.task = task
        self._importance = None
        self._marginals = None

    @property
    def best_trial(self):
        """The `TrialRecord` with the best score of the search, by merit or by luck."""
        return ranked(self.trials, self.direction)[0]

    @property
    def recommended(self):
        """Label of the confirmed setting that `best_rates` are of, or None."""
        return recommended(self.confirmation) if self.confirmation else None

    @property
    def _trial_to_use(self):
        """The `TrialRecord` that `best_rates` are of, or None if they are of none."""
        if self.recommended is None:
            return self.best_trial
        setting = self.confirmation.candidates[self.recommended]
        return trial_of(setting, self.trials, self.direction)

    @property
    def best_rates(self):
        """The rates to use: dict from layer path to rate, for `kdropout.set_rates`.

        With a confirmation, those of the simplest setting that nothing is shown to be
        better than: no dropout, unless the rates found or one rate everywhere are shown
        to be better; then one rate everywhere, unless the rates found are shown to be
        better than it. Without a confirmation, those of `best_trial`, which nothing
        confirms. For a schedule, its end.
        """
        trial = self._trial_to_use
        if trial is None:
            return dict(self.confirmation.candidates[self.recommended])
        return dict(trial.rates)

    @property
    def best_values(self):
        """Dict from hyperparameter to value, of the trial that `best_rates` are of.

        Empty where `best_rates` are of no trial, such as one rate everywhere.
        """
        trial = self._trial_to_use
        return {} if trial is None else dict(trial.values)

    @property
    def importance(self):
        """`Importance` of each layer, with whether it may be believed."""
        self._measure()
        return self._importance

    @property
    def marginals(self):
        """Tuple of `Marginal`, one per layer or group, in the order of the model."""
        self._measure()
        return self._marginals

    @property
    def verdict(self):
        """In words, whether the rates found are better. Claims only what is shown."""
        return self.answer.verdict

    @property
    def answer(self):
        """What the terminal, `report.md` and the page begin with, as four strings.

        `verdict`, `advice` (which rates follow from it), `code` (the line that sets
        them) and `next_step`.
        """
        return answer(self)

    def to_markdown(self):
        """The report as Markdown."""
        from kdropout.tuning.report.markdown import render

        return render(self)

    def to_json(self):
        """The report as JSON, from which `from_json` makes an equal one."""
        return report_json.dumps(self)

    @classmethod
    def from_json(cls, text):
        """The report that `to_json` wrote.

        Raises:
            TypeError: If `text` is no string.
            ValueError: If it is no report.
        """
        return report_json.loads(text, cls)

    def plot(self, path):
        """Draw the report into one PNG file.

        Raises:
            ImportError: If matplotlib is not installed.
            OSError: If the file cannot be written.
        """
        from kdropout.tuning.report.pictures import draw_overview

        draw_overview(self, pathlib.Path(path))

    def save(self, folder):
        """Write `report.md`, `report.json` and pictures, each whole or not at all.

        Args:
            folder: Path of a folder, made if it is not there.

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
            raise ValueError(validation.received("folder", "a folder", str(folder)))
        texts = {"report.json": self.to_json(), "report.md": self.to_markdown()}
        folder.mkdir(parents=True, exist_ok=True)
        written = draw_all(self, folder)
        for name, text in texts.items():
            with replacing(folder / name) as temporary:
                temporary.write_text(text, encoding="utf-8")
            written.append(folder / name)
        return written

    def _measure(self):
        if self._importance is None:
            forest = None
            if why_no_forest(self.trials) is None:
                forest = Forest(self.trials, self.seed, self.trees)
            self._importance = measure_importance(self.trials, forest, self.seed)
            self._marginals = measure_marginals(forest)
