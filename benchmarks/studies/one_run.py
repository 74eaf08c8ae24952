"""Is one training enough to find the rate?

Sixteen cases, which may not be dropped (`cases`), and ten seeds that no choice has
seen: the rule, its settings and those of all others were fixed before.
"""

import dataclasses
import tempfile

import keras
import numpy as np

import kdropout
from benchmarks.studies import cases, figures, findings, methods
from kdropout import _statistics, callbacks, layers, tuning
from kdropout.tuning.model_pool import ModelPool

NAME = "one_run"
SEEDS, FIRST_SEED = 10, 100
LEARNING_RATE = 1e-3
LAST = 3  # epochs whose validation loss is averaged, to choose a constant rate by it
RATES = tuple(round(0.1 * tenths, 1) for tenths in range(9))
CONSTANT = tuple(map(methods.constant, RATES))
AUTO, HALVING, SEARCH = "AutoRate", "late halving", "search per layer"
COMPARED = (AUTO, HALVING, "controller 0.4", "learned")
# The same rule from other rates, and with half and twice its gain.
FROM_LOW = "AutoRate from 0.1"
VARIED = {
    FROM_LOW: {"start": 0.1},
    "AutoRate from 0.5": {"start": 0.5},
    "AutoRate, gain 0.75": {"gain": 0.75},
    "AutoRate, gain 3": {"gain": 3.0},
}
BY_VALIDATION = "best of nine by validation"
# The start of 0.1 for regressions was chosen after the seeds 100 to 102. So other
# seeds, which no choice has seen, judge it.
LATER_SEEDS = range(110, 120)
SEARCHED = ("digits, 40 epochs", "MNIST, wrong", "MNIST, inputs, wrong", "concrete")
SEARCH_SEEDS, TRIALS = 5, 50
# The compiled models of a process: for all seeds and methods of a case, one. A search
# has a pool that ends with it; here each training is a search.
_POOL = ModelPool()


@dataclasses.dataclass(frozen=True)
class Run:
    """A training, or the trainings of a search.

    Args:
        case: A name in `cases.CASES`.
        method: The way to decide the rates: see `methods`, and `COMPARED`.
        seed: Integer, decides data, weights, order and masks.
    """

    case: str
    method: str
    seed: int


def jobs(seeds):
    """All of a seed before the next one, then the searches and the later seeds."""
    runs = [
        Run(case, method, FIRST_SEED + seed)
        for seed in range(seeds)
        for case in cases.CASES
        for method in (*CONSTANT, *COMPARED, *VARIED)
    ]
    searches = [
        Run(case, SEARCH, FIRST_SEED + seed)
        for seed in range(min(seeds, SEARCH_SEEDS))
        for case in SEARCHED
    ]
    later = [
        Run(name, method, seed)
        for seed in LATER_SEEDS
        for name, case in cases.CASES.items()
        if case.is_regression
        for method in (*CONSTANT, AUTO, FROM_LOW)
    ]
    return [*runs, *searches, *later]


def run(job, data_dir):
    """A dict of what came out of a training, at its end and at its best epoch."""
    case = cases.CASES[job.case]
    train, validation, test = cases.split(case, job.seed, data_dir)
    with tempfile.TemporaryDirectory() as folder:
        search = _make_search(job, case, len(train[0]), folder)
        search._pool = _POOL
        search.endings = {}
        search.test = test
        search.search(
            *train,
            validation_data=validation,
            epochs=case.epochs,
            batch_size=cases.BATCH_SIZE,
            validation_batch_size=cases.VALIDATION,
            callbacks=_make_callbacks(job, train),
            verbose=0,
        )
        trial = search.oracle.get_best_trials(1)[0]
        last = search.endings[trial.trial_id]
        best = _error(search.load_model(trial), case, test)
    return {**last, "best_epoch_error": best, "trainings": _cost(job.method)}


class _Recorded:
    """Measures each model in its last state."""

    def end_training(self, trial, model, execution):
        super().end_training(trial, model, execution)
        history = model.history.history
        case = cases.CASES[self.project_name]
        rates = [v[-1] for name, v in history.items() if name.startswith("rate/")]
        self.endings[trial.trial_id] = {
            "test_error": _error(model, case, self.test),
            "val_loss": round(float(np.mean(history["val_loss"][-LAST:])), 5),
            "rates": " ".join(f"{rate:.3f}" for rate in rates),
            "path": _path(history, case.epochs),
        }


class _Search(_Recorded, tuning.RandomSearch):
    pass


class _Halving(_Recorded, tuning.SuccessiveHalving):
    pass


