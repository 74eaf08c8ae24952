"""What the new seeds said, as Markdown."""

from kdropout import statistics
from kdropout.tuning.report.candidates import BASELINE, trial_of
from kdropout.tuning.report.markdown_text import MOST_FAILURES, escape, picture, table
from kdropout.tuning.report.scale import scale_of
from kdropout.tuning.report.verdict import better_sign, name_of


def render_confirmation(report):
    """The section on the `Confirmation` of a report, or "" if there is none."""
    confirmation = report.confirmation
    if confirmation is None:
        return ""
    scale = scale_of(confirmation.measure, confirmation.scores.values())
    parts = ["## With new seeds", _settings(report, scale)]
    pairs = [one for one in confirmation.comparisons if one.reference != BASELINE]
    if pairs:
        rows = []
        for one in pairs:
            names = [_name(report, one.label), escape(name_of(one.reference))]
            rows.append([*names, *_gain(scale, one)])
        parts.append(table(["setting", "against", "gain", "verdict"], rows))
    if confirmation.failures:
        parts.append(_failures(confirmation))
    return "\n\n".join([*parts, picture("confirmation")])


def _settings(report, scale):
    confirmation, rows = report.confirmation, []
    for label in confirmation.candidates:
        scores = list(confirmation.scores_of(label).values())
        gain = _gain(scale, confirmation.comparison(label, BASELINE))
        name = _name(report, label)
        rows.append([name, _score(scale, scores), str(len(scores)), *gain])
    sign = better_sign(confirmation.direction)
    header = ["setting", f"{escape(confirmation.measure)} ({sign} is better)", "seeds"]
    return table([*header, "gain over no dropout", "verdict"], rows)


def _name(report, label):
    """The label of a setting; of one that the search found, with its trial."""
    setting = report.confirmation.candidates[label]
    trial = trial_of(setting, report.trials, report.direction)
    if trial is None or label not in report.confirmation.search:
        return escape(label)
    return escape(f"{label} (trial {trial.trial_id})")


def _score(scale, scores):
    if len(scores) < 2:
        return scale.score(scores[0]) if scores else "none"
    one = statistics.interval(scores)
    if not scale.holds_score(one):
        return f"{scale.score(one.mean)} (too few seeds for an interval)"
    mean, width = (scale.number(v, one.half_width) for v in (one.mean, one.half_width))
    return f"{mean} +- {width} {scale.unit}".rstrip()


def _gain(scale, comparison):
    if comparison is None:
        return ["", ""]
    gain = comparison.gain
    if gain is None:
        return ["too few seeds", comparison.verdict]
    if comparison.verdict == "undecided" and not scale.holds_difference(gain):
        mean = scale.amount(gain.mean, 0.0)
        return [f"{mean} (too few seeds for an interval)", comparison.verdict]
    mean = scale.number(gain.mean, gain.half_width)
    width = scale.amount(gain.half_width, gain.half_width)
    return [f"{mean} +- {width}", comparison.verdict]


def _failures(confirmation):
    lost = list(confirmation.failures.items())
    rows = [
        [escape(label), str(seed), escape(message)]
        for (label, seed), message in lost[:MOST_FAILURES]
    ]
    cells = table(["setting", "seed", "what went wrong"], rows)
    return f"{len(lost)} trainings failed:\n\n{cells}"
