"""The data of a training for the page."""

import math

from kdropout_dashboard import plain, tags
from kdropout_dashboard.plain import unchanged, version_of
from kdropout_dashboard.series import Aligned, most_to_read
from kdropout_dashboard.tags import (
    BATCH_RATE,
    CLEAN,
    DROP_FRACTION,
    GAP,
    METRIC,
    METRICS,
    NAIVE,
    RATE,
    RUN,
    TERMS,
    TRAINING_STEPS,
    VALIDATION,
)

OF_LAYERS = (RATE, BATCH_RATE, *TERMS, DROP_FRACTION)
# Series with a value per epoch, in the order in which one of them gives the times.
OF_EPOCHS = (METRIC, RATE, GAP)
# In a version, between what was written and the number of runs that share the points.
SHARED = "-"


def training(source, run, version="", shared_by=1):
    """Return layers, rates, gaps and metrics of a run, or None if it does not exist.

    If nothing has changed since `version`, it only returns that. If `shared_by` is more
    than 1, then so many runs share the points of one, and the series of layers may have
    fewer steps. The metrics and gaps keep theirs. "shared" says whether that happened,
    and "sampled" whether steps were left out for another reason.
    """
    written = source.described([RUN, METRICS], [run]).get(run, {})
    if RUN not in written:
        return None
    last = {}
    for tag, point in source.last_points(run).items():
        kind, _, name = tag.partition("/")
        if tag == TRAINING_STEPS or (name and kind in (*OF_LAYERS, GAP, METRIC)):
            last[kind, name] = point
    current = version_of(
        written,
        {"/".join(key): (point.step, point.wall_time) for key, point in last.items()},
    )
    known, _, known_shared_by = version.partition(SHARED)
    if known == current and 0 < plain.count(known_shared_by) <= shared_by:
        return unchanged(version)
    described = source.descriptions([RUN, METRICS], [run]).get(run, {})
    content = described.get(RUN, {})
    content["directions"] = _directions(described.get(METRICS, {}))
    timed = _timed(last)
    columns, times, has_fewer = _read(source, run, last, timed, shared_by)
    payload = _payload(content, last, columns, source.kept_steps)
    of_layers, others = has_fewer
    payload["shared"] = of_layers and shared_by > 1
    payload["sampled"] |= others or (of_layers and shared_by == 1)
    payload["times"] = timed and _times(columns[timed][0], times, written[RUN][1])
    payload["written_at"] = max(
        [time for _, time in written.values()]
        + [point.wall_time for point in last.values()]
    )
    return {"version": f"{current}{SHARED}{shared_by}", "run": run} | payload


def _read(source, run, last, timed, shared_by):
    """Columns of all series, times of the epochs, and whether steps were left out.

    The last is a list of two, for the series of layers and for the others.
    """
    columns, times, has_fewer = {}, [], []
    of_layers = ["/".join(key) for key in last if key[0] in OF_LAYERS]
    others = ["/".join(key) for key in last if key[0] not in OF_LAYERS]
    for names, sharing in ((of_layers, shared_by), (others, 1)):
        most = most_to_read(len(names), sharing)
        # Request one more step than wanted to see whether there are more.
        found, found_times = source.columns(run, names, most + 1, timed)
        has_fewer.append(any(len(steps) > most for steps, _ in found.values()))
        columns |= found
        times = times or found_times
    return columns, times, has_fewer


def _timed(last):
    """The tag of the series whose times are those of the epochs, or None."""
    of_epochs = [key for key in last if key[0] in OF_EPOCHS]
    if not of_epochs:
        return None
    order = {key: (-last[key].step, OF_EPOCHS.index(key[0]), key) for key in of_epochs}
    return "/".join(min(of_epochs, key=order.get))


def _times(steps, times, began):
    """The seconds from the start of the training to the end of each epoch."""
    began = min([began, *times])  # the description may be that of a resumed training
    aligned = Aligned([(steps, [time - began for time in times])])
    return {"steps": aligned.steps, "values": aligned.values[0]}


