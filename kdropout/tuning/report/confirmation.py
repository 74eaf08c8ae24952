"""Training the best settings of a search again, on new seeds, to see if they help."""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence

import numpy as np

from kdropout import _statistics, _validation
from kdropout._statistics import Interval
from kdropout.tuning.report.importance import (
    UNIFORM_STEP,
    Importance,
    measure_importance,
)
from kdropout.tuning.report.records import (
    DIRECTIONS,
    SCHEDULE,
    TrialRecord,
    completed,
    is_schedule,
    ranked,
)

# From layer to rate, or from hyperparameter to value. Other hyperparameters, such as
# the learning rate, are always there.
Setting = dict[str, float | int | str | bool]
# From (label, seed) to score.
Scores = dict[tuple[str, int], float]

BASELINE = "no dropout"
SEARCH = "search "
UNIFORM = "uniform "

# At 95 %, a search in which the rates cannot matter would claim a difference too often:
# in up to 4 of 10 such searches.
CONFIDENCE = 0.99

# The probability that the proposed number of seeds decides a comparison.
_POWER = 0.8
# With fewer gains, their spread is too uncertain to compute a number of seeds.
FEWEST_SEEDS = 5
MOST_SEEDS = 1_000

# Differences between seeds smaller than this, relative to the scores, are rounding.
ROUNDING = 1e-9


# Candidates: the settings that are worth training again.


def choose_candidates(
    trials: Sequence[TrialRecord],
    direction: str,
    top: int = 3,
    uniform: float | None = None,
    use_values: bool = False,
    seed: int = 0,
    importance: Importance | None = None,
) -> dict[str, Setting]:
    """Choose the settings to confirm: no dropout, one rate everywhere, the best found.

    The uniform rate is the one for which a random forest, trained on the trials,
    expects the best score. If the forest explains too little, it is the mean rate of
    the best trial.

    If other hyperparameters were searched, such as the learning rate, each setting has
    values of these. A setting of the search has those of its trial. No dropout and the
    uniform rate have those of the trial for which the forest expects the best score
    with their rate, or those of the best trial if the forest explains too little.

    Args:
        trials: Sequence of `TrialRecord`, such as `Report.trials`.
        direction: "min" or "max": the direction in which scores are better.
        top: Integer, number of settings of the search. Equal settings count once, and
            settings without dropout do not count. Defaults to 3.
        uniform: Number in (0, 1], the uniform rate, or None to choose it as above.
            Defaults to None.
        use_values: Bool. If True, a setting of the search holds the values of its
            hyperparameters instead of its rates. Use it for a search over schedules,
            which their final rates do not fully describe. Defaults to False.
        seed: Integer, seed of the forest. Defaults to 0.
        importance: `Importance` of these trials, if it was measured before. None to
            train a forest here. Defaults to None.

    Returns:
        Dict from label to setting, for `confirm`: "no dropout", then "uniform 0.3",
        then "search 1", "search 2" and so on, best first. If the search used a single
        rate for all layers, there is no "uniform" setting, because all are uniform.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range.

    Example:

    >>> from kdropout.tuning.report import TrialRecord, choose_candidates
    >>> trials = [TrialRecord(str(r), {"rate/*": r}, {"a": r}, r) for r in (0.2, 0.1)]
    >>> choose_candidates(trials, "min")
    {'no dropout': {'a': 0.0}, 'search 1': {'a': 0.1}, 'search 2': {'a': 0.2}}
    """
    _validation.choice("direction", direction, DIRECTIONS)
    top = _validation.integer("top", top, low=1)
    best = ranked(trials, direction)
    paths = list(best[0].rates)
    _check_names(best[0])
    is_one_rate = all(len({*trial.rates.values()}) < 2 for trial in best)
    if importance is None and uniform is None and not is_one_rate:
        importance = measure_importance(trials, seed=seed)

    def everywhere(rate):
        others = _other_values(rate, trials, direction, importance)
        return {**dict.fromkeys(paths, rate), **others}

    chosen: dict[str, Setting] = {BASELINE: everywhere(0.0)}
    if uniform is not None:
        uniform = _validation.number("uniform", uniform, 0.0, 1.0, open_low=True)
    elif not is_one_rate:
        scores = {} if importance is None else importance.uniform
        uniform = best_uniform_rate(trials, direction, scores)
    if uniform:
        chosen[f"{UNIFORM}{uniform:g}"] = everywhere(uniform)
    settings = []
    for trial in best:
        setting = {**(trial.values if use_values else trial.rates)}
        setting |= trial.other_values
        if _has_dropout(trial) and setting not in settings:
            settings.append(setting)
    for number, setting in enumerate(settings[:top], 1):
        chosen[f"{SEARCH}{number}"] = setting
    return chosen


