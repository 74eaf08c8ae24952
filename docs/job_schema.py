"""Writes the page of all keys of a job from the schema.

python docs/job_schema.py > tuner_configs/README.md
"""

import inspect
import json
import re

from pydantic_core import PydanticUndefined

from kdropout.tuning.job import objective, schema
from kdropout.tuning.job.job import Job

_INTRODUCTION = """\
# Searches as files

Each file in this folder describes a search for the dropout rates of a model.

```sh
kdropout check tuner_configs/digits_mlp.yaml  # finds errors without training
kdropout tune tuner_configs/digits_mlp.yaml
kdropout tune tuner_configs/digits_mlp.yaml --set training.epochs=5 --set output=short
```

The option `--set` changes a key for one run. In Python:

```python
from kdropout import tuning

job = tuning.load_job("tuner_configs/digits_mlp.yaml", ["training.epochs=5"])
report = tuning.run_job(job)
```

The guide [A search as a job](../docs/jobs.md) explains jobs and their reports.

| file | shows |
|---|---|
| `table.yaml` | a CSV file with missing values; weights of classes; no download |
| `digits_mlp.yaml` | wrong labels, where the rate decides; no download, 2 minutes |
| `learning_rate.yaml` | the learning rate together with the rates |
| `two_minutes.yaml` | a limit of time; first trials; patience |
| `folds.yaml` | a cross-validation, for small data |
| `mnist_mlp.yaml` | Hyperband; a rate for the inputs |
| `fashion_cnn.yaml` | channels; a limit on the overfitting gap |
| `uci_regression.yaml` | a published grid, on its splits; a model from a function |
| `transformer_text.yaml` | rates tied across blocks; an optimizer with arguments |
| `schedule_search.yaml` | schedules in place of rates |

A job can be as short as this, because every other key has a default:

```yaml
model:
  architecture: mlp
data:
  sklearn: digits
  label_noise: 0.3
output: results/first
```

Paths are relative to the current folder. Python also looks for your modules in the
folder of the file. Texts that begin with `*` need quotes. The message of an error lists
all errors of the file, with their lines.

The names of kdropout 0.1 (`ray`, `objective.epoch`, `search.iterations`, and `random`,
`bayesian`, `hyperband` and `grid` as `algorithm`) work for one release, with a warning
that shows the new name.

`python docs/job_schema.py > tuner_configs/README.md` writes this page from the schema.
"""

_COMPILED = """\
A model that is already compiled stays as it is. If you set one of these keys, the job
compiles the model again with all three.
"""

# The arguments of `kdropout.tuning.Rates` and `Schedules`, as YAML.
_SPACE = """\
A mapping from layer paths or globs to the rates to choose from. `kdropout.rates(model)`
shows the paths. If several patterns match a layer, the last one counts. A layer that no
pattern matches keeps its rate.

| value | meaning |
|---|---|
| `0.2` | fixed |
| `[0.0, 0.5]` | searched between the two |
| `{low: 0.0, high: 0.5, ...}` | searched, with more options (see below) |
| `{schedule: {...}}` | a schedule whose parts are searched (see below) |

### `low, high, ...`

Rates that are searched.

| key | value | default | meaning |
| --- | --- | --- | --- |
| `low` | number from 0 to 1 | `0.0` | Lowest rate. |
| `high` | number from 0 to 1 | `0.8` | Highest rate. |
| `step` | number above 0 |  | Distance of the rates to try. With sampling: log, their \
ratio. By default, any rate may be tried. |
| `sampling` | `linear`, `log`, `reverse_log` | `"linear"` | Scale on which rates are \
drawn evenly. |
| `values` | list of numbers from 0 to 1 |  | The rates to try, in place of low, high \
and step. |
| `tie` | `free`, `shared`, `linear`, `rising`, `falling` | `"free"` | The way layers \
share rates. free: each layer has a rate. shared: all layers have one rate. linear: \
the first and the last layer have a rate, and the others lie on the line between. \
rising, falling: each layer has a rate, in that order from input to output. |
| `default` | number from 0 to 1 |  | The rate to try first. Defaults to the rate of \
the layer. |

### `schedule`

A ramp from one rate to another. A job may search any part of it.

| key | value | default | meaning |
| --- | --- | --- | --- |
| `start` | rate, [low, high], or {low: ..., step: ...} | required | Rate at the \
beginning. |
| `end` | rate, [low, high], or {low: ..., step: ...} | required | Rate at the end. |
| `steps` | integer, or [low, high] | required | Length in training steps (batches): a \
number, or [low, high]. |
| `curve` | text, or list of texts | `"linear"` | linear, cosine or exponential, or a \
list of these. |
| `tie` | `free`, `shared` | `"free"` | The way layers share ramps. free: each layer \
has a ramp. shared: all layers have one ramp. |
"""

