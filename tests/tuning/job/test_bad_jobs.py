"""Every bad job is refused with what was received, what is expected, and the way out.

To add a case, add an entry: the text of the file, or a list of that and overrides; then
parts of the message. All of this is found without reading any data.
"""

import pytest

from kdropout.tuning.job import JobError, load_job

DATA = "data: {sklearn: iris}\n"
MLP = "model: {architecture: mlp}\n"


def space(entry):
    return f'space:\n  "*": {entry}\n'


CASES = {
    # The file
    "empty": ("", "is empty", "at least a model and data"),
    "comments only": ("# nothing\n", "is empty"),
    "a list": ("- 3\n", "line 1: must be a mapping", "Received: [3]"),
    "a text": ("mlp\n", "line 1: must be a mapping", "Received: 'mlp'"),
    "a tab": ("model:\n\tarchitecture: mlp\n", "line 2: begins with a tab", "spaces"),
    "a tab after spaces": ("data:\n  \tsklearn: iris\n", "line 2", "tab", "spaces"),
    "brackets left open": ("a: [1\n", "line 2: is not YAML", "Received:"),
    "two colons": ("a: b: c\n", "line 1: is not YAML", "Received: 'a: b: c'"),
    "two documents": ("a: 1\n---\nb: 2\n", "line 2: is not YAML", "single document"),
    "control characters": ("a: \x07\n", "is not text that YAML allows"),
    "a star without quotes": (
        *("space:\n  *: [0, 1]\n", "line 2", 'begins with * into quotes, such as "*"'),
    ),
    "an alias": ("a: &x 3\nb: *x\n", "line 2", "aliases are not allowed", "again"),
    "objects of Python": (
        *(
            "model: !!python/object/apply:os.system [ls]\n",
            "line 1, model: has the tag",
        ),
        *("'!!python/object/apply:os.system'", "plain values only", "Remove the tag"),
    ),
    "a name of Python": (
        *("model:\n  build: !!python/name:os.system\n", "line 2, model.build"),
        "'!!python/name:os.system'",
    ),
    "an own tag": ("output: !secret x\n", "line 1, output: has the tag '!secret'"),
    "a duplicate key": (
        *(f"{MLP}data:\n  seed: 1\n  seed: 2\n", "line 4, data.seed: is given twice"),
        "first in line 3",
    ),
    "a number as key": ("3: 4\n", "line 1: a key must be a text. Received: '3'"),
    "deep nesting": ("a: " + "[" * 5000 + "]" * 5000, "nested too deeply"),
    # Keys
    "unknown key": (
        "serach: {}\n",
        "line 1, serach: is not a known key",
        "mean 'search'?",
    ),
    "unknown key within": (
        *(
            "training:\n  epoch: 3\n",
            "line 2, training.epoch: is not a known key of 'training'",
        ),
        *("Did you mean 'epochs'?", "The keys are: epochs, batch_size"),
    ),
    "unknown key of a member": (
        *("model:\n  architecture: cnn\n  filter: [8]\n", "line 3, model.filter"),
        *("is not a known key of 'model'. Did you mean 'filters'?",),
    ),
    "key of another member": (
        *("search:\n  algorithm: GridSearch\n  factor: 3\n", "line 3, search.factor"),
        "is not a known key of 'search'. The keys are: algorithm, max_trials, seed",
    ),
    "no mapping": ("training: 5\n", "line 1, training: must be a mapping", "5"),
    "several problems": (
        *("serach: {}\ntraining: {epochs: 0}\n", "line 1, serach", "line 2, training"),
    ),
    # model
    "no kind of model": (
        *("model:\n  units: [3]\n", "line 1, model: must have one of the keys"),
        *("'architecture', 'build', 'file'", "Received: 'units'"),
    ),
    "misspelt kind of model": ("model: {biuld: a:b}\n", "Did you mean 'build'?"),
    "two kinds of model": (
        *("model: {build: a:b, file: c.keras}\n", "not several", "'build', 'file'"),
    ),
    "unknown architecture": (
        *(
            "model:\n  architecture: mpl\n",
            "line 2, model.architecture: must be one of",
        ),
        *("'mlp', 'cnn', 'transformer'", "Received: 'mpl'. Did you mean 'mlp'?"),
    ),
    "model as text": (
        "model: mlp\n",
        *("model: must be a mapping. Received: 'mlp'", "such as {architecture: mlp}"),
    ),
    "no units": (f"{MLP[:-2]}, units: []}}\n", "model.units", "at least 1 entries"),
    "units as number": (
        f"{MLP[:-2]}, units: 8}}\n",
        "model.units: must be a list",
        "8",
    ),
    "half units": (
        *(f"{MLP[:-2]}, units: [8, 2.5]}}\n", "model.units.1: must be an integer"),
        "Received: 2.5",
    ),
    "rate above 1": (f"{MLP[:-2]}, rate: 1.5}}\n", "model.rate: must be at most 1"),
    "flag as text": (
        *(f"{MLP[:-2]}, input_dropout: maybe}}\n", "must be true or false", "'maybe'"),
    ),
    "unknown activation": (f"{MLP[:-2]}, activation: rleu}}\n", "mean 'relu'?"),
    "unknown optimizer": (
        *(
            f"{MLP[:-2]}, optimizer: adm}}\n",
            "model.optimizer: must be an optimizer of",
        ),
        *("Received: 'adm'. Did you mean 'adam'?",),
    ),
    "optimizer without name": (
        *(f"{MLP[:-2]}, optimizer: {{learning_rate: 1}}}}\n", "{name: adam,"),
    ),
    "argument of the optimizer": (
        *(f"{MLP[:-2]}, optimizer: {{name: sgd, lr: 1}}}}\n", "'sgd' does not take"),
        "Received: {'lr': 1}",
    ),
    "unknown loss": (
        *(f"{MLP[:-2]}, loss: mean_square_error}}\n", "model.loss: must be a loss of"),
        "Did you mean 'mean_squared_error'?",
    ),
    "unknown metric": (f"{MLP[:-2]}, metrics: [acuracy]}}\n", "mean 'accuracy'?"),
    "metric that needs arguments": (
        *(f"{MLP[:-2]}, metrics: [precision_at_recall]}}\n", "by its name alone"),
    ),
    "no reference": ("model: {build: models}\n", "must be 'module:function'", "models"),
    "path as reference": ("model: {build: a/b.py:f}\n", "must be 'module:function'"),
    # data
    "no kind of data": ("data: {}\n", "line 1, data: must have one", "Received: none"),
    "two kinds of data": ("data: {npz: a, uci: wine}\n", "not several", "'npz', 'uci'"),
    "unknown set": ("data: {sklearn: digit}\n", "Received: 'digit'. Did you mean"),
    "noise above 1": (f"{DATA[:-2]}, label_noise: 30}}\n", "must be at most 1", "30"),
    "size of a text": (
        f"{DATA[:-2]}, train_size: all}}\n",
        "number of samples",
        "'all'",
    ),
    "size of 0": (f"{DATA[:-2]}, train_size: 0}}\n", "at least 1", "Received: 0"),
    "share above 1": (f"{DATA[:-2]}, train_size: 1.5}}\n", "share between 0 and 1"),
    "split 20": ("data: {uci: wine, split: 20}\n", "data.split: must be at most 19"),
    "seed below 0": (
        f"{DATA[:-2]}, seed: -1}}\n",
        "data.seed: must be at least 0",
        "-1",
    ),
    "unknown task": ("data: {npz: a.npz, task: rank}\n", "data.task", "'rank'"),
    "nan": (f"{DATA[:-2]}, label_noise: .nan}}\n", "must be a finite number", "nan"),
    # search and objective
    "unknown algorithm": (
        *(
            "search: {algorithm: GridSerch}\n",
            "search.algorithm: must be one of 'RandomSearch'",
        ),
        "Received: 'GridSerch'. Did you mean 'GridSearch'?",
    ),
    "no trials": ("search: {max_trials: 0}\n", "search.max_trials: must be at least 1"),
    "trials as float": ("search: {max_trials: 1e2}\n", "must be an integer", "100.0"),
    "trials of hyperband": (
        "search: {algorithm: Hyperband, max_trials: 9}\n",
        *("search.max_trials: is not a known key", "factor", "hyperband_iterations"),
    ),
    "factor 1": ("search: {algorithm: Hyperband, factor: 1}\n", "must be at least 2"),
    "objective without direction": (
        *("objective: val_acuracy\n", "line 1, objective.direction: must say which"),
        *("'min' or 'max'", "Did you mean 'val_accuracy'?"),
    ),
    "unknown direction": (
        *("objective: {metric: x, direction: up}\n", "objective.direction", "'up'"),
    ),
    "limit of the gap of the gap": (
        *("objective: {metric: gap_loss, gap_limit: 0.1}\n", "objective.gap_limit"),
        "must be left out",
    ),
    "limit below 0": ("objective: {gap_limit: -1}\n", "must be at least 0", "-1"),
    "objective as number": ("objective: 3\n", "objective: must be a logged name", "3"),
    # space
    "empty space": ("space: {}\n", "line 1, space: must name at least one layer"),
    "space as number": ("space: 0.5\n", "line 1, space: must be a mapping", "0.5"),
    "fixed space": (space(0.3), "space: must leave a rate to search", "{'*': 0.3}"),
    "bounds the wrong way": (
        *(space("{low: 0.5, high: 0.2}"), "line 2, space.*.low: must be below 'high'"),
        "low=0.5, high=0.2",
    ),
    "pair the wrong way": (
        space("[0.5, 0.2]"),
        "line 2, space.*.0: must be below 'high'",
    ),
    "three bounds": (
        space("[0.1, 0.2, 0.3]"),
        "space.*: must be",
        "a pair",
        "{'values':",
    ),
    "bound above 1": (
        space("[0.0, 1.5]"),
        "space.*.1: must be a number in [0, 1]",
        "1.5",
    ),
    "bound as text": (space("{low: a}"), "space.*.low: must be a number", "'a'"),
    "rate as text": (space("half"), "space.*: must be a rate in [0, 1], a pair"),
    "rate as flag": (space("true"), "space.*: must be a rate", "Received: True"),
    "logarithm of 0": (
        *(space("{sampling: log}"), "space.*.low: must be above 0", "Received: low=0"),
    ),
    "unknown sampling": (space("{sampling: lin}"), "Did you mean 'linear'?"),
    "unknown tie": (space("{across: share}"), "Did you mean 'shared'?"),
    "step that does not fit": (
        *(space("{high: 0.5, step: 0.2}"), "space.*.step: must lead from 'low' to"),
        "high=0.4",
    ),
    "values and bounds": (
        space("{low: 0.05, values: [0.1, 0.2]}"),
        "space.*.values: must",
    ),
    "one value": (space("{values: [0.1]}"), "space.*.values", "at least two"),
    "equal values": (space("{values: [0.1, 0.1]}"), "space.*.values", "different"),
    "default out of bounds": (
        *(space("{high: 0.5, default: 0.6}"), "space.*.default: must be"),
    ),
    "unknown key of rates": (space("{hihg: 0.3}"), "space.*.hihg", "mean 'high'?"),
    "schedule and more": (
        *(space("{schedule: {start: 0, end: 1, steps: 2}, low: 0}"), "space.*.low"),
        "is not a known key beside 'schedule'",
    ),
    "schedule without end": (
        *(
            space("{schedule: {start: 0, steps: 9}}"),
            "space.*.schedule.end: is required",
        ),
    ),
    "schedule of half steps": (
        *(
            space("{schedule: {start: 0, end: 1, steps: 0.5}}"),
            "space.*.schedule.steps",
        ),
        "must be an integer",
    ),
    "schedule of an unknown shape": (
        *(space("{schedule: {start: 0, end: 1, steps: 9, shape: sinus}}"), "'linear'"),
        *("space.*.schedule.shape: must be one of", "'sinus'"),
    ),
    "exponential schedule from 0": (
        space("{schedule: {start: 0, end: 1, steps: 9, shape: exponential}}"),
        *("space.*.schedule.start: must be above 0", "0.001"),
    ),
    "schedule steps the wrong way": (
        space("{schedule: {start: 0, end: 1, steps: [9, 3]}}"),
        *("space.*.schedule.steps", "low below high"),
    ),
    # the rest
    "no epochs": (
        "training: {epochs: 0}\n",
        "training.epochs: must be at least 1",
        "0",
    ),
    "epochs as flag": ("training: {epochs: true}\n", "must be an integer", "True"),
    "patience 0": ("training: {early_stopping: 0}\n", "must be at least 1"),
    "one seed": ("confirm: {seeds: 1}\n", "confirm.seeds", "at least 2", "Received: 1"),
    "no workers": ("workers: 0\n", "line 1, workers: must be at least 1"),
    "ray_address as number": (
        "ray_address: 8080\n",
        "line 1, ray_address: must be a text. Received: 8080",
    ),
    "no output": ("output: ''\n", "output: must not be empty"),
    # Paths, numbers and texts that nothing can hold
    "no such user": (
        "data:\n  npz: ~nosuch/x.npz\n",
        *("line 2, data.npz: must be a path. Received: '~nosuch/x.npz'", "'nosuch'"),
    ),
    "output of no such user": ("output: ~nosuch\n", "line 1, output", "'nosuch'"),
    "NUL in a path": ('output: "a\\0b"\n', "line 1, output: must be a path", "NUL"),
    "NUL in the path of a model": ('model: {file: "a\\0"}\n', "model.file", "NUL"),
    "NUL in the path of a text": ('data: {text: "a\\0"}\n', "data.text", "NUL"),
    "too long a name": (f"output: {'x' * 300}\n", "line 1, output", "255 bytes"),
    "half a character": ('output: "\\ud800"\n', "line 1, output: holds half of a"),
    "half a character as key": ('"\\ud800": 1\n', "line 1: holds half of a"),
    "units beyond any memory": (
        f"{MLP[:-2]}, units: [4611686018427387904]}}\n",
        *("line 1, model.units.0: must be at most 1000000", "4611686018427387904"),
    ),
    "trials beyond counting": (
        f"search: {{max_trials: {2**70}}}\n",
        "search.max_trials: must be below 2147483648",
    ),
    "epochs beyond counting": (f"training: {{epochs: {2**62}}}\n", "training.epochs"),
    "seeds beyond counting": (f"confirm: {{seeds: {2**62}}}\n", "confirm.seeds"),
    "samples beyond counting": (
        f"{DATA[:-2]}, train_size: {2**62}}}\n",
        "data.train_size: must be a number of samples",
    ),
    "steps beyond counting": (
        space(f"{{schedule: {{start: 0, end: 1, steps: {10**400}}}}}"),
        "space.*.schedule.steps",
    ),
    "pair of steps beyond counting": (
        space(f"{{schedule: {{start: 0, end: 1, steps: [{10**390}, {10**399}]}}}}"),
        "space.*.schedule.steps",
    ),
    "a file of another kind": (
        "data: {csv: d.csv, target: y}\n",
        *("Received: 'csv', 'target'. Other files, such as CSV,", "my_data:load}"),
    ),
    "kind of search as text": (
        "search: random\n",
        "search: must be a mapping. Received: 'random'. Write one such as {algorithm:",
    ),
    # Overrides
    "override without value": ([MLP, "training.epochs"], "--set training.epochs: must"),
    "override of an unknown key": (
        *([MLP, "training.epoch=3"], "--set training.epoch=3, training.epoch"),
        "Did you mean 'epochs'?",
    ),
    "override out of range": (
        *([MLP, "training.epochs=0"], "--set training.epochs=0, training.epochs: must"),
    ),
    "override below a number": (
        *([f"{MLP}training: {{epochs: 3}}\n", "training.epochs.x=1"], "not a mapping"),
        "It is 3",
    ),
    "override past a list": (
        *([f"{MLP[:-2]}, units: [8]}}\n", "model.units.1=4"], "a list of 1", "from 0"),
    ),
    "override that is not YAML": ([MLP, "training.epochs=[1"], "is not YAML"),
    "override with an object of Python": (
        *([MLP, "output=!!python/object/apply:os.system [ls]"], "--set output"),
        "has the tag",
    ),
    "override without key": ([MLP, "=3"], "--set =3: must be key=value"),
}


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=name) for name, case in CASES.items()]
)
def test_a_bad_job_is_refused_with_line_key_and_the_way_out(case, tmp_path):
    text, *parts = case
    text, *overrides = [text] if isinstance(text, str) else text
    path = tmp_path / "job.yaml"
    path.write_text(text)
    with pytest.raises(JobError) as raised:
        load_job(path, overrides)
    message = str(raised.value)
    missing = [part for part in parts if part not in message]
    assert not missing, message
    assert str(path) in message