def trial_of(setting, trials, direction):
    """Return the best trial with this setting, or None if there is none."""
    for trial in ranked(trials, direction):
        is_constant = not is_schedule(trial)
        others = trial.other_values
        if setting == {**trial.values, **others}:
            return trial
        if is_constant and setting == {**trial.rates, **others}:
            return trial
    return None


def _has_dropout(trial):
    """True if a trial had dropout, which includes a schedule that ends at 0."""
    if any(trial.rates.values()):
        return True
    return any(
        value
        for name, value in trial.values.items()
        if name.rpartition("/")[2] in SCHEDULE
    )


def best_uniform_rate(trials, direction, scores):
    """Estimate the best rate for all layers at once.

    `scores` is the dict that `uniform_scores` returns. If it is empty, the estimate is
    the mean rate of the best trial.
    """
    if not scores:
        best = ranked(trials, direction)[0]
        return _rounded(np.mean(list(best.rates.values())))
    # A forest predicts in steps, so take the middle of the rates on the best step.
    choose = min if direction == "min" else max
    best_score = choose(scores.values())
    return _rounded(
        np.mean([rate for rate, score in scores.items() if score == best_score])
    )


def _check_names(trial):
    """Raise if a name is that of a layer and of another hyperparameter."""
    both = sorted({*trial.rates} & {*trial.other_values})
    if both:
        raise _validation.argument_error(
            ValueError,
            "trials",
            "must not have a hyperparameter with the name of a dropout layer. "
            f"Received: '{both[0]}'. Rename the layer or the hyperparameter.",
        )


def _other_values(rate, trials, direction, importance):
    """The values of the other hyperparameters for a setting with one rate."""
    by_rate = {} if importance is None else importance.with_others
    if not by_rate:
        return dict(ranked(trials, direction)[0].other_values)
    nearest = min(by_rate, key=lambda tried: abs(tried - rate))
    choose = np.argmin if direction == "min" else np.argmax
    best = completed(trials)[int(choose(by_rate[nearest]))]
    return dict(best.other_values)


def _rounded(rate):
    """Round a rate to the grid, unless it is smaller than the first step."""
    if rate < UNIFORM_STEP:
        return float(f"{rate:.2g}")
    return float(min(0.95, round(UNIFORM_STEP * round(rate / UNIFORM_STEP), 2)))


# Training them again.