def _make_search(job, case, samples, folder):
    """The search of a method; that of a single training has one trial."""

    def build(hp):
        model = case.network(_dropout(job, samples))
        loss = (
            "mean_squared_error"
            if case.is_regression
            else keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        )
        model.compile(keras.optimizers.Adam(LEARNING_RATE), loss)
        if job.method in (HALVING, SEARCH):
            tuning.tune_rates(hp, model, (0.0, 0.8))
        return model

    settings = {"seed": job.seed, "directory": folder, "project_name": job.case}
    if job.method == HALVING:
        return _Halving(
            build,
            "val_loss",
            max_epochs=case.epochs,
            scored_epoch="best",
            **settings,
        )
    is_search = job.method == SEARCH
    return _Search(
        build,
        "val_loss",
        max_trials=TRIALS if is_search else 1,
        scored_epoch="last" if is_search else "best",
        **settings,
    )


def _dropout(job, samples):
    """Function from the name of a layer to the layer."""
    rate = methods.START
    if job.method in CONSTANT:
        rate = methods.rate_of(job.method)
    elif job.method == "learned":
        rate = kdropout.LearnedRate(rate, regularizer=1.0 / samples)
    elif job.method in VARIED:
        rate = VARIED[job.method].get("start", rate)
    return lambda name: layers.Dropout(rate, name=name)


def _make_callbacks(job, train):
    logger = callbacks.RateLogger()
    if job.method == AUTO:
        return [logger, callbacks.AutoRate()]
    if job.method in VARIED:
        gain = VARIED[job.method].get("gain", 1.5)
        return [logger, callbacks.AutoRate(gain=gain)]
    if job.method.startswith("controller"):
        target = float(job.method.split()[1])
        gap = callbacks.OverfittingGap(train)
        return [gap, logger, callbacks.GapController(target)]
    return [logger]


