"""An output folder holds the results of one job."""

import json

import pytest

from kdropout.tuning import JobError

JOB = "data: {sklearn: iris}\nmodel: {architecture: mlp}\noutput: results/here\n"


def test_folder_is_made_and_names_its_job(job_of):
    job = job_of(JOB)
    folder = job.claim_output()
    content = json.loads((folder / "job.json").read_text())
    assert content["settings"] == job.decisive()
    assert content["settings"]["data"]["sklearn"] == "iris"
    assert [path.name for path in folder.iterdir()] == ["job.json"]


def test_same_job_may_resume_with_more_trials_or_workers(job_of):
    folder = job_of(JOB).claim_output()
    (folder / "mine.txt").write_text("stays")
    more = (
        "search.max_trials=50",
        "workers=2",
        "confirm.seeds=0",
        "output=results/here",
    )
    assert job_of(JOB, *more).claim_output() == folder
    assert (folder / "mine.txt").read_text() == "stays"


def test_folder_of_another_job_is_refused_with_the_difference(job_of):
    folder = job_of(JOB, "space={dense1_drop: [0, 0.5]}").claim_output()
    before = (folder / "job.json").read_text()
    with pytest.raises(JobError) as raised:
        job_of(JOB, "training.epochs=3", "data={npz: a.npz}").claim_output()
    message = str(raised.value)
    for part in (
        "line 3, output: 'results/here' contains the results of another job",
        "training.epochs is 20 there and 3 in this job",
        "data.sklearn is 'iris' there and not set in this job",
        "data.npz is not set there and 'a.npz' in this job",
        "space.dense1_drop is [0.0, 0.5] there and not set in this job",
        "--set output=FOLDER",
    ):
        assert part in message, message
    assert "model" not in message
    assert (folder / "job.json").read_text() == before


def test_key_that_an_earlier_version_did_not_know_has_its_default(job_of):
    folder = job_of(JOB).claim_output()
    content = json.loads((folder / "job.json").read_text())
    del content["settings"]["training"]["class_weight"]
    (folder / "job.json").write_text(json.dumps(content))
    assert job_of(JOB).claim_output() == folder
    (folder / "job.json").write_text(json.dumps(content))
    with pytest.raises(JobError, match="class_weight is not set there and 'balanced'"):
        job_of(JOB, "training.class_weight=balanced").claim_output()


def test_space_written_by_0_1_is_the_same_job(job_of):
    ramp = "{start: 0, end: [0.1, 0.6], steps: [50, 200]}"
    space = f"a: [0, 0.5], b: {{values: [0.4, 0.1]}}, c: {{schedule: {ramp}}}, d: 0"
    folder = job_of(JOB, f"space={{{space}}}").claim_output()
    content = json.loads((folder / "job.json").read_text())
    rest = {"step": None, "sampling": "linear", "across": "free", "default": None}
    ramp = {"start": 0.0, "end": [0.1, 0.6], "steps": [50, 200]}
    content["settings"]["space"] = {
        "a": [0.0, 0.5],
        "b": {"low": 0.0, "high": 0.8, "values": [0.4, 0.1], **rest},
        "c": {"schedule": {**ramp, "shape": "linear", "across": "free"}},
        "d": 0.0,
    }
    (folder / "job.json").write_text(json.dumps(content))
    assert job_of(JOB, f"space={{{space}}}").claim_output() == folder
    content["settings"]["space"]["b"]["values"] = [0.4, 0.2]
    (folder / "job.json").write_text(json.dumps(content))
    with pytest.raises(JobError, match="space.b.values is .* there and .* in this"):
        job_of(JOB, f"space={{{space}}}").claim_output()


def test_unwritable_folder_is_refused(tmp_path, job_of):
    (tmp_path / "results").write_text("a file")
    with pytest.raises(JobError, match="line 3, output: must be a folder.*another"):
        job_of(JOB).claim_output()
    with pytest.raises(JobError, match="--set output=results, output: must be a fol"):
        job_of(JOB, "output=results").claim_output()
    assert (tmp_path / "results").read_text() == "a file"


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"settings": 3}', "\xff"])
def test_damaged_note_is_refused_with_a_remedy(content, job_of):
    folder = job_of(JOB).claim_output()
    (folder / "job.json").write_text(content, encoding="latin-1")
    with pytest.raises(JobError, match="job.json' is damaged.*delete that file"):
        job_of(JOB).claim_output()


def test_search_without_a_note_is_refused(tmp_path, job_of):
    search = tmp_path / "results" / "here" / "search"
    search.mkdir(parents=True)
    (search / "oracle.json").write_text("{}")
    with pytest.raises(JobError, match="contains a search .*oracle.json.*not the file"):
        job_of(JOB).claim_output()
