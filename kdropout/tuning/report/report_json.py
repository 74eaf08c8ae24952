"""A report as JSON, and back."""

import dataclasses
import json

from kdropout import validation
from kdropout.tuning.report import plain_data
from kdropout.version import __version__

# Raised when the JSON of an earlier version can no longer be read.
FORMAT = 1


def dumps(report):
    """The JSON of a `Report`."""
    content = {
        "format": FORMAT,
        "kdropout": __version__,
        "task": report.task,
        "objective": report.objective,
        "direction": report.direction,
        **dataclasses.asdict(report.answer),
        "best_rates": report.best_rates,
        "best_values": report.best_values,
        "recommended": report.recommended,
        "best_trial": report.best_trial.trial_id,
        "baseline": report.baseline,
        "seed": report.seed,
        "trees": report.trees,
        "limits": report.limits,
        "importance": dataclasses.asdict(report.importance),
        "marginals": [dataclasses.asdict(one) for one in report.marginals],
        "confirmation": plain_data.confirmation_to_plain(report.confirmation),
        "trials": [dataclasses.asdict(trial) for trial in report.trials],
    }
    return json.dumps(
        content, indent=1, allow_nan=False, ensure_ascii=False, default=_item
    )


def loads(text, kind):
    """The report that `dumps` wrote.

    Args:
        text: String.
        kind: The class `Report`.

    Raises:
        TypeError: If `text` is no string.
        ValueError: If it is no report.
    """
    if not isinstance(text, str):
        raise TypeError(validation.received("text", "a string of JSON", text))
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            "'text' must be the JSON of a report, as Report.to_json writes it. "
            f"Received: {text[:60]!r}, which is no JSON: {error}"
        ) from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(
            "'text' must be the JSON of a report, as Report.to_json of kdropout "
            f"{__version__} writes it, with format={FORMAT}. Received: "
            f"{text[:60]!r}"
        )
    try:
        report = kind(
            plain_data.trials_from_plain(content["trials"]),
            *(content["objective"], content["direction"], content["baseline"]),
            plain_data.confirmation_from_plain(content["confirmation"]),
            *(content["seed"], content["trees"]),
            limits=content.get("limits"),  # version 0.1 had none
            task=content.get("task"),  # kdropout 0.1 wrote none
        )
        report._importance = plain_data.importance_from_plain(content["importance"])
        report._marginals = plain_data.marginals_from_plain(content["marginals"])
    except (KeyError, TypeError) as error:
        raise ValueError(
            "'text' must be the JSON of a report, as Report.to_json writes it. "
            f"Received: one that lacks or garbles {error}"
        ) from None
    return report


def _item(value):
    """A scalar of NumPy or of a backend, as a number of Python."""
    return value.item()
