"""The argument names of spaces in version 0.1 work, with a warning."""

import json
import pickle

import pytest

import kdropout_cli as cli
from kdropout import tuning
from kdropout.tuning import Job, JobError, Rates, Schedules
from kdropout.tuning.space import parse

RAMP = {"start": 0.0, "end": [0.1, 0.6], "steps": 9}


def warns(text):
    return pytest.warns(DeprecationWarning, match=text)


@pytest.mark.parametrize("tie", ["free", "shared", "linear", "rising", "falling"])
def test_old_argument_equals_the_new_one(tie):
    with warns("the argument 'across' of Rates is deprecated: its name is 'tie' now"):
        rates = Rates(0.0, 0.5, across=tie)
    assert rates == Rates(0.0, 0.5, tie=tie)
    with warns("the attribute 'across' of Rates is deprecated"):
        assert rates.across == tie


def test_old_arguments_of_schedules_equal_the_new_ones():
    with pytest.warns(DeprecationWarning) as caught:
        schedules = Schedules(0.0, 0.5, 9, shape="cosine", across="shared")
    assert schedules == Schedules(0.0, 0.5, 9, curve="cosine", tie="shared")
    assert sorted(str(warning.message) for warning in caught) == [
        "the argument 'across' of Schedules is deprecated: its name is 'tie' now.",
        "the argument 'shape' of Schedules is deprecated: its name is 'curve' now.",
    ]
    assert {warning.filename for warning in caught} == {__file__}
    with warns("'shape' of Schedules"):
        assert schedules.shape == "cosine"


@pytest.mark.parametrize(
    "make",
    [
        lambda: Rates(tie="free", across="free"),
        lambda: Rates(0.0, 0.5, None, "linear", "free", across="shared"),
        lambda: Schedules(0.0, 0.5, 9, tie="free", across="free"),
        lambda: parse({"*": {"tie": "free", "across": "free"}}),
        lambda: parse({"*": {"across": "free", "tie": "free"}}),
    ],
)
def test_both_names_together_are_refused(make):
    with pytest.raises(ValueError, match="'tie'.*Received: both.*'across' out") as info:
        make()
    assert info.value.key[-1] == "across"


def test_value_under_the_old_name_is_checked():
    with warns("'across'"), pytest.raises(ValueError, match="Did you mean 'shared'?"):
        Rates(across="share")


def test_objects_can_be_pickled():
    choices = [Rates(0.0, 0.5, tie="shared"), Schedules(0.0, (0.1, 0.5), 9)]
    assert pickle.loads(pickle.dumps(choices)) == choices


def test_dict_with_old_names_is_the_same_space():
    old = {"a": {"high": 0.5, "across": "shared"}, "b": {"schedule": {**RAMP}}}
    old["b"]["schedule"]["shape"] = "cosine"
    with pytest.warns(DeprecationWarning) as caught:
        space = parse(old)
    assert space == {
        "a": Rates(0.0, 0.5, tie="shared"),
        "b": Schedules(0.0, (0.1, 0.6), 9, curve="cosine"),
    }
    assert [str(warning.message) for warning in caught] == [
        "space['a']['across'] is deprecated: its name is 'tie' now.",
        "space['b']['schedule']['shape'] is deprecated: its name is 'curve' now.",
    ]


def job_file(folder, tie="across: shared"):
    path = folder / "job.yaml"
    path.write_text(
        "data: {sklearn: iris}\n"
        "space:\n"
        "  '*':\n"
        "    high: 0.5\n"
        f"    {tie}\n"
        f"output: {folder / 'results'}\n"
    )
    return path


def test_file_with_the_old_name_warns_with_its_line(tmp_path):
    path = job_file(tmp_path)
    with warns(
        r"job.yaml uses names of kdropout 0.1(.|\n)*line 5, space.\*.across: is now"
    ):
        job = tuning.load_job(path)
    assert job.space == {"*": Rates(0.0, 0.5, tie="shared")}
    assert "across" not in job.to_yaml() + json.dumps(job.decisive())
    with warns(r"--set space.\*.across=rising, space.\*.across: is now called"):
        job = tuning.load_job(job_file(tmp_path, ""), ["space.*.across=rising"])
    assert job.space["*"].tie == "rising"


def test_errors_of_old_names_in_a_file_have_their_line(tmp_path):
    path = job_file(tmp_path, "across: share")
    with pytest.raises(JobError, match=r"line 5, space.\*.across: .*'shared'\?"):
        tuning.load_job(path)
    path = job_file(tmp_path, "across: shared\n    tie: shared")
    with pytest.raises(JobError, match=r"line 5, space.\*.across: is the old name"):
        tuning.load_job(path)


def test_job_made_in_python_accepts_the_old_name():
    with warns(r"the key 'space.\*.across' of a job") as caught:
        job = Job(space={"*": {"across": "shared"}})
    assert job.space == {"*": Rates(tie="shared")}
    assert caught[0].filename == __file__


def test_new_name_is_the_same_job(tmp_path):
    with warns(r"is now called 'space.\*.tie'"):
        folder = tuning.load_job(job_file(tmp_path)).claim_output()
    job = tuning.load_job(job_file(tmp_path, "tie: shared"))
    assert job.claim_output() == folder


def test_command_line_shows_the_warning(tmp_path, capsys):
    assert cli.main(["check", str(job_file(tmp_path))]) == 0
    expected = "line 5, space.*.across: is now called 'space.*.tie'."
    assert expected in capsys.readouterr().err
