"""Writes the page of all keys of a job, from the schema itself.

python docs/job_schema.py > tuner_configs/README.md
"""

import inspect
import json
import re

from pydantic_core import PydanticUndefined

from kdropout.tuning.job import schema
from kdropout.tuning.job.job import Job
from kdropout.tuning.job.schema import ConfirmSettings, TrainingSettings

_INTRODUCTION = """\
# Searches as files

Each file here is a search for the dropout rates of a model. `kdropout tune FILE` runs
it, `kdropout check FILE` finds what is wrong with it without training anything, and
`--set training.epochs=5` changes a key for once. In Python:

```python
from kdropout import tuning

job = tuning.load_job("tuner_configs/digits_mlp.yaml", ["training.epochs=5"])
report = tuning.run_job(job)
```

| file | what it shows |
|---|---|
| `digits_mlp.yaml` | wrong labels, where the rate decides; no download, 2 minutes |
| `mnist_mlp.yaml` | Hyperband; a rate for the inputs |
| `fashion_cnn.yaml` | channels; a limit on the overfitting gap |
| `uci_regression.yaml` | a published grid, on its splits; a model of your own |
| `transformer_text.yaml` | rates tied across blocks; an optimizer with arguments |
| `schedule_search.yaml` | schedules in place of rates |

A job can be as short as this; every other key has a default:

```yaml
model:
  architecture: mlp
data:
  sklearn: digits
  label_noise: 0.3
output: results/first
```

Paths count from the current folder. Modules of yours are also found in the folder of
the file. Texts that begin with `*` need quotes. All that is wrong is listed at
once, with its line.

This page is made from the schema, by
`python docs/job_schema.py > tuner_configs/README.md`.
"""

# The arguments of `kdropout.tuning.Rates` and `Schedules`, in the words of YAML.
_SPACE = """\
A mapping from layer paths or globs, as `kdropout.rates(model)` shows them, to what may
become of the rates. Where several patterns match a layer, the last one counts; a layer
that none matches keeps its rate.

| value | meaning |
|---|---|
| `0.2` | fixed |
| `[0.0, 0.5]` | searched between the two |
| `{low: 0.0, high: 0.5, ...}` | searched, see below |
| `{schedule: {...}}` | a schedule that is searched, see below |

### `low, high, ...`

Rates that are searched.

| key | value | default | meaning |
| --- | --- | --- | --- |
| `low` | number from 0 to 1 | `0.0` | Lowest rate. |
| `high` | number from 0 to 1 | `0.8` | Highest rate. |
| `step` | number above 0 |  | Distance of the rates tried; with sampling: log, their \
ratio. Defaults to none: any rate. |
| `sampling` | `linear`, `log`, `reverse_log` | `"linear"` | Scale on which rates are \
drawn evenly. |
| `values` | list of numbers from 0 to 1 |  | The rates to try, in place of low, high \
and step. |
| `tie` | `free`, `shared`, `linear`, `rising`, `falling` | `"free"` | Whether layers \
share a rate. free: each has one. shared: one for all. linear: first and last, and a \
straight line between. rising, falling: each has one, in that order from input to \
output. |
| `default` | number from 0 to 1 |  | Rate tried first. Defaults to that of the layer. |

### `schedule`

A ramp from one rate to another, of which any part may be searched.

| key | value | default | meaning |
| --- | --- | --- | --- |
| `start` | rate, [low, high], or {low: ..., step: ...} | required | Rate at the \
beginning. |
| `end` | rate, [low, high], or {low: ..., step: ...} | required | Rate at the end. |
| `steps` | integer, or [low, high] | required | Length in training steps (batches): a \
number, or [low, high]. |
| `curve` | text, or list of texts | `"linear"` | linear, cosine or exponential, or a \
list of those. |
| `tie` | `free`, `shared` | `"free"` | Whether layers share a ramp. free: each has \
one. shared: one for all. |
"""


