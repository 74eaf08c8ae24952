"""A job has the settings of its file and the overrides, and defaults for the rest."""

import pickle
import subprocess
import sys

import pytest

from kdropout.tuning import Job, JobError, Rates, Schedules, load_job
from kdropout.tuning.job import Problem
from kdropout.tuning.job.reading import parse_value, read_tree

NAMES = [
    "digits_mlp",
    "fashion_cnn",
    "folds",
    "learning_rate",
    "mnist_mlp",
    "schedule_search",
    "table",
    "transformer_text",
    "two_minutes",
    "uci_regression",
]

SHORT = """\
    model:
      architecture: mlp
      units: [16]
    data:
      sklearn: iris
    training:
      epochs: 3
    search:
      algorithm: GridSearch
    output: here
"""


def test_all_shipped_jobs_are_tested(configs):
    assert sorted(path.stem for path in configs.glob("*.yaml")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_shipped_job_loads_and_survives_a_round_trip_through_yaml(
    name, configs, job_of
):
    job = load_job(configs / f"{name}.yaml")
    again = job_of(job.to_yaml())
    assert again.model_dump() == job.model_dump()
    assert again.decisive() == job.decisive()
    assert name == "uci_regression" or job.output == f"results/{name}"


@pytest.mark.parametrize("name", ["digits_mlp", "schedule_search"])
def test_shipped_job_without_downloads_passes_its_check(name, configs):
    checked = load_job(configs / f"{name}.yaml").check()
    assert [len(checked.data.x_train), len(checked.data.x_val)] == [900, 400]
    assert len(checked.data.x_test) == 1797 - 1300
    layers = [w.shape for w in checked.model.get_weights() if w.ndim == 2]
    assert layers == [(64, 256), (256, 256), (256, 10)]
    names = set(checked.hyperparameters.values)
    expected = {
        "digits_mlp": {"rate/dense1_drop", "rate/dense2_drop"},
        "schedule_search": {f"rate/*/{p}" for p in ("start", "end", "steps", "shape")},
    }
    assert names == expected[name]


SMALL = {
    "mnist_mlp": ("data.train_size=20", "data.validation_size=10"),
    "fashion_cnn": ("data.train_size=20", "data.validation_size=10"),
    "uci_regression": (),
    "transformer_text": ("data.train_size=20", "data.validation_size=5"),
}


@pytest.mark.parametrize("name", SMALL)
def test_shipped_job_passes_its_check_on_similar_data(
    name, configs, tmp_path, monkeypatch, write_images, write_table
):
    write_images("mnist")
    write_images("fashion_mnist")
    write_table("yacht", range(6), 6)
    (tmp_path / "text" / "tinyshakespeare").mkdir(parents=True)
    text = tmp_path / "text" / "tinyshakespeare" / "input.txt"
    text.write_text("What is in a name? " * 200)
    monkeypatch.setenv("KDROPOUT_DATA", str(tmp_path))
    job = load_job(configs / f"{name}.yaml", SMALL[name])
    checked = job.check()
    assert checked.model.compiled
    expected = {
        "mnist_mlp": ["input_drop", "dense1_drop", "dense2_drop"],
        "fashion_cnn": ["conv1_drop", "conv2_drop", "dense1_drop"],
        "uci_regression": ["*"],
        "transformer_text": [
            "embedding_drop",
            "*attention_drop",
            "*feed_forward_drop/first",
            "*feed_forward_drop/last",
        ],
    }
    names = {f"rate/{path}" for path in expected[name]}
    assert set(checked.hyperparameters.values) == names


def test_ten_lines_make_a_job(job_of):
    job = job_of(SHORT)
    assert job.model.units == (16,)
    assert job.model.input_dropout is False
    assert job.search.algorithm == "GridSearch" and job.search.max_trials is None
    assert job.space is None
    assert job.objective.metric == "val_loss"
    assert (job.training.epochs, job.training.batch_size) == (3, 32)
    assert (job.confirm.top, job.confirm.seeds, job.workers) == (3, 10, 1)


def test_overrides_replace_settings_of_the_file(job_of):
    job = job_of(
        SHORT,
        "training.epochs=7",
        "model.units.0=8",
        "space.dense*.low=1e-2",
        "confirm={seeds: 2}",
        "search.max_trials=5",
        "training.epochs=9",
    )
    assert job.training.epochs == 9
    assert job.model.units == (8,)
    assert job.space["dense*"].low == 0.01
    assert (job.confirm.top, job.confirm.seeds) == (3, 2)
    assert job.search.max_trials == 5


def test_overrides_must_be_a_sequence_of_strings(job_of):
    for wrong in ("training.epochs=3", [3]):
        with pytest.raises(TypeError, match="'overrides' must be a sequence"):
            load_job("job.yaml", wrong)
    with pytest.raises(TypeError, match="'path' must be the path of a file.*path=3"):
        load_job(3)


@pytest.mark.parametrize(
    "text, value",
    [
        ("1e-3", 0.001),
        ("-2.5E+2", -250.0),
        (".5", 0.5),
        ("010", 10),
        ("1:30", "1:30"),
        ("2026-01-31", "2026-01-31"),
        ("yes", True),
        ("Off", False),
        ("null", None),
        ("", None),
        ("~", None),
        ("'3'", "3"),
        ("1.2.3", "1.2.3"),
        ("[1, a]", [1, "a"]),
        ("{a: {b: 2}}", {"a": {"b": 2}}),
    ],
)
def test_values_have_their_usual_meaning(text, value):
    parsed = parse_value(text)
    assert parsed == value and type(parsed) is type(value)


def test_line_of_each_key_is_known(tmp_path):
    path = tmp_path / "lines.yaml"
    path.write_text("a:\n  b: 1\n\n  c:\n    - 2\n    - 3\nd: {e: 4}\n")
    tree, lines = read_tree(path)
    assert tree == {"a": {"b": 1, "c": [2, 3]}, "d": {"e": 4}}
    assert lines[("a",)] == 1 and lines[("a", "b")] == 2 and lines[("a", "c")] == 4
    assert lines[("a", "c", 1)] == 6 and lines[("d", "e")] == 7


def test_job_and_its_errors_can_be_sent_to_another_process(job_of):
    job = job_of(SHORT)
    copy = pickle.loads(pickle.dumps(job))
    assert copy == job and copy.folders == job.folders and copy.path == job.path
    error = job.error("training.epochs", "is wrong.")
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert again.problems == (Problem("line 7", "training.epochs", "is wrong."),)
    assert isinstance(again, JobError)


def test_decisive_settings_are_those_that_decide_a_trial(job_of):
    first = job_of(SHORT).decisive()
    for same in (
        "workers=2",
        "output=there",
        "confirm.seeds=0",
        "search.max_trials=2",
        "search.timeout=2min",
        "search.patience=5",
        "search.initial_trials=[0.2]",
        "search.retry_failed=true",
        "search.median_stopping=false",
    ):
        assert job_of(SHORT, same).decisive() == first, same
    for other in (
        "training.epochs=4",
        "search.seed=1",
        "search.median_stopping=true",
        "space.x=[0, 0.3]",
        "data.seed=2",
    ):
        assert job_of(SHORT, other).decisive() != first, other
    # With the default written out, it is the same job.
    assert job_of(SHORT, "training.batch_size=32").decisive() == first


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("search.timeout=90", 90),
        ("search.timeout=1h30m", "1h30m"),
        ("search.timeout=null", None),
        ("search.patience=null", None),
        (
            "search.median_stopping=true",
            {"warmup_trials": 5, "warmup_epochs": 10},
        ),
        (
            "search.median_stopping={warmup_trials: 3}",
            {"warmup_trials": 3, "warmup_epochs": 10},
        ),
        (
            "search.initial_trials=[0.2, {dense1_drop: 0.5}]",
            (0.2, {"dense1_drop": 0.5}),
        ),
    ],
)
def test_limits_of_a_search_are_read_and_written(text, value, job_of):
    job = job_of(SHORT, text)
    key = text.partition("=")[0].partition(".")[2]
    assert getattr(job.search, key) == value
    assert job_of(job.to_yaml()).search == job.search