def _payload(content, last, columns, kept_steps):
    layers = _layers(content, last)
    aligned = []

    def align(tags):
        aligned.append(
            Aligned([columns.get(tag, ([], [])) for tag in tags], kept_steps)
        )
        return aligned[-1]

    def of_layers(kind):
        if not any(key[0] == kind for key in last):
            return None
        return align([f"{kind}/{layer['path']}" for layer in layers]).as_payload()

    gaps = []
    for metric in _metrics({name for kind, name in last if kind == GAP}):
        both = align([tags.gap(metric), tags.naive_gap(metric)])
        values = dict(zip(("clean", "naive"), both.values, strict=True))
        gaps.append({"metric": metric, "steps": both.steps} | values)
    metrics = []
    for name, parts in _parts({name for kind, name in last if kind == METRIC}).items():
        found = align([tags.metric(parts[part]) for part in parts])
        values = dict.fromkeys(("training", "validation", "clean"))
        values |= dict(zip(parts, found.values, strict=True))
        direction = content["directions"].get(name)
        metrics.append(
            {"metric": name, "direction": direction, "steps": found.steps} | values
        )
    steps = None
    if tuple(TRAINING_STEPS.split("/")) in last:
        aligned_steps = align([TRAINING_STEPS])
        steps = {"steps": aligned_steps.steps, "values": aligned_steps.values[0]}
    return {
        "layers": layers,
        "rates": {"epoch": of_layers(RATE), "batch": of_layers(BATCH_RATE)},
        "gaps": gaps,
        "metrics": metrics,
        "training_steps": steps,
        "target": _target(content),
        "terms": [
            {"name": name} | series for name in TERMS if (series := of_layers(name))
        ],
        "drop_fractions": of_layers(DROP_FRACTION),
        "sampled": any(block.is_sampled for block in aligned),
    }


def _layers(content, last):
    """The layers in the order of the model, then those without a description."""
    described = {
        path: layer
        for layer in plain.dicts(content.get("layers"))
        if (path := plain.text(layer.get("path")))
    }
    seen = {name for kind, name in last if kind in OF_LAYERS}
    others = sorted(seen - described.keys(), key=plain.natural)
    paths = [*described, *others]
    rates = plain.rounded([_latest_rate(path, last) for path in paths])
    return [
        {
            "path": path,
            "kind": plain.text(described.get(path, {}).get("kind")),
            "decided_by": plain.text(described.get(path, {}).get("decided_by")),
            "rate": rate,
        }
        for path, rate in zip(paths, rates, strict=True)
    ]


def _latest_rate(path, last):
    rates = [last[kind, path] for kind in (BATCH_RATE, RATE) if (kind, path) in last]
    if not rates:
        return math.nan
    return max(rates, key=lambda point: point.wall_time).value


def _metrics(names):
    """The metrics that have a gap, "loss" first.

    "naive_x" is the naive gap of the metric "x" if there is a gap of "x". Otherwise it
    is the name of a metric.
    """
    metrics = []
    for name in sorted(names, key=lambda name: (len(name), name)):
        if not name.startswith(NAIVE) or name.removeprefix(NAIVE) not in metrics:
            metrics.append(name)
    metrics.sort(key=lambda name: (name != "loss", plain.natural(name)))
    return metrics


def _parts(names):
    """Dict from metric to the names of its values: training, validation and clean."""
    found = {}
    for name in names:
        part, metric = "training", name
        if name.startswith(VALIDATION):
            part, metric = "validation", name.removeprefix(VALIDATION)
        elif name.startswith(CLEAN):
            rest = name.removeprefix(CLEAN)
            # A metric of the user may begin with "clean_" as well.
            if rest in names or f"{VALIDATION}{rest}" in names:
                part, metric = "clean", rest
        if metric:
            found.setdefault(metric, {})[part] = name
    order = sorted(found, key=lambda name: (name != "loss", plain.natural(name)))
    return {metric: dict(sorted(found[metric].items())) for metric in order}


def _directions(content):
    """Dict from metric to "min" or "max"."""
    directions = content.get("directions")
    directions = directions if isinstance(directions, dict) else {}
    return {
        metric: direction
        for metric, direction in directions.items()
        if direction in ("min", "max")
    }


def _target(content):
    """The target of a `GapController`, or None."""
    target = content.get("target")
    if not isinstance(target, dict):
        return None
    metric, value = plain.text(target.get("metric")), plain.number(target.get("value"))
    if not metric or value is None:
        return None
    dead_band = plain.number(target.get("dead_band")) or 0.0
    return {"metric": metric, "value": value, "dead_band": dead_band}