_HYPERPARAMETERS = """\
Other numbers that are searched together with the rates. Each key is the dotted key of a
number of this job, as in `--set`: any key of `model`, or `training.batch_size`.

| value | meaning |
|---|---|
| `[0.0001, 0.01]` | searched between the two |
| `{low: 16, high: 128}` | the same. Between two integers, only integers are tried |
| `{low: ..., high: ..., sampling: log}` | drawn evenly on that scale, or on `linear`. \
`learning_rate` and `weight_decay` default to `log`, if `low` is above 0 |
| `{values: [[64, 64], [256, 256]]}` | a list to choose from |

Trials that differ in the learning rate, the weight decay, the momentum or the label \
smoothing share one compiled model, like trials that differ in rates. Each other value \
costs one compilation.
"""


_CALLBACKS = """\
A list. Each entry is one of these:

| value | meaning |
|---|---|
| `TerminateOnNaN` | a class of `keras.callbacks` or `kdropout.callbacks` |
| `{class_name: EarlyStopping, config: {patience: 5}}` | a class and its arguments |
| `{build: my_module:make, arguments: {...}}` | your function, which returns one |

Each training has a new copy. [The guide](../docs/jobs.md#callbacks) has the order, and
the callbacks that a job refuses.
"""


def render():
    """The documentation of all keys of a job, as Markdown."""
    parts = [_INTRODUCTION, "## All keys\n", _table(Job.model_fields, Job, brief=True)]
    parts += [
        "## `model`\n",
        "A mapping with one of the keys below. These keys go with each of them:\n",
    ]
    parts += _sections(schema.MODEL_KINDS, _COMPILED)
    parts += [
        "## `data`\n",
        "A mapping with one of the keys below. These keys go with each of them:\n",
    ]
    parts += _sections(schema.DATA_KINDS)
    parts += [
        "## `search`\n",
        "`algorithm` is one of the names below, by default `RandomSearch`. These keys\n"
        "go with each of them:\n",
    ]
    parts += _sections(schema.ALGORITHMS, leave_out={"algorithm"})
    parts += ["## `space`\n", _SPACE, "## `hyperparameters`\n", _HYPERPARAMETERS]
    parts += _section("objective", objective.ObjectiveSettings, level="##")
    parts.append("You can write `name` in place of `{metric: name}`.\n")
    parts += _section("training", schema.TrainingSettings, level="##")
    parts += ["### `callbacks`\n", _CALLBACKS]
    parts += _section("confirm", schema.ConfirmSettings, level="##")
    return "\n".join(parts)


def _sections(kinds, remark=None, leave_out=frozenset()):
    """A table of the keys that all kinds have, and a section for each kind."""
    first, *others = kinds.values()
    common = [
        name
        for name in first.model_fields
        if name not in leave_out
        and all(_has_same_field(first, kind, name) for kind in others)
    ]
    parts = [_table(common, first)]
    if remark is not None:
        parts.append(remark)
    for name, kind in kinds.items():
        title = f"architecture: {name}" if name in schema.ARCHITECTURES else name
        parts += _section(title, kind, {*common, *leave_out})
    return parts


def _has_same_field(first, second, name):
    field = second.model_fields.get(name)
    return (
        field is not None and field.description == first.model_fields[name].description
    )


def _section(title, kind, leave_out=frozenset(), level="###"):
    names = [name for name in kind.model_fields if name not in leave_out]
    table = [_table(names, kind)] if names else []
    return [f"{level} `{title}`\n", inspect.cleandoc(kind.__doc__) + "\n", *table]


def _table(names, kind, brief=False):
    """A table of some fields of a subclass of `Settings`."""
    properties = kind.model_json_schema()["properties"]
    rows = [("key", "value", "default", "meaning"), ("---",) * 4]
    for name in names:
        field = kind.model_fields[name]
        default = _default(field, brief)
        rows.append((f"`{name}`", _type(properties[name]), default, _meaning(field)))
    lines = (" | ".join(cell.replace("|", "\\|") for cell in row) for row in rows)
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
        return " or ".join(dict.fromkeys(kinds))
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