def test_job_can_be_made_in_python():
    job = Job(data={"sklearn": "wine"}, objective="val_accuracy")
    assert job.path is None and job.objective.resolved_direction == "max"
    with pytest.raises(JobError, match="The job cannot be used:\n  data: is wrong"):
        raise job.error("data", "is wrong")


def test_space_may_hold_objects_and_is_written_as_plain_values(job_of):
    space = {
        "a": Rates(0.0, 0.5),
        "b": Rates(values=[0.4, 0.1], tie="shared", default=0.4),
        "c": Rates(0.01, 0.16, step=2, sampling="log"),
        "d": Schedules(Rates(0.1, 0.4, step=0.1), (0.2, 0.6), (10, 20), tie="shared"),
        "e": Schedules(0.1, 0.5, 10, ("linear", "cosine")),
        "f": 0.3,
    }
    job = Job(space=space)
    assert job.space == space
    assert job_of(job.to_yaml()).space == space


def test_omitted_settings_of_rates_have_their_defaults(job_of):
    assert job_of("space: {'*': {}}").space == {"*": Rates()}
    assert job_of("model: {architecture: mlp}").choices == Rates()


OLD_NAMES = """\
search:
  algorithm: hyperband
  iterations: 2
objective:
  epoch: last
ray: auto
"""