def _path(history, epochs):
    """The rate of the first layer at about a dozen epochs, if it has moved."""
    rates = [values for name, values in history.items() if name.startswith("rate/")]
    if not rates or len({round(rate, 3) for rate in rates[0]}) == 1:
        return ""
    return " ".join(f"{rate:.2f}" for rate in rates[0][:: epochs // 12])


def _error(model, case, test):
    """Wrong answers in percent, or RMSE in percent of the standard deviation."""
    x, y = test
    outputs = model.predict(x, batch_size=cases.VALIDATION, verbose=0)
    if case.is_regression:
        return round(100.0 * float(np.sqrt(np.mean((outputs[:, 0] - y) ** 2))), 3)
    return round(100.0 * float(np.mean(outputs.argmax(1) != y)), 3)


def _cost(method):
    """Whole trainings that a method takes."""
    several = {
        HALVING: 2.75,
        SEARCH: float(TRIALS),
        BY_VALIDATION: float(len(CONSTANT)),
    }
    return several.get(method, 1.0)


def tables(rows):
    rows, later = _by_purpose(rows)
    columns = (*COMPARED, methods.constant(0.3), methods.constant(0.5), BY_VALIDATION)
    parts = (
        ("", _by_case(rows, columns)),
        (
            "The rule of `AutoRate` from other rates and with other gains:",
            _by_case(rows, (AUTO, *VARIED)),
        ),
        (
            f"A search of {TRIALS} trials with a rate for each layer, on "
            f"{SEARCH_SEEDS} of the seeds, and the differences from its error:",
            _against_search(rows),
        ),
        (
            "The error with the weights of the best epoch, the one with the least "
            "validation loss, and how far the error with the last weights is from it:",
            _endings(
                rows, (methods.constant(0.0), methods.constant(0.5), AUTO, HALVING)
            ),
        ),
        (
            "With the weights of the best epoch, the error beyond that of the best "
            "constant rate with the weights of its best epoch:",
            _by_case(rows, (*COMPARED, methods.constant(0.3)), "best_epoch_error"),
        ),
        (
            "The cost of each method in trainings, and its error beyond the best "
            "constant rate, over the cases:",
            _summary(rows, columns),
        ),
        (
            f"A regression from 0.1, on the seeds {LATER_SEEDS[0]} to "
            f"{LATER_SEEDS[-1]}:",
            _by_case(later, (AUTO, FROM_LOW)),
        ),
    )
    return "\n\n".join(text for part in parts for text in part if text)


def _by_purpose(rows):
    """The rows of the study, and those of the later seeds."""
    return (
        [row for row in rows if row["seed"] not in LATER_SEEDS],
        [row for row in rows if row["seed"] in LATER_SEEDS],
    )


def errors(rows, case, method, name="test_error"):
    """Array of errors, one for each seed."""
    if method != BY_VALIDATION:
        return findings.column(rows, name, case=case, method=method)
    arms = [findings.pick(rows, case=case, method=constant) for constant in CONSTANT]
    chosen = [
        min(ones, key=lambda r: r["val_loss"]) for ones in zip(*arms, strict=True)
    ]
    return np.array([row[name] for row in chosen])


def best_constant(rows, case, name="test_error"):
    """The constant rate with the least mean error, in hindsight."""
    return min(CONSTANT, key=lambda rate: errors(rows, case, rate, name).mean())


def excess(rows, case, method, name="test_error"):
    """The error of a method beyond that of the best constant rate, for each seed.

    In points of error; for a regression, in percent of the error.
    """
    best = errors(rows, case, best_constant(rows, case, name), name)
    beyond = errors(rows, case, method, name) - best
    return 100.0 * beyond / best.mean() if cases.CASES[case].is_regression else beyond


def _by_case(rows, columns, name="test_error"):
    lines = []
    for case in _cases_of(rows):
        best = best_constant(rows, case, name)
        of_best = findings.mean(errors(rows, case, best, name))
        beyond = [_excess_text(excess(rows, case, method, name)) for method in columns]
        lines.append([case, f"{of_best} ({best})", *beyond])
    for kind, is_regression in (("classification", False), ("regression", True)):
        if not _cases_of(rows, is_regression):
            continue
        cells = [_over_cases(rows, method, is_regression, name) for method in columns]
        lines.append([f"**{kind}: mean (worst)**", "", *cells])
    return findings.table(["case", "best constant", *columns], lines)


def _endings(rows, columns):
    lines = []
    for case in _cases_of(rows):
        cells = []
        for method in columns:
            best = errors(rows, case, method, "best_epoch_error")
            last = findings.difference(errors(rows, case, method), best)
            cells += [findings.mean(best), last]
        lines.append([case, *cells])
    names = [text for method in columns for text in (method, "last weights")]
    return findings.table(["case", *names], lines)


def _excess_text(values):
    found = _statistics.interval(values)
    return f"{found.mean:+.2f} +- {found.half_width:.2f}"


def _means(rows, method, is_regression, name="test_error"):
    """The mean excess of each case of a kind."""
    names = _cases_of(rows, is_regression)
    return [excess(rows, case, method, name).mean() for case in names]


def _over_cases(rows, method, is_regression, name="test_error"):
    """The mean excess over the cases of a kind, and that of the worst one."""
    means = _means(rows, method, is_regression, name)
    return f"{np.mean(means):+.2f} ({np.max(means):+.2f})"


def _cases_of(rows, *kinds):
    """The names of the cases that have rows, of one kind or of both."""
    named = {row["case"] for row in rows}
    return [
        name
        for name, case in cases.CASES.items()
        if name in named and case.is_regression in (kinds or (False, True))
    ]


def _against_search(rows):
    lines = []
    for case in SEARCHED:
        searched = errors(rows, case, SEARCH)
        seeds = len(searched)
        differences = [
            findings.difference(errors(rows, case, method)[:seeds], searched, 2)
            for method in (AUTO, HALVING)
        ]
        lines.append([case, findings.mean(searched), *differences])
    return findings.table(["case", "search", AUTO, HALVING], lines)


def _summary(rows, columns):
    lines = []
    for method in columns:
        cells = [_over_cases(rows, method, kind) for kind in (False, True)]
        lines.append([method, f"{_cost(method):g}", *cells])
    header = ["", "trainings", "classification, points: mean (worst)"]
    return findings.table([*header, "regression, %: mean (worst)"], lines)


def draw(rows):
    rows, _ = _by_purpose(rows)
    columns = (*COMPARED, methods.constant(0.3), methods.constant(0.5))
    figure, axes = figures.panels(2, 5.4, 3.0, rows=2)
    for axis, is_regression in zip(axes, (False, True), strict=True):
        axis.set_xscale("symlog", linthresh=10.0 if is_regression else 2.0)
        for place, method in enumerate(columns):
            means = _means(rows, method, is_regression)
            color = figures.COLORS[place]
            axis.plot(means, [place] * len(means), "o", color=color, alpha=0.6)
            axis.plot(np.mean(means), place, "|", color="black", markersize=18)
        axis.axvline(0.0, color="0.6", linewidth=0.8)
        axis.set_yticks(range(len(columns)), columns)
        axis.invert_yaxis()
        figures.finish(
            axis,
            "Regression" if is_regression else "Classification",
            "excess error, %" if is_regression else "excess error, points",
        )
    return figure
