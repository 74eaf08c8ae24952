"""A bad job is refused with the value received, the expected one, and what to do.

All of these faults are found without reading data. Invalid entries of a space are in
`tests/tuning/space/bad_spaces.py`.
"""

import dataclasses
import math

import pytest
import yaml

from kdropout.tuning import JobError, load_job
from tests.tools import name_of
from tests.tuning.space.bad_spaces import ENTRIES

MLP = "model: {architecture: mlp}\n"


@dataclasses.dataclass(frozen=True)
class BadJob:
    """The text of a job file, overrides of it, and parts of the message."""

    name: str
    text: str
    says: list
    overrides: list = dataclasses.field(default_factory=list)


def mlp(settings):
    """Return the model of a job, with more settings."""
    return f"model: {{architecture: mlp, {settings}}}\n"


def iris(settings):
    """Return the data of a job, with more settings."""
    return f"data: {{sklearn: iris, {settings}}}\n"


CASES = [
    BadJob(
        "one fold",
        MLP + "training: {folds: 1}\n",
        ["line 2", "training.folds", "2", "Received: 1"],
    ),
    BadJob(
        "folds as a text",
        MLP + "training: {folds: all}\n",
        ["training.folds", "integer", "Received: 'all'"],
    ),
    BadJob(
        "folds and a validation part",
        iris("validation_size: 0.2") + "training: {folds: 5}\n",
        ["line 1", "data.validation_size", "must not be set with training.folds"],
    ),
    # The file
    BadJob("empty", "", ["is empty", "at least one key"]),
    BadJob("comments only", "# nothing\n", ["is empty"]),
    BadJob("a list", "- 3\n", ["line 1: must be a mapping", "Received: [3]"]),
    BadJob("a text", "mlp\n", ["line 1: must be a mapping", "Received: 'mlp'"]),
    BadJob(
        "a tab",
        "model:\n\tarchitecture: mlp\n",
        ["line 2: begins with a tab", "spaces"],
    ),
    BadJob(
        "a tab after spaces", "data:\n  \tsklearn: iris\n", ["line 2", "tab", "spaces"]
    ),
    BadJob("brackets left open", "a: [1\n", ["line 2: is not YAML", "Received:"]),
    BadJob("two colons", "a: b: c\n", ["line 1: is not YAML", "Received: 'a: b: c'"]),
    BadJob(
        "two documents", "a: 1\n---\nb: 2\n", ["line 2: is not YAML", "single document"]
    ),
    BadJob("control characters", "a: \x07\n", ["is not valid YAML"]),
    BadJob(
        "a star without quotes",
        "space:\n  *: [0, 1]\n",
        ["line 2", 'begins with * into quotes, such as "*"'],
    ),
    BadJob(
        "an alias", "a: &x 3\nb: *x\n", ["line 2", "aliases are not allowed", "again"]
    ),
    BadJob(
        "objects of Python",
        "model: !!python/object/apply:os.system [ls]\n",
        [
            "line 1, model: has the tag",
            "'!!python/object/apply:os.system'",
            "may only contain plain",
            "Remove the tag",
        ],
    ),
    BadJob(
        "a name of Python",
        "model:\n  build: !!python/name:os.system\n",
        ["line 2, model.build", "'!!python/name:os.system'"],
    ),
    BadJob(
        "an own tag", "output: !secret x\n", ["line 1, output: has the tag '!secret'"]
    ),
    BadJob(
        "a duplicate key",
        f"{MLP}data:\n  seed: 1\n  seed: 2\n",
        ["line 4, data.seed: is given twice", "first in line 3"],
    ),
    BadJob(
        "a number as key", "3: 4\n", ["line 1: a key must be a text. Received: '3'"]
    ),
    BadJob("deep nesting", "a: " + "[" * 5000 + "]" * 5000, ["nested too deeply"]),
    # Keys
    BadJob(
        "unknown key",
        "serach: {}\n",
        ["line 1, serach: is not a known key", "mean 'search'?"],
    ),
    BadJob(
        "unknown key within",
        "training:\n  epoch: 3\n",
        [
            "line 2, training.epoch: is not a known key of 'training'",
            "Did you mean 'epochs'?",
            "The keys are: epochs, batch_size",
        ],
    ),
    BadJob(
        "unknown key of a member",
        "model:\n  architecture: cnn\n  filter: [8]\n",
        [
            "line 3, model.filter",
            "is not a known key of 'model'. Did you mean 'filters'?",
        ],
    ),
    BadJob(
        "key of another member",
        "search:\n  algorithm: GridSearch\n  factor: 3\n",
        [
            "line 3, search.factor",
            "is not a known key of 'search'. The keys are: algorithm, max_trials, seed",
        ],
    ),
    BadJob("no mapping", "training: 5\n", ["line 1, training: must be a mapping", "5"]),
    BadJob(
        "several problems",
        "serach: {}\ntraining: {epochs: 0}\n",
        ["line 1, serach", "line 2, training"],
    ),
    # model
    BadJob(
        "no kind of model",
        "model:\n  units: [3]\n",
        [
            "line 1, model: must have one of the keys",
            "'architecture', 'build', 'file'",
            "Received: 'units'",
        ],
    ),
    BadJob(
        "misspelt kind of model", "model: {biuld: a:b}\n", ["Did you mean 'build'?"]
    ),
    BadJob(
        "two kinds of model",
        "model: {build: a:b, file: c.keras}\n",
        ["must have only one of", "'build', 'file'"],
    ),
    BadJob(
        "unknown architecture",
        "model:\n  architecture: mpl\n",
        [
            "line 2, model.architecture: must be one of",
            "'mlp', 'cnn', 'transformer'",
            "Received: 'mpl'. Did you mean 'mlp'?",
        ],
    ),
    BadJob(
        "model as text",
        "model: mlp\n",
        ["model: must be a mapping. Received: 'mlp'", "such as {architecture: mlp}"],
    ),
    BadJob("no units", mlp("units: []"), ["model.units", "at least 1 entries"]),
    BadJob("units as number", mlp("units: 8"), ["model.units: must be a list", "8"]),
    BadJob(
        "half units",
        mlp("units: [8, 2.5]"),
        ["model.units.1: must be an integer", "Received: 2.5"],
    ),
    BadJob("rate above 1", mlp("rate: 1.5"), ["model.rate: must be at most 1"]),
    BadJob(
        "flag as text",
        mlp("input_dropout: maybe"),
        ["must be true or false", "'maybe'"],
    ),
    BadJob("unknown activation", mlp("activation: rleu"), ["mean 'relu'?"]),
    BadJob(
        "unknown optimizer",
        mlp("optimizer: adm"),
        [
            "model.optimizer: must be an optimizer of",
            "Received: 'adm'. Did you mean 'adam'?",
        ],
    ),
    BadJob(
        "optimizer without name", mlp("optimizer: {learning_rate: 1}"), ["{name: adam,"]
    ),
    BadJob(
        "argument of the optimizer",
        mlp("optimizer: {name: sgd, lr: 1}"),
        ["'sgd' does not accept", "Received: {'lr': 1}"],
    ),
    BadJob(
        "unknown loss",
        mlp("loss: mean_square_error"),
        ["model.loss: must be a loss of", "Did you mean 'mean_squared_error'?"],
    ),
    BadJob("unknown metric", mlp("metrics: [acuracy]"), ["mean 'accuracy'?"]),
    BadJob(
        "metric that needs arguments",
        mlp("metrics: [precision_at_recall]"),
        [
            "so its name is not enough",
            "Write {class_name: precision_at_recall, config: {...}}",
        ],
    ),
    BadJob(
        "unknown class of a metric",
        mlp("metrics: [accuracy, {class_name: ACU}]"),
        [
            "line 1, model.metrics.1.class_name: must be a metric of Keras. Received:",
            "'ACU'. Did you mean 'AUC'?",
        ],
    ),
    BadJob(
        "argument of a metric",
        mlp("metrics: [{class_name: AUC, config: {curv: PR}}]"),
        ["model.metrics.0.config: has arguments that 'AUC' does not", "{'curv': 'PR'}"],
    ),
    BadJob(
        "value of an argument",
        mlp("metrics: [{class_name: AUC, config: {curve: ABC}}]"),
        ["model.metrics.0.config: has arguments that 'AUC' does not", "'ABC'"],
    ),
    BadJob(
        "arguments beside the class",
        mlp("metrics: [{class_name: AUC, curve: PR}]"),
        [
            "model.metrics.0.curve: is not a known key",
            "Put the arguments into 'config'",
        ],
    ),
    BadJob(
        "arguments as a text",
        mlp("loss: {class_name: Huber, config: 3}"),
        ["model.loss.config: must be a mapping. Received: 3"],
    ),
    BadJob(
        "loss without a class",
        mlp("loss: {name: huber}"),
        ["model.loss: must be the name of a loss, or a mapping such as {class_name:"],
    ),
    BadJob(
        "unknown schedule of an optimizer",
        mlp(
            "optimizer: {class_name: Adam, config: {learning_rate: {class_name: Cos}}}"
        ),
        ["model.optimizer.config.learning_rate.class_name: must be a schedule of"],
    ),
    BadJob(
        "unknown class of an optimizer",
        mlp("optimizer: {class_name: Adan}"),
        ["model.optimizer.class_name: must be an optimizer", "Did you mean 'Adam'?"],
    ),
    BadJob(
        "no reference",
        "model: {build: models}\n",
        ["must be 'module:function'", "models"],
    ),
    BadJob(
        "path as reference", "model: {build: a/b.py:f}\n", ["must be 'module:function'"]
    ),
    # data
    BadJob(
        "no kind of data",
        "data: {}\n",
        ["line 1, data: must have one", "Received: none"],
    ),
    BadJob(
        "two kinds of data",
        "data: {npz: a, uci: wine}\n",
        ["must have only one of", "'npz', 'uci'"],
    ),
    BadJob(
        "unknown set", "data: {sklearn: digit}\n", ["Received: 'digit'. Did you mean"]
    ),
    BadJob("noise above 1", iris("label_noise: 30"), ["must be at most 1", "30"]),
    BadJob("size of a text", iris("train_size: all"), ["number of samples", "'all'"]),
    BadJob("size of 0", iris("train_size: 0"), ["at least 1", "Received: 0"]),
    BadJob("share above 1", iris("train_size: 1.5"), ["share between 0 and 1"]),
    BadJob(
        "split 20", "data: {uci: wine, split: 20}\n", ["data.split: must be at most 19"]
    ),
    BadJob("seed below 0", iris("seed: -1"), ["data.seed: must be at least 0", "-1"]),
    BadJob("unknown task", "data: {npz: a.npz, task: rank}\n", ["data.task", "'rank'"]),
    BadJob("nan", iris("label_noise: .nan"), ["must be a finite number", "nan"]),
    # search and objective
    BadJob(
        "unknown algorithm",
        "search: {algorithm: GridSerch}\n",
        [
            "search.algorithm: must be one of 'RandomSearch'",
            "Received: 'GridSerch'. Did you mean 'GridSearch'?",
        ],
    ),
    BadJob(
        "no trials",
        "search: {max_trials: 0}\n",
        ["search.max_trials: must be at least 1"],
    ),
    BadJob(
        "trials as float",
        "search: {max_trials: 1e2}\n",
        ["must be an integer", "100.0"],
    ),
    BadJob(
        "trials of hyperband",
        "search: {algorithm: Hyperband, max_trials: 9}\n",
        ["search.max_trials: is not a known key", "factor", "hyperband_iterations"],
    ),
    BadJob(
        "factor 1",
        "search: {algorithm: Hyperband, factor: 1}\n",
        ["must be at least 2"],
    ),
    BadJob(
        "one setting",
        "search: {algorithm: SuccessiveHalving, settings: [0.2]}\n",
        ["line 1, search.settings: must be a sequence of at least 2", "[0.2]"],
    ),
    BadJob(
        "setting above 1",
        "search:\n  algorithm: SuccessiveHalving\n  settings:\n  - 0.2\n  - 1.5\n",
        ["line 5, search.settings.1: must be a rate in [0, 1)", "Received: 1.5"],
    ),
    BadJob(
        "rungs of epochs",
        "search: {algorithm: SuccessiveHalving, rungs: [10, 15]}\n",
        ["line 1, search.rungs.0: must be a fraction in (0, 1)", "Received: 10"],
    ),
    BadJob(
        "smoothing 0",
        "search: {algorithm: SuccessiveHalving, smoothing: 0}\n",
        ["search.smoothing: must be at least 1"],
    ),
    BadJob(
        "trials of late halving",
        "search: {algorithm: SuccessiveHalving, max_trials: 9}\n",
        ["search.max_trials: is not a known key", "settings", "rungs"],
    ),
    BadJob(
        "too few epochs for rungs",
        "search: {algorithm: SuccessiveHalving}\ntraining:\n  epochs: 3\n",
        ["line 3, training.epochs: must be large enough", "Received: 3"],
    ),
    BadJob(
        "objective without direction",
        "objective: val_acuracy\n",
        [
            "line 1, objective.direction: must be 'min' or 'max'",
            "Did you mean 'val_accuracy'?",
        ],
    ),
    BadJob(
        "unknown direction",
        "objective: {metric: x, direction: up}\n",
        ["objective.direction", "'up'"],
    ),
    BadJob(
        "limit of the gap of the gap",
        "objective: {metric: gap_loss, gap_limit: 0.1}\n",
        ["objective.gap_limit", "must not be given"],
    ),
    BadJob(
        "limit below 0", "objective: {gap_limit: -1}\n", ["must be at least 0", "-1"]
    ),
    BadJob(
        "objective as number",
        "objective: 3\n",
        ["objective: must be a logged name", "3"],
    ),
    # space
    BadJob(
        "empty space", "space: {}\n", ["line 1, space: must name at least one layer"]
    ),
    BadJob(
        "space as number", "space: 0.5\n", ["line 1, space: must be a mapping", "0.5"]
    ),
    BadJob(
        "fixed space",
        "space: {'*': 0.3}\n",
        ["space: must contain at least one rate", "{'*': 0.3}"],
    ),
    # the rest
    BadJob(
        "no epochs",
        "training: {epochs: 0}\n",
        ["training.epochs: must be at least 1", "0"],
    ),
    BadJob(
        "epochs as flag", "training: {epochs: true}\n", ["must be an integer", "True"]
    ),
    BadJob("patience 0", "training: {early_stopping: 0}\n", ["must be at least 1"]),
    BadJob(
        "one seed",
        "confirm: {seeds: 1}\n",
        ["confirm.seeds", "at least 2", "Received: 1"],
    ),
    BadJob("no workers", "workers: 0\n", ["line 1, workers: must be at least 1"]),
    BadJob(
        "ray_address as number",
        "ray_address: 8080\n",
        ["line 1, ray_address: must be a text. Received: 8080"],
    ),
    BadJob(
        "ray_address without port",
        "ray_address: 10.0.0.1\n",
        ["line 1, ray_address: must be 'auto'", "Received: ray_address='10.0.0.1'"],
    ),
    BadJob(
        "negative GPUs",
        "gpus_per_worker: -1\n",
        ["line 1, gpus_per_worker: must be at least 0.0. Received: -1"],
    ),
    BadJob(
        "GPUs as text",
        "gpus_per_worker: one\n",
        ["line 1, gpus_per_worker: must be a number. Received: 'one'"],
    ),
    BadJob(
        "one and a half GPUs",
        "gpus_per_worker: 1.5\n",
        ["line 1, gpus_per_worker: must be a whole number if it is above 1"],
    ),
    BadJob("no output", "output: ''\n", ["output: must not be empty"]),
    # Paths, numbers and texts that are out of range
    BadJob(
        "no such user",
        "data:\n  npz: ~nosuch/x.npz\n",
        ["line 2, data.npz: must be a path. Received: '~nosuch/x.npz'", "'nosuch'"],
    ),
    BadJob(
        "output of no such user", "output: ~nosuch\n", ["line 1, output", "'nosuch'"]
    ),
    BadJob(
        "NUL in a path", 'output: "a\\0b"\n', ["line 1, output: must be a path", "NUL"]
    ),
    BadJob(
        "NUL in the path of a model", 'model: {file: "a\\0"}\n', ["model.file", "NUL"]
    ),
    BadJob("NUL in the path of a text", 'data: {text: "a\\0"}\n', ["data.text", "NUL"]),
    BadJob(
        "too long a name", f"output: {'x' * 300}\n", ["line 1, output", "255 bytes"]
    ),
    BadJob(
        "half a character", 'output: "\\ud800"\n', ["line 1, output: contains half"]
    ),
    BadJob("half a character as key", '"\\ud800": 1\n', ["line 1: contains half of a"]),
    BadJob(
        "units beyond any memory",
        mlp("units: [4611686018427387904]"),
        ["line 1, model.units.0: must be at most 1000000", "4611686018427387904"],
    ),
    BadJob(
        "trials beyond counting",
        f"search: {{max_trials: {2**70}}}\n",
        ["search.max_trials: must be below 2147483648"],
    ),
    BadJob(
        "epochs beyond counting",
        f"training: {{epochs: {2**62}}}\n",
        ["training.epochs"],
    ),
    BadJob(
        "seeds beyond counting", f"confirm: {{seeds: {2**62}}}\n", ["confirm.seeds"]
    ),
    BadJob(
        "samples beyond counting",
        iris(f"train_size: {2**62}"),
        ["data.train_size: must be a number of samples"],
    ),
    BadJob(
        "a file of another kind",
        "data: {excel: d.xlsx, target: y}\n",
        ["Received: 'excel', 'target'. Other files are read by", "my_data:load}"],
    ),
    BadJob(
        "kind of search as text",
        "search: random\n",
        [
            "search: must be a mapping. Received: 'random'.",
            "Write one such as {algorithm:",
        ],
    ),
    # Overrides
    BadJob(
        "override without value",
        MLP,
        ["--set training.epochs: must"],
        overrides=["training.epochs"],
    ),
    BadJob(
        "override of an unknown key",
        MLP,
        ["--set training.epoch=3, training.epoch", "Did you mean 'epochs'?"],
        overrides=["training.epoch=3"],
    ),
    BadJob(
        "override out of range",
        MLP,
        ["--set training.epochs=0, training.epochs: must"],
        overrides=["training.epochs=0"],
    ),
    BadJob(
        "override below a number",
        f"{MLP}training: {{epochs: 3}}\n",
        ["not a mapping", "It is 3"],
        overrides=["training.epochs.x=1"],
    ),
    BadJob(
        "override past a list",
        mlp("units: [8]"),
        ["a list of 1", "from 0"],
        overrides=["model.units.1=4"],
    ),
    # Limits of the search
    *(
        BadJob(
            f"timeout {value}",
            f"search:\n  timeout: {value}\n",
            [
                "line 2, search.timeout: must be a number of seconds above 0, or a "
                "text such as '90s', '2min' or '1h30m'. Received: timeout=",
            ],
        )
        for value in ("0", "-5", ".nan", ".inf", "soon", "''", "true", "[2]")
    ),
    BadJob(
        "no patience",
        "search:\n  patience: 0\n",
        ["line 2, search.patience: must be at least 1. Received: 0"],
    ),
    BadJob(
        "median as number",
        "search:\n  median_stopping: 3\n",
        [
            "line 2, search.median_stopping: must be True, False, or a",
            "in a job: true, false, or a mapping",
        ],
    ),
    BadJob(
        "misspelt key of the median",
        "search:\n  median_stopping: {warmup_epoch: 3}\n",
        ["search.median_stopping: must have no other keys", "'warmup_epochs'?"],
    ),
    BadJob(
        "bad value of the median",
        "search:\n  median_stopping:\n    warmup_trials: 0\n",
        [
            "line 3, search.median_stopping.warmup_trials: must be an integer of at",
            "Received: warmup_trials=0",
        ],
    ),
    BadJob(
        "retry as text",
        "search:\n  retry_failed: often\n",
        ["line 2, search.retry_failed: must be true or false", "'often'"],
    ),
    BadJob(
        "initial trials as number",
        "search:\n  initial_trials: 0.2\n",
        ["line 2, search.initial_trials: must be a sequence", "Received"],
    ),
    BadJob(
        "a bad initial trial",
        "search:\n  initial_trials:\n  - 0.2\n  - 1.2\n",
        ["line 4, search.initial_trials.1: must be a rate in [0, 1)", "1.2"],
    ),
    BadJob(
        "more initial trials than trials",
        "search:\n  max_trials: 1\n  initial_trials: [0.2, 0.3]\n",
        ["line 3, search.initial_trials: must not be more than the 1 trials", "Raise"],
    ),
    *(
        BadJob(
            f"{key} of {algorithm}",
            f"search:\n  algorithm: {algorithm}\n  {key}: {value}\n",
            [
                f"line 3, search.{key}: is not supported by {algorithm}. Received: "
                f"{key}=",
                way_out,
            ],
        )
        for algorithm, key, value, way_out in [
            ("Hyperband", "median_stopping", "true", "Use RandomSearch"),
            ("Hyperband", "patience", "3", "Use 'timeout'"),
            ("SuccessiveHalving", "median_stopping", "true", "Use RandomSearch"),
            ("SuccessiveHalving", "patience", "3", "Use 'timeout'"),
            ("SuccessiveHalving", "initial_trials", "[0.2]", "Pass them as 'settings'"),
        ]
    ),
    BadJob(
        "override that is not YAML",
        MLP,
        ["is not YAML"],
        overrides=["training.epochs=[1"],
    ),
    BadJob(
        "override with an object of Python",
        MLP,
        ["--set output", "has the tag"],
        overrides=["output=!!python/object/apply:os.system [ls]"],
    ),
    BadJob(
        "override without key", MLP, ["--set =3: must be key=value"], overrides=["=3"]
    ),
]


