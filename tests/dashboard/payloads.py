"""Payloads for the page, by the definition of the protocol."""

import math

KINDS = ("Dropout", "DropPath", "ConcreteDropout")
DECIDERS = ("you", "schedule Ramp", "gradient")


def rate_at(row, epoch):
    """Return a rate that differs in each cell."""
    return round(0.4 * abs(math.sin(1 + 0.7 * row + 0.13 * epoch)), 6)


def training(run, paths, num_epochs, **changes):
    """Make a run with all measurements, and `changes` to its payload.

    Args:
        run: Name of the run.
        paths: Paths of the layers.
        num_epochs: Number of epochs, from 0.
        **changes: Entries that replace those of the payload.
    """
    steps = list(range(num_epochs))
    values = [[rate_at(row, epoch) for epoch in steps] for row in range(len(paths))]
    layers = [
        {
            "path": path,
            "kind": KINDS[row % 3],
            "decided_by": DECIDERS[row % 3],
            "rate": values[row][-1] if steps else None,
        }
        for row, path in enumerate(paths)
    ]
    gap = {
        "metric": "loss",
        "steps": steps,
        "clean": [0.01 * epoch + 0.001 for epoch in steps],
        "naive": [0.01 * epoch - 0.2 for epoch in steps],
    }
    return {
        "version": "1",
        "run": run,
        "layers": layers,
        "rates": {"epoch": {"steps": steps, "values": values}, "batch": None},
        "gaps": [gap],
        "metrics": [],
        "training_steps": None,
        "times": None,
        "written_at": None,
        "target": {"metric": "loss", "value": 0.1, "dead_band": 0.02},
        "terms": [],
        "drop_fractions": None,
        "sampled": False,
        "shared": False,
    } | changes


def metric(name, direction, validation, **parts):
    """Make the values of a metric by epoch, from epoch 0.

    Args:
        name: Name of the metric.
        direction: "min" or "max", whichever is better, or None.
        validation: List of numbers and None.
        **parts: The lists `training` and `clean`.
    """
    values = {"training": None, "validation": validation, "clean": None} | parts
    steps = list(range(len(validation)))
    return {"metric": name, "direction": direction, "steps": steps} | values


def by_epoch(values):
    """Make a series with a value per epoch, from epoch 0."""
    return {"steps": list(range(len(values))), "values": values}


def search(run, scores, **changes):
    """Make a search over one rate and one choice, whose trials have the scores.

    Args:
        run: Name of the run.
        scores: Scores of the trials; None for a trial that failed.
        **changes: Entries that replace those of the payload.
    """
    trials = [
        {
            "id": f"{number:04d}",
            "values": [round(0.05 * (number % 16), 3), number % 2],
            "score": score,
            "status": "FAILED" if score is None else "COMPLETED",
            "epochs": 5,
        }
        for number, score in enumerate(scores)
    ]
    rate = {"name": "rate/first", "layers": ["first"], "kind": "rate"}
    kind = {"name": "schedule", "layers": ["a", "b"], "kind": "choice"}
    return {
        "version": "1",
        "run": run,
        "objective": "val_loss",
        "direction": "min",
        "dimensions": [
            rate | {"low": 0.0, "high": 0.8, "levels": []},
            kind | {"low": None, "high": None, "levels": ["constant", "linear"]},
        ],
        "trials": trials,
        "marginals": [],
        "importance": [],
        "problem": "",
        "written_at": None,
    } | changes


def page_of(trainings=(), searches=()):
    """Return the argument of `page.render`."""
    runs = [{"name": one["run"], "kind": "training"} for one in trainings]
    runs += [{"name": one["run"], "kind": "search"} for one in searches]
    return {
        "runs": runs,
        "trainings": {one["run"]: one for one in trainings},
        "searches": {one["run"]: one for one in searches},
    }