def render():
    """The documentation of all keys of a job, as Markdown."""
    parts = [_INTRODUCTION, "## All keys\n", _table(Job, brief=True)]
    parts += ["## `model`\n", "One of these. With each, also:\n"]
    parts.append(_table(schema.ModelSettings))
    parts.append(inspect.getdoc(schema.ModelSettings).split("\n\n")[1] + "\n")
    common = set(schema.ModelSettings.model_fields)
    for name, kind in schema.MODEL_KINDS.items():
        built_in = name in schema.ARCHITECTURES
        parts += _section(f"architecture: {name}" if built_in else name, kind, common)
    parts += ["## `data`\n", "One of these. With each, also:\n"]
    parts.append(_table(schema.DataSettings))
    common = set(schema.DataSettings.model_fields)
    for name, kind in schema.DATA_KINDS.items():
        parts += _section(name, kind, common)
    parts += [
        "## `search`\n",
        "`algorithm` is one of these, `random` by default. With each, also:\n",
    ]
    parts.append(_table(schema.SearchSettings))
    common = {*schema.SearchSettings.model_fields, "algorithm"}
    for name, kind in schema.ALGORITHMS.items():
        parts += _section(name, kind, common)
    parts += ["## `space`\n", _SPACE]
    parts += _section("objective", schema.ObjectiveSettings, set(), "##")
    parts.append("The name of a metric alone is short for `{metric: name}`.\n")
    parts += _section("training", TrainingSettings, set(), "##")
    parts += _section("confirm", ConfirmSettings, set(), "##")
    return "\n".join(parts)


def _section(title, kind, common, level="###"):
    table = _table(kind, leave_out=common)
    return [f"{level} `{title}`\n", _text(kind), *([table] if table else [])]


def _text(kind):
    return inspect.cleandoc(kind.__doc__) + "\n"


def _table(kind, brief=False, leave_out=frozenset()):
    """A table of the fields of a subclass of `Settings`, its own first."""
    inherited = set().union(*(getattr(b, "model_fields", {}) for b in kind.__bases__))
    fields = kind.model_fields.items()
    fields = sorted(fields, key=lambda item: item[0] in inherited)
    properties = kind.model_json_schema()["properties"]
    rows = [
        (f"`{name}`", _type(properties[name]), _default(field, brief), _meaning(field))
        for name, field in fields
        if name not in leave_out
    ]
    if not rows:
        return ""
    head = [("key", "value", "default", "meaning"), ("---",) * 4]
    lines = (
        " | ".join(cell.replace("|", "\\|") for cell in row) for row in head + rows
    )
    return "".join(f"| {line} |\n" for line in lines)


def _meaning(field):
    return field.description or ""


def _default(field, brief):
    default = field.get_default()
    if default is PydanticUndefined:
        return "required"
    if default is None:
        return ""
    if hasattr(default, "model_dump"):
        default = default.model_dump(mode="json", exclude_unset=True)
    if brief and default == {}:
        return ""
    return f"`{json.dumps(default)}`"


def _type(schema):
    """A JSON schema in words."""
    if "kind" in schema:
        return schema["kind"]
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "$ref" in schema or "oneOf" in schema or "allOf" in schema:
        return "mapping"
    if "anyOf" in schema:
        kinds = [_type(one) for one in schema["anyOf"] if one.get("type") != "null"]
        return " or ".join(kinds)
    kind = schema.get("type", "any")
    if kind == "array":
        return "list of " + re.sub(r"^\w+", r"\g<0>s", _type(schema["items"]))
    if kind in ("integer", "number"):
        return f"{kind}{_bounds(schema)}"
    names = {"string": "text", "boolean": "true or false", "object": "mapping"}
    return names.get(kind, kind)


def _bounds(schema):
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f" from {low:g} to {high:.15g}"
    if low is not None:
        return f" of at least {low:g}"
    if "exclusiveMinimum" in schema:
        return f" above {schema['exclusiveMinimum']:g}"
    return ""


if __name__ == "__main__":
    print(render(), end="")