def test_all_problems_are_told_at_once(job_of):
    with pytest.raises(JobError) as raised:
        job_of(
            """\
            model: {architecture: mlp, untis: 3}
            data:
              sklearn: digit
              label_noise: 2
            search: {algorithm: gird}
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


def test_all_problems_of_a_space_are_told_with_their_lines(job_of):
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


def test_a_file_that_cannot_be_read_is_told_apart(tmp_path):
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


def test_nothing_is_executed_by_reading(tmp_path):
    proof = tmp_path / "proof"
    path = tmp_path / "job.yaml"
    path.write_text(f"output: !!python/object/apply:os.mkdir ['{proof}']\n")
    with pytest.raises(JobError):
        load_job(path)
    assert not proof.exists()


def test_a_hint_is_at_a_key_that_was_meant(job_of):
    for text, hint in (
        ("data: {seed: 1, txet: a}\n", "Did you mean 'text'?"),
        ("data: {label_noise: 0.1, kears: mnist}\n", "Did you mean 'keras'?"),
        ("data: {csv: a, test: b}\n", None),
    ):
        with pytest.raises(JobError) as raised:
            job_of(text)
        assert (hint or "Other files") in str(raised.value)
        assert hint or "Did you mean" not in str(raised.value)


def test_an_entry_that_is_wrong_is_one_problem(job_of):
    with pytest.raises(JobError) as raised:
        job_of(f"{MLP[:-2]}, units: [a]}}\n")
    assert [problem.key for problem in raised.value.problems] == ["model.units.0"]


@pytest.mark.parametrize("path", ["a\0b", "x" * 300, "~nosuch/job.yaml"])
def test_a_path_that_cannot_be_is_an_error_of_the_job(path):
    with pytest.raises(JobError, match="cannot be used:"):
        load_job(path)
