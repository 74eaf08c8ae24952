"""The README of the shipped jobs is made from the schema."""

import dataclasses
import importlib.util
import json
import pathlib
import re

import pytest

from kdropout.tuning import Job, Rates, Schedules
from kdropout.tuning.job import objective, schema

SCRIPT = pathlib.Path(__file__).parents[3] / "docs" / "job_schema.py"


def render():
    spec = importlib.util.spec_from_file_location("job_schema", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script.render()


def test_readme_of_the_shipped_jobs_is_current(configs):
    command = "python docs/job_schema.py > tuner_configs/README.md"
    assert (configs / "README.md").read_text() == render(), f"run: {command}"


def test_every_key_is_documented_with_a_meaning():
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| (.*) \| (.*) \|$", render(), re.M)
    documented = {name: meaning for name, _, _, meaning in rows}
    kinds = [Job, objective.ObjectiveSettings]
    kinds += [*schema.MODEL_KINDS.values(), *schema.DATA_KINDS.values()]
    kinds += schema.ALGORITHMS.values()
    for kind in kinds:
        missing = set(kind.model_fields) - set(documented) - {"algorithm"}
        assert not missing, (kind, missing)
    silent = {name for name, meaning in documented.items() if not meaning}
    assert silent == {"architecture"}


@pytest.mark.parametrize(
    "title, kind", [("low, high, ...", Rates), ("schedule", Schedules)]
)
def test_arguments_of_a_space_are_documented_with_their_defaults(title, kind):
    section = render().split(f"### `{title}`\n")[1].split("##")[0]
    rows = re.findall(r"^\| `(\w+)` \| .+ \| (.*) \| .+ \|$", section, re.M)
    expected = {}
    for field in dataclasses.fields(kind):
        if field.default is dataclasses.MISSING:
            expected[field.name] = "required"
        elif field.default is None:
            expected[field.name] = ""
        else:
            expected[field.name] = f"`{json.dumps(field.default)}`"
    assert dict(rows) == expected


def test_every_shipped_job_is_listed(configs):
    text = render()
    for path in configs.glob("*.yaml"):
        assert f"`{path.name}`" in text


def test_short_job_of_the_readme_loads(job_of):
    example = re.search(r"```yaml\n(.*?)```", render(), re.S)[1]
    assert job_of(example).data.label_noise == 0.3
