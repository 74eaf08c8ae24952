"""The report as Markdown: first the answer, then tables, then how it was measured."""

from kdropout.tuning.report.candidates import UNIFORM
from kdropout.tuning.report.markdown_confirmation import render_confirmation
from kdropout.tuning.report.markdown_text import (
    MOST_FAILURES,
    code_block,
    escape,
    picture,
    table,
)
from kdropout.tuning.report.measured import how_it_was_measured
from kdropout.tuning.report.scale import scale_of
from kdropout.tuning.report.trials import completed, failed, ranked
from kdropout.tuning.report.verdict import name_of

# More rows than these are left to report.json.
MOST_TRIALS = 10
MOST_FEATURES = 24


def render(report):
    """The whole text of `report.md`."""
    parts = [
        "# The best dropout rates",
        escape(report.verdict),
        _code(report),
        _rates(report),
        _importance(report),
        render_confirmation(report.confirmation),
        _trials(report),
        _failures(report),
        "## How it was measured",
        *how_it_was_measured(report),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _code(report):
    lines = ["import kdropout", "", f"kdropout.set_rates(model, {_dict(report)})"]
    confirmation, label = report.confirmation, report.recommended
    if label is None:
        whose = f"Those of the best trial, {escape(report.best_trial.trial_id)}:"
    elif label in confirmation.search:
        whose = f"To use them, which are those of '{escape(label)}' below:"
    else:
        whose = f"To use {escape(name_of(label))}:"
    parts = [whose, code_block("\n".join(lines))]
    if confirmation and label in confirmation.search:
        uniform = confirmation.best_of(confirmation.uniform)
        compared = uniform and confirmation.comparison(label, uniform)
        if compared and compared.verdict == "undecided":
            rate = uniform.removeprefix(UNIFORM)
            parts += [
                "One rate everywhere is simpler, and not shown to do less:",
                code_block(f"kdropout.set_rates(model, {rate})"),
            ]
    if _searches_schedules(report):
        values = {name: _short(v) for name, v in report.best_values.items()}
        parts += [
            "The search moved schedules, and these are their rates at the end. The "
            "hyperparameters of the setting:",
            code_block(repr(values)),
        ]
    return "\n\n".join(parts)


def _dict(report):
    return repr({path: _short(rate) for path, rate in report.best_rates.items()})


def _short(value):
    """A float without digits that make no difference."""
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _searches_schedules(report):
    return any(one.kind != "rate" for one in report.marginals)


def _rates(report):
    before = report.baseline
    header = ["layer", *(["rate before"] if before else []), "best rate"]
    rows = []
    for path, rate in report.best_rates.items():
        was = [_number(before.get(path))] if before else []
        rows.append([escape(path), *was, _number(rate)])
    return "## The rates\n\n" + table(header, rows)


def _importance(report):
    importance = report.importance
    title = "## Importance of each layer"
    if not importance.features:
        return f"{title}\n\nUnknown: {importance.problem}."
    lines = [title]
    if importance.reliable:
        lines.append(
            "Importance: how much worse the scores are explained if the rate of the "
            f"layer is shuffled among the trials (R2 = {importance.r2:.2f} without)."
        )
    else:
        lines.append(
            f"**Unreliable**: {importance.problem}. Do not read it as a ranking."
        )
    rows = [
        [escape(one.name), f"{one.mean:.2f} +- {one.std:.2f}"]
        for one in importance.features[:MOST_FEATURES]
    ]
    lines.append(table(["layer", "importance"], rows))
    left = len(importance.features) - MOST_FEATURES
    if left > 0:
        lines.append(f"{left} less important ones are in report.json.")
    lines += [picture("importance"), picture("marginals")]
    return "\n\n".join(lines)


def _trials(report):
    scale = scale_of(report.objective, [one.score for one in completed(report.trials)])
    order = {trial.trial_id: i for i, trial in enumerate(report.trials, 1)}
    best = ranked(report.trials, report.direction)
    rows = [
        [
            str(order[one.trial_id]),
            escape(one.trial_id),
            scale.score(one.score),
            _all(one),
        ]
        for one in best[:MOST_TRIALS]
    ]
    header = ["order", "trial", escape(report.objective), "rates"]
    title = f"## The best of {len(best)} completed trials"
    return "\n\n".join([title, table(header, rows), picture("trials")])


def _all(trial):
    rates = [f"{rate:.3g}" for rate in trial.rates.values()]
    more = len(rates) - MOST_TRIALS
    return ", ".join(rates[:MOST_TRIALS]) + (f" and {more} more" if more > 0 else "")


def _failures(report):
    lost = failed(report.trials)
    if not lost:
        return ""
    rows = [[escape(one.trial_id), escape(one.reason)] for one in lost[:MOST_FAILURES]]
    more = len(lost) - MOST_FAILURES
    note = f"\n\n{more} more are in report.json." if more > 0 else ""
    title = f"## Failed trials: {len(lost)} of {len(report.trials)}"
    return f"{title}\n\n{table(['trial', 'what went wrong'], rows)}{note}"


def _number(value):
    return "" if value is None else f"{value:.4g}"
