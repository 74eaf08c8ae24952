"""What the new seeds said, as Markdown."""

from kdropout import statistics
from kdropout.tuning.report.candidates import BASELINE
from kdropout.tuning.report.markdown_text import MOST_FAILURES, escape, picture, table
from kdropout.tuning.report.scale import scale_of
from kdropout.tuning.report.verdict import name_of


def render_confirmation(confirmation):
    """The section on a `Confirmation`, or "" if there is none."""
    if confirmation is None:
        return ""
    scale = scale_of(confirmation.measure, confirmation.scores.values())
    parts = ["## With new seeds", _settings(confirmation, scale)]
    pairs = [one for one in confirmation.comparisons if one.reference != BASELINE]
    if pairs:
        rows = []
        for one in pairs:
            names = [escape(one.label), escape(name_of(one.reference))]
            rows.append([*names, *_gain(scale, one)])
        parts.append(table(["setting", "against", "gain", "verdict"], rows))
    if confirmation.failures:
        parts.append(_failures(confirmation))
    return "\n\n".join([*parts, picture("confirmation")])


def _settings(confirmation, scale):
    rows = []
    for label in confirmation.candidates:
        scores = list(confirmation.scores_of(label).values())
        gain = _gain(scale, confirmation.comparison(label, BASELINE))
        rows.append([escape(label), _score(scale, scores), str(len(scores)), *gain])
    header = ["setting", escape(confirmation.measure), "seeds"]
    return table([*header, "gain over no dropout", "verdict"], rows)


def _score(scale, scores):
    if len(scores) < 2:
        return scale.score(scores[0]) if scores else "none"
    one = statistics.interval(scores)
    mean, width = (scale.number(v, one.half_width) for v in (one.mean, one.half_width))
    return f"{mean} +- {width} {scale.unit}".rstrip()


def _gain(scale, comparison):
    if comparison is None:
        return ["", ""]
    gain = comparison.gain
    if gain is None:
        return ["too few seeds", comparison.verdict]
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