def confirm(
    candidates: dict[str, Setting],
    train: Callable[[Setting, int], float],
    seeds: Sequence[int],
    direction: str,
    measure: str = "score",
    progress: Callable[[int, int, str, int, float | None], None] | None = None,
    save: Callable[[Scores], None] | None = None,
    partial: Scores | None = None,
    cross_validation: "CrossValidation | None" = None,
) -> "Confirmation":
    """Train every candidate with every seed.

    All candidates are trained with one seed before the next seed begins, so the scores
    can be compared even after an interruption. If a training raises an exception, the
    exception is recorded and the other trainings continue.

    Args:
        candidates: Dict from label to setting, as `choose_candidates` returns it. A
            setting is a dict that is passed to `train` unchanged. The label
            "no dropout" is required.
        train: Function `train(setting, seed) -> score` that builds a new model, trains
            it and returns a float. The seed must determine everything random.
        seeds: Sequence of at least 2 different integers, none used in the search.
        direction: "min" or "max": the direction in which scores are better.
        measure: String, name of the score. Defaults to "score".
        progress: Function `progress(done, total, label, seed, score)`, called after
            each training. The score is None if the training failed. Defaults to None.
        save: Function `save(scores)`, called after each successful training with a
            dict from (label, seed) to score. Defaults to None.
        partial: The last dict that an earlier call with the same candidates passed to
            `save`. Its trainings are not repeated. Defaults to None.
        cross_validation: `CrossValidation` if each seed is a fold of a
            cross-validation, whose rows give the score. None for independent seeds.
            Defaults to None.

    Returns:
        `Confirmation`.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range, or "no dropout" is missing.

    Example:

    >>> from kdropout.tuning.report import confirm
    >>> candidates = {"no dropout": {"drop": 0.0}, "search 1": {"drop": 0.4}}
    >>> found = confirm(
    ...     candidates, lambda rates, seed: rates["drop"] + 0.1 * seed, [7, 8], "max"
    ... )
    >>> found.scores["search 1", 7]
    1.1
    """
    candidates = _checked_candidates(candidates)
    seeds = _checked_seeds(seeds)
    _validation.choice("direction", direction, DIRECTIONS)
    for name, function in (("train", train), ("progress", progress), ("save", save)):
        if not callable(function) and (name == "train" or function is not None):
            raise _validation.type_error(name, "a function", function)
    if not isinstance(measure, str):
        raise _validation.type_error("measure", "a string", measure)
    earlier = {} if partial is None else partial
    pairs = [(label, seed) for seed in seeds for label in candidates]
    scores = {pair: earlier[pair] for pair in pairs if pair in earlier}
    failures = {}
    for done, (label, seed) in enumerate(pairs, 1):
        if (label, seed) in scores:
            continue
        try:
            scores[label, seed] = _score(train(dict(candidates[label]), seed))
        except Exception as error:  # whatever a user's training raises
            failures[label, seed] = f"{type(error).__name__}: {error}"
        else:
            if save:
                save(dict(scores))
        if progress:
            progress(done, len(pairs), label, seed, scores.get((label, seed)))
    return Confirmation(
        candidates,
        tuple(seeds),
        direction,
        measure,
        scores,
        failures,
        cross_validation,
    )


def _checked_candidates(candidates):
    """Return a copy of the candidates, or raise."""
    if not isinstance(candidates, dict) or not all(
        isinstance(label, str) and isinstance(setting, dict)
        for label, setting in candidates.items()
    ):
        expected = "a dict from labels to dicts of rates"
        raise _validation.type_error("candidates", expected, candidates)
    if BASELINE not in candidates or len(candidates) < 2:
        expected = f"a dict with '{BASELINE}' and at least one other label"
        raise _validation.value_error("candidates", expected, list(candidates))
    return {label: dict(setting) for label, setting in candidates.items()}


def _checked_seeds(seeds):
    """Return the seeds as a tuple of at least 2 different integers, or raise."""
    if not isinstance(seeds, (list, tuple, range)):
        expected = "a sequence of integers, such as range(100, 105)"
        raise _validation.type_error("seeds", expected, seeds)
    seeds = tuple(_validation.integer("seeds", seed) for seed in seeds)
    if len(seeds) < 2 or len(set(seeds)) < len(seeds):
        expected = "at least 2 different integers, because an interval needs two scores"
        raise _validation.value_error("seeds", expected, seeds)
    return seeds


def _score(value):
    if isinstance(value, (bool, str)) or value is None:
        raise TypeError(f"'train' must return a number. Received: {value!r}")
    score = float(value)
    if not math.isfinite(score):
        raise ValueError(f"'train' must return a finite number. Received: {score}")
    return score