def test_names_of_0_1_work_with_a_warning_that_gives_line_and_new_name(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(OLD_NAMES)
    with pytest.warns(DeprecationWarning) as warned:
        job = load_job(path)
    assert job.search.algorithm == "Hyperband"
    assert job.search.hyperband_iterations == 2
    assert job.objective.scored_epoch == "last"
    assert job.ray_address == "auto"
    assert str(warned[0].message) == (
        f"{path} uses names of kdropout 0.1, which the next version will not accept:\n"
        "  line 6, ray: is now called 'ray_address'.\n"
        "  line 5, objective.epoch: is now called 'objective.scored_epoch'.\n"
        "  line 3, search.iterations: is now called 'search.hyperband_iterations'.\n"
        "  line 2, search.algorithm: 'hyperband' is now called 'Hyperband'."
    )
    assert len(warned) == 1 and warned[0].filename == __file__


def test_override_may_use_the_old_or_the_new_name(job_of):
    new = "objective: {scored_epoch: best}"
    with pytest.warns(DeprecationWarning, match="--set objective.epoch=last, obj"):
        assert job_of(new, "objective.epoch=last").objective.scored_epoch == "last"
    old = "objective: {epoch: best}"
    job = job_of(old, "objective.scored_epoch=last")
    assert job.objective.scored_epoch == "last"


def test_error_about_an_old_name_has_its_line(job_of):
    with pytest.raises(JobError, match="line 2, objective.scored_epoch: must be"):
        job_of("objective:\n  epoch: first\n")
    with pytest.raises(JobError, match="line 2, ray: is not a known key"):
        job_of("ray_address: auto\nray: auto\n")


def test_names_of_0_1_work_in_python():
    with pytest.warns(DeprecationWarning, match="ray: is now called") as warned:
        job = Job(ray="auto", search={"algorithm": "grid"}, objective={"epoch": "last"})
    assert warned[0].filename == __file__
    assert job.search.algorithm == "GridSearch"
    with pytest.warns(DeprecationWarning, match="'ray' is now called 'ray_address'"):
        assert job.ray == "auto"
    with pytest.warns(DeprecationWarning, match="'epoch' is now called 'scored_epoch'"):
        assert job.objective.epoch == "last"


@pytest.mark.slow
def test_import_of_kdropout_imports_no_package_of_jobs():
    code = (
        "import sys, kdropout\n"
        "wanted = {'yaml', 'pydantic', 'keras_tuner', 'kdropout.tuning.job'}\n"
        "sys.exit(str(wanted & set(sys.modules)) if wanted & set(sys.modules) else 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert result.returncode == 0, result.stderr[-200:]


def test_job_prints_as_one_short_line():
    job = Job(search={"max_trials": 7}, data={"npz": "a" * 200}, output="results")
    assert repr(job) == str(job)
    assert repr(job) == (
        f"<Job: model.architecture='mlp', data.npz='{'a' * 76}..., RandomSearch of 7 "
        "trials, output='results'>"
    )
    grid = Job(search={"algorithm": "GridSearch"}, space={"*": [0.1, 0.2]})
    assert ", GridSearch, " in repr(grid)