@pytest.mark.parametrize("job", CASES, ids=name_of)
def test_bad_job_is_refused_with_line_key_and_remedy(job, tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(job.text)
    with pytest.raises(JobError) as raised:
        load_job(path, job.overrides)
    message = str(raised.value)
    missing = [part for part in job.says if part not in message]
    assert not missing, message
    assert str(path) in message


@pytest.mark.parametrize("bad", ENTRIES, ids=name_of)
def test_bad_entry_of_a_space_is_refused_with_its_line_and_key(bad, job_of):
    entry = yaml.safe_dump({"*": bad.entry}, default_flow_style=True, width=math.inf)
    with pytest.raises(JobError) as raised:
        job_of(f"space:\n  {entry}")
    key = ".".join(map(str, ("space", "*", *bad.key)))
    message = str(raised.value)
    assert f"line 2, {key}: " in message
    missing = [part for part in bad.says if part not in message]
    assert not missing, message


def test_all_problems_are_reported_at_once(job_of):
    with pytest.raises(JobError) as raised:
        job_of(
            """\
            model: {architecture: mlp, untis: 3}
            data:
              sklearn: digit
              label_noise: 2
            search: {algorithm: GridSerch}
            training: {epochs: 0}
            """,
            "confirm.seeds=-1",
            "nonsense",
        )
    keys = {(problem.place, problem.key) for problem in raised.value.problems}
    assert keys == {
        ("line 1", "model.untis"),
        ("line 3", "data.sklearn"),
        ("line 4", "data.label_noise"),
        ("line 5", "search.algorithm"),
        ("line 6", "training.epochs"),
        ("--set confirm.seeds=-1", "confirm.seeds"),
        ("--set nonsense", ""),
    }


def test_all_problems_of_a_space_are_reported_with_their_lines(job_of):
    with pytest.raises(JobError) as raised:
        job_of(
            """\
            space:
              first: {low: a, hihg: 0.3, values: [0.1, 2]}
              second:
                schedule:
                  start: {low: 0.1, high: 7}
                  steps: 0
              third: [0.1, 1.5]
              fourth: half
            """
        )
    assert {(problem.place, problem.key) for problem in raised.value.problems} == {
        ("line 2", "space.first.low"),
        ("line 2", "space.first.hihg"),
        ("line 2", "space.first.values.1"),
        ("line 5", "space.second.schedule.start.high"),
        ("line 4", "space.second.schedule.end"),
        ("line 6", "space.second.schedule.steps"),
        ("line 7", "space.third.1"),
        ("line 8", "space.fourth"),
    }


def test_each_unreadable_file_has_its_error(tmp_path):
    (tmp_path / "digits_mlp.yaml").write_text(MLP)
    with pytest.raises(JobError, match="no such file.*Did you mean 'digits_mlp.yaml'"):
        load_job(tmp_path / "digit_mlp.yaml")
    with pytest.raises(JobError, match="is a directory.*path of a YAML file"):
        load_job(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"a: 1\noutput: \xe4\n")
    with pytest.raises(JobError, match="line 2: is not UTF-8"):
        load_job(tmp_path / "latin.yaml")
    (tmp_path / "large.yaml").write_text("#" * 2_000_000)
    with pytest.raises(JobError, match="larger than 1,000,000 bytes"):
        load_job(tmp_path / "large.yaml")


def test_reading_executes_no_code(tmp_path):
    proof = tmp_path / "proof"
    path = tmp_path / "job.yaml"
    path.write_text(f"output: !!python/object/apply:os.mkdir ['{proof}']\n")
    with pytest.raises(JobError):
        load_job(path)
    assert not proof.exists()


def test_hint_is_at_the_intended_key(job_of):
    for text, hint in (
        ("data: {seed: 1, txet: a}\n", "Did you mean 'text'?"),
        ("data: {label_noise: 0.1, kears: mnist}\n", "Did you mean 'keras'?"),
        ("data: {feather: a, test: b}\n", None),
    ):
        with pytest.raises(JobError) as raised:
            job_of(text)
        assert (hint or "Other files") in str(raised.value)
        assert hint or "Did you mean" not in str(raised.value)


def test_wrong_entry_is_one_problem(job_of):
    with pytest.raises(JobError) as raised:
        job_of(mlp("units: [a]"))
    assert [problem.key for problem in raised.value.problems] == ["model.units.0"]


@pytest.mark.parametrize("path", ["a\0b", "x" * 300, "~nosuch/job.yaml"])
def test_impossible_path_is_an_error_of_the_job(path):
    with pytest.raises(JobError, match="cannot be used:"):
        load_job(path)