# Comparing them, seed by seed.


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The gain of one setting over another, paired by seed.

    Args:
        label: String, the setting.
        reference: String, the setting that it is compared with.
        gains: Tuple of floats, one per seed that both have finished: the difference of
            the scores, positive where the setting is better.
        gain: `kdropout._statistics.Interval` for the mean of the gains. It is widened
            so that it holds together with those of all other comparisons. None with
            fewer than two seeds.
        verdict: "better", "worse" or "undecided".
    """

    label: str
    reference: str
    gains: tuple[float, ...]
    gain: Interval | None
    verdict: str


@dataclasses.dataclass(frozen=True)
class Recommendation:
    """The recommended setting, and the two it was chosen from besides no dropout.

    The simpler setting is recommended unless the new seeds show that the more complex
    one is better. No dropout is simpler than one rate everywhere, and one rate
    everywhere is simpler than a rate for each layer.

    Args:
        label: String, the recommended setting, or None if no training succeeded.
        found: String, the best setting of the search, or None if none was trained.
        uniform: String, the best setting with one rate everywhere, or None.
    """

    label: str | None
    found: str | None
    uniform: str | None


@dataclasses.dataclass(frozen=True)
class CrossValidation:
    """The folds of a confirmation in which each seed is one fold.

    Args:
        folds: Integer of at least 2, the number of folds of a partition of the rows.
        ratio: Float above 0, the number of rows for validation divided by that for
            training. It is 1 / (folds - 1) if the folds have the same size.
    """

    folds: int
    ratio: float


@dataclasses.dataclass(frozen=True)
class Confirmation:
    """Scores of settings that were trained again, all with the same new seeds.

    A search selects the settings with the best scores, and part of a best score is
    luck. The seeds here are new, so these scores do not contain the luck of the search
    and their intervals are unbiased.

    Each setting is compared with no dropout, and each setting of the search with each
    uniform rate. Differences are paired by seed. Their intervals are Student's t,
    widened by Bonferroni's rule so that all hold together with 99 %:

        mean +- t(1 - 0.01 / (2 m); n - 1) * s / sqrt(n)

    with `m` comparisons, `n` seeds and `s` the standard deviation of the differences.
    The best setting can therefore be picked after looking at the scores: a difference
    is claimed by chance in at most 1 % of the searches.

    With `cross_validation`, the differences are paired by fold. The trainings of the
    folds share rows, so `1 / sqrt(n)` becomes `sqrt(1 / n + ratio)`. The interval is
    then about other rows, and not only about other seeds.

    Args:
        candidates: Dict from label to setting, as for `confirm`.
        seeds: Tuple of integers.
        direction: "min" or "max": the direction in which scores are better.
        measure: String, name of the score.
        scores: Dict from (label, seed) to score.
        failures: Dict from (label, seed) to an error message.
        cross_validation: `CrossValidation` if each seed is a fold, or None. Defaults to
            None.

    Reference:
        Dunn (1961), Multiple comparisons among means, JASA 56.
        [Nadeau and Bengio, 2003: Inference for the generalization
        error](https://doi.org/10.1023/A:1024068626366).
    """

    candidates: dict[str, Setting]
    seeds: tuple[int, ...]
    direction: str
    measure: str
    scores: Scores
    failures: dict[tuple[str, int], str] = dataclasses.field(default_factory=dict)
    cross_validation: CrossValidation | None = None

    @functools.cached_property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Tuple of `Comparison`: against no dropout, then against uniform rates."""
        return tuple(self._compare(*pair) for pair in self._pairs())

    @property
    def confidence(self) -> float:
        """Float in (0, 1), the confidence of the interval of each comparison."""
        return _statistics.for_all_of(max(1, len(self._pairs())), CONFIDENCE)

    @functools.cached_property
    def recommendation(self) -> Recommendation:
        """The `Recommendation` that follows from the comparisons."""
        uniform = self._best(self.uniform, [BASELINE])
        references = [BASELINE] if uniform is None else [BASELINE, uniform]
        # Settings that a user labelled otherwise stand in for those of the search.
        known = {BASELINE, *self.uniform}
        others = [label for label in self.candidates if label not in known]
        found = self._best(self.search or others, references)
        return Recommendation(self._choose(found, uniform), found, uniform)

    def __repr__(self) -> str:
        return (
            f"<Confirmation of {len(self.candidates)} settings with {self.repetitions} "
            f"new {self.repetitions_text}: {self.measure}>"
        )

    @property
    def has_claim(self) -> bool:
        """True if an interval shows a difference between the best settings."""
        best = {self.recommendation.found, self.recommendation.uniform}
        return any(
            comparison.label in best
            and comparison.reference in {BASELINE, *best}
            and comparison.verdict != "undecided"
            for comparison in self.comparisons
        )

    @property
    def search(self) -> tuple[str, ...]:
        """Labels of the settings that the search found, best first."""
        return tuple(label for label in self.candidates if label.startswith(SEARCH))

    @property
    def uniform(self) -> tuple[str, ...]:
        """Labels of the settings with one rate everywhere."""
        return tuple(label for label in self.candidates if label.startswith(UNIFORM))

    @property
    def ratio(self) -> float:
        """Float, the rows for validation divided by those for training, or 0."""
        return 0.0 if self.cross_validation is None else self.cross_validation.ratio

    @property
    def unit(self) -> str:
        """The unit by which scores are paired: "seed" or "fold"."""
        return "seed" if self.cross_validation is None else "fold"

    @property
    def repetitions(self) -> int:
        """The number of seeds, or of partitions of the rows into folds."""
        folds = 1 if self.cross_validation is None else self.cross_validation.folds
        return len(self.seeds) // folds

    @property
    def repetitions_text(self) -> str:
        """The unit of `repetitions`: "seeds", or "partitions into 5 folds"."""
        if self.cross_validation is None:
            return "seeds"
        return f"partitions into {self.cross_validation.folds} folds"

    def scores_of(self, label: str) -> dict[int, float]:
        """Return a dict from seed to score, of the trainings that succeeded."""
        return {
            seed: self.scores[label, seed]
            for seed in self.seeds
            if (label, seed) in self.scores
        }

    def comparison(self, label: str | None, reference: str | None) -> Comparison | None:
        """Return the `Comparison` of two settings, or None if there is none."""
        return self._by_pair.get((label, reference))

    def shown(self, label: str | None, reference: str | None) -> str:
        """Return the verdict of a comparison: "better", "worse" or "undecided"."""
        comparison = self.comparison(label, reference)
        return comparison.verdict if comparison else "undecided"

    def best_of(self, labels: Sequence[str]) -> str | None:
        """Return the label with the best mean score, or None if none has a score.

        A setting with a failed training ranks behind those without. Means are over the
        seeds that all compared settings have finished.
        """
        finished = {label: self.scores_of(label) for label in labels}
        most = max(map(len, finished.values()), default=0)
        if not most:
            return None
        compared = {
            label: scores for label, scores in finished.items() if len(scores) == most
        }
        shared = set.intersection(*(set(scores) for scores in compared.values()))
        sign = 1.0 if self.direction == "min" else -1.0

        def loss(label):
            scores = compared[label]
            return sign * np.mean([scores[seed] for seed in sorted(shared or scores)])

        return min(compared, key=loss)

    def seeds_to_decide(self, comparison: Comparison) -> int | None:
        """Estimate the number of repetitions that would decide a comparison.

        With this number of seeds, or of partitions into folds, the interval excludes 0
        in four of five confirmations, if the gains keep the mean and the standard
        deviation that they have here.

        Args:
            comparison: `Comparison` of this confirmation.

        Returns:
            Integer above `repetitions`. None if it cannot be estimated or exceeds
            `MOST_SEEDS`.
        """
        gains = np.array(comparison.gains)
        if len(gains) < FEWEST_SEEDS:
            return None
        if np.ptp(gains) <= ROUNDING * np.abs(gains).max():
            return None
        effect = abs(gains.mean()) / gains.std(ddof=1)
        number = _seeds_for(effect, self.confidence, len(gains) + 1, self.ratio)
        if number is None or self.cross_validation is None:
            return number
        return math.ceil(number / self.cross_validation.folds)

    @functools.cached_property
    def _by_pair(self):
        return {
            (comparison.label, comparison.reference): comparison
            for comparison in self.comparisons
        }

    def _pairs(self):
        others = [label for label in self.candidates if label != BASELINE]
        against_none = [(label, BASELINE) for label in others]
        against_uniform = [
            (label, uniform) for label in self.search for uniform in self.uniform
        ]
        return against_none + against_uniform

    def _compare(self, label, reference):
        scores, references = self.scores_of(label), self.scores_of(reference)
        seeds = [seed for seed in scores if seed in references]
        values = np.array([scores[seed] for seed in seeds])
        others = np.array([references[seed] for seed in seeds])
        sign = -1.0 if self.direction == "min" else 1.0
        # Adding 0.0 turns -0.0 into 0.0, because a gain of -0 reads as a loss.
        gains = sign * (values - others) + 0.0
        plain = tuple(gains.tolist())
        if len(seeds) < 2:
            return Comparison(label, reference, plain, None, "undecided")
        gain = _statistics.interval(gains, self.confidence, self.ratio)
        verdict = "undecided"
        # Scores can be coarse, such as the share of 100 images. If all seeds differ by
        # the same amount, the spread between seeds is unknown and not 0, and the
        # interval is unknown as well.
        if np.ptp(gains) > ROUNDING * max(np.abs(values).max(), np.abs(others).max()):
            loss = Interval(-gain.mean, gain.half_width)
            verdict = loss.verdict
        return Comparison(label, reference, plain, gain, verdict)

    def _best(self, labels, references):
        """The best label among those shown to be better than the most references.

        All intervals hold together, so a label can be picked after looking at them.
        """
        for count in range(len(references), -1, -1):
            better = [
                label
                for label in labels
                if all(
                    self.shown(label, reference) == "better"
                    for reference in references[:count]
                )
            ]
            best = self.best_of(better)
            if best is not None:
                return best
        return None

    def _choose(self, found, uniform):
        """The simplest setting, unless a more complex one is shown to be better."""
        if not self.scores_of(BASELINE):
            if found is None or uniform is None:
                return found or uniform
            return found if self.shown(found, uniform) == "better" else uniform
        found_helps = self.shown(found, BASELINE) == "better"
        uniform_helps = self.shown(uniform, BASELINE) == "better"
        if not found_helps:
            return uniform if uniform_helps else BASELINE
        against = self.shown(found, uniform)
        if against == "worse" or (against == "undecided" and uniform_helps):
            return uniform
        return found


def seeds_to_see(effect: float, labels: Sequence[str]) -> int | None:
    """Return the number of seeds that shows an effect in four of five confirmations.

    Args:
        effect: Float above 0, the mean of the paired differences, divided by their
            standard deviation between seeds.
        labels: Labels of the settings to confirm, as `choose_candidates` returns them.
            They decide the number of comparisons, and so the confidence of each.

    Returns:
        Integer of at least 2, or None if it exceeds `MOST_SEEDS`.

    Example:

    >>> from kdropout.tuning.report.confirmation import seeds_to_see
    >>> seeds_to_see(1.0, ["no dropout", "uniform 0.3", "search 1"])
    19
    """
    return _seeds_for(effect, _planned(labels).confidence, 2)


def visible_effect(
    labels: Sequence[str], folds: int, cross_validation: CrossValidation
) -> float:
    """Return the effect that four of five confirmations by cross-validation show.

    Args:
        labels: Labels of the settings to confirm, as `choose_candidates` returns them.
        folds: Integer of at least 2, the number of folds over all partitions.
        cross_validation: `CrossValidation`.

    Returns:
        Float, the mean of the paired differences, divided by their standard deviation
        between folds.

    Example:

    >>> from kdropout.tuning.report.confirmation import CrossValidation, visible_effect
    >>> labels = ["no dropout", "uniform 0.3", "search 1"]
    >>> round(visible_effect(labels, 50, CrossValidation(folds=5, ratio=0.25)), 2)
    2.04
    """
    confidence, counts = _planned(labels).confidence, np.array([folds])
    return float(_effects(counts, confidence, cross_validation.ratio)[0])


def _planned(labels):
    """The `Confirmation` of these settings before any training."""
    candidates: dict[str, Setting] = {label: {} for label in labels}
    return Confirmation(candidates, (), "min", "score", {})


def _seeds_for(effect, confidence, fewest, ratio=0.0):
    """The smallest number of seeds whose interval excludes 0 with the power `_POWER`.

    None if it is above `MOST_SEEDS`, or if no number is enough, as with folds.
    """
    counts = np.arange(fewest, MOST_SEEDS + 1)
    enough = counts[_effects(counts, confidence, ratio) <= effect]
    return int(enough[0]) if len(enough) else None


def _effects(counts, confidence, ratio):
    """The effects that numbers of seeds show with the power `_POWER`.

    (t(1 - alpha / 2; n - 1) + t(power; n - 1)) * sqrt(1 / n + ratio)
    """
    from scipy import stats

    quantiles = stats.t.ppf(0.5 + confidence / 2.0, df=counts - 1)
    quantiles += stats.t.ppf(_POWER, df=counts - 1)
    return quantiles * np.sqrt(1.0 / counts + ratio)


# Scores as plain data.


def scores_to_plain(candidates: dict, scores: dict) -> list[dict]:
    """Convert scores and their settings to a list of dicts that JSON can store."""
    return [
        {"label": label, "setting": candidates[label], "seed": seed, "score": score}
        for (label, seed), score in scores.items()
    ]


def scores_from_plain(candidates: dict, plain: list[dict]) -> dict:
    """Convert the list of `scores_to_plain` back, for the settings in `candidates`.

    Settings are matched by value and not by label: after more trials, "search 1" may
    have become "search 2", or may be missing.
    """
    return {
        (label, score["seed"]): score["score"]
        for score in plain
        for label, setting in candidates.items()
        if setting == score["setting"]
    }
