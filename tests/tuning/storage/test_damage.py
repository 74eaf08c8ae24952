"""Missing or damaged files do not stop a search."""

import json
import pathlib
import shutil
import warnings

import keras_tuner
import pytest

from tests.tuning.storage import kills

DAMAGES = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-40]),
    "other": lambda path: path.write_text('{"tuner": 1}'),
    "list": lambda path: path.write_text("[1, 2]"),
    "binary": lambda path: path.write_bytes(b"\xff\xfe\x00\x81" * 20),
}
ALGORITHMS = list(kills.ALGORITHMS)
# Damage to a file does not depend on the algorithm, and this one is slow.
CASES = [
    (algorithm, damage)
    for algorithm in ALGORITHMS
    for damage in DAMAGES
    if algorithm != "bayesian" or damage == "truncated"
]
STOPPED_AFTER = {"random": 9, "bayesian": 8, "hyperband": 15, "grid": 11, "halving": 10}
TRIALS = {"random": 14, "grid": 16}


class Stop(BaseException):
    """Stops a search in mid-trial, like a kill."""


def make_tuner(algorithm, folder, stop_at=None, **kwargs):
    if algorithm in TRIALS:
        kwargs.setdefault("max_trials", TRIALS[algorithm])
    tuner = kills.make_tuner(algorithm, folder, **kwargs)

    def on_trial_begin(trial):
        if stop_at is not None and len(tuner.oracle.end_order) == stop_at:
            raise Stop

    tuner.on_trial_begin = on_trial_begin
    return tuner


def stop(algorithm, folder, **kwargs):
    tuner = make_tuner(algorithm, folder, STOPPED_AFTER[algorithm], **kwargs)
    with pytest.raises(Stop):
        tuner.search(verbose=0)
    return pathlib.Path(folder, "search")


@pytest.fixture(scope="module")
def searches(tmp_path_factory):
    """For each algorithm, return the results of a search and a folder of half of it."""
    made = {}
    for algorithm in ALGORITHMS:
        whole = tmp_path_factory.mktemp("whole")
        make_tuner(algorithm, whole).search(verbose=0)
        half = tmp_path_factory.mktemp("half")
        stop(algorithm, half)
        made[algorithm] = (kills.results(whole), half)
    return made


@pytest.fixture
def halved(searches, tmp_path):
    """Return a function that copies the folder of half a search."""

    def copy(algorithm):
        whole, half = searches[algorithm]
        shutil.copytree(half, tmp_path, dirs_exist_ok=True)
        return whole, tmp_path / "search"

    return copy


def goes_on(algorithm, project, **kwargs):
    """Run the search to its end; return its results."""
    tuner = make_tuner(algorithm, project.parent, **kwargs)
    noted = len(kills.notes(project.parent))
    tuner.search(verbose=0)
    return kills.results(project.parent), kills.notes(project.parent)[noted:]


@pytest.mark.parametrize(("algorithm", "damage"), CASES)
def test_search_is_rebuilt_without_its_file(algorithm, damage, halved):
    whole, project = halved(algorithm)
    DAMAGES[damage](project / "oracle.json")
    with pytest.warns(UserWarning, match="oracle.json' was missing or damaged"):
        results, run = goes_on(algorithm, project)
    assert results == whole
    assert len(run) == len(whole) - STOPPED_AFTER[algorithm]  # none a second time


@pytest.mark.parametrize(("algorithm", "damage"), CASES)
def test_search_continues_without_the_file_of_the_tuner(algorithm, damage, halved):
    whole, project = halved(algorithm)
    DAMAGES[damage](project / "tuner0.json")
    results, run = goes_on(algorithm, project)
    assert results == whole
    assert len(run) == len(whole) - STOPPED_AFTER[algorithm]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_search_continues_without_the_files_of_trials(algorithm, halved):
    whole, project = halved(algorithm)
    for number, folder in enumerate(sorted(project.glob("trial_*"))):
        list(DAMAGES.values())[number % len(DAMAGES)](folder / "trial.json")
    results, run = goes_on(algorithm, project)
    assert results == whole
    assert len(run) == len(whole) - STOPPED_AFTER[algorithm]


@pytest.mark.parametrize(("algorithm", "damage"), CASES)
def test_trial_whose_file_is_lost_is_run_again(algorithm, damage, halved):
    whole, project = halved(algorithm)
    for name in ("oracle.json", "tuner0.json"):
        DAMAGES[damage](project / name)
    folders = sorted(project.glob("trial_*"))
    DAMAGES[damage](folders[4] / "trial.json")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        results, run = goes_on(algorithm, project)
    named = [str(w.message) for w in caught]
    assert any("oracle.json' was missing or damaged" in text for text in named)
    if damage != "missing":
        assert any("trial.json' is damaged" in text for text in named)
    assert folders[4].name.endswith(run[0])  # the oldest first
    assert sorted(results) == sorted(whole)
    assert len(run) == len(whole) - STOPPED_AFTER[algorithm] + 1


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_missing_folder_of_a_trial_loses_no_other(algorithm, halved):
    whole, project = halved(algorithm)
    (project / "oracle.json").unlink()
    folders = sorted(project.glob("trial_*"))
    for number in (2, 5):
        shutil.rmtree(folders[number])
    with pytest.warns(UserWarning, match="oracle.json"):
        results, _ = goes_on(algorithm, project)
    by_number = {entry[0]: entry for entry in results}
    kept = [f.name.removeprefix("trial_") for f in folders]
    for entry in whole:
        if entry[0] in kept and entry[0] not in (kept[2], kept[5]):
            assert by_number[entry[0]] == entry
    assert len(by_number) == len(results) >= len(whole)


def test_search_without_a_given_seed_is_rebuilt_identically(tmp_path):
    whole = make_tuner("random", tmp_path / "whole", seed=None)
    seed = whole.oracle.seed
    whole.search(verbose=0)
    project = stop("random", tmp_path / "half", seed=seed)
    (project / "oracle.json").unlink()
    with pytest.warns(UserWarning, match="oracle.json"):
        tuner = make_tuner("random", tmp_path / "half", seed=None)
    assert tuner.oracle.seed == seed
    tuner.search(verbose=0)
    assert kills.results(tmp_path / "half") == kills.results(tmp_path / "whole")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_search_with_another_seed_keeps_its_results(algorithm, halved):
    whole, project = halved(algorithm)
    for name in ("oracle.json", "tuner0.json"):
        (project / name).unlink()
    with pytest.warns(UserWarning, match="oracle.json"):
        results, run = goes_on(algorithm, project, seed=77)
    kept = STOPPED_AFTER[algorithm] + 1
    assert results[:kept] == whole[:kept]
    values = [
        {k: v for k, v in entry[1].items() if not k.startswith("tuner/")}
        for entry in results
        if "tuner/trial_id" not in entry[1]
    ]
    assert all(values.count(one) == 1 for one in values)
    assert len(run) == len(whole) - STOPPED_AFTER[algorithm]


@pytest.mark.parametrize("damage", DAMAGES)
def test_search_without_files_to_rebuild_from_raises_with_a_remedy(damage, tmp_path):
    project = stop("random", tmp_path)
    for path in project.rglob("*.json"):
        if damage != "missing" or path.name != "tuner0.json":
            DAMAGES[damage](path)
    with (
        warnings.catch_warnings(),
        pytest.raises(RuntimeError, match="search' cannot be resumed.*overwrite="),
    ):
        warnings.simplefilter("ignore")  # each damaged file is reported before
        make_tuner("random", tmp_path)
    make_tuner("random", tmp_path, overwrite=True).search(verbose=0)
    assert len(kills.results(tmp_path)) == TRIALS["random"]


STOCK = {
    "random": keras_tuner.RandomSearch,
    "bayesian": keras_tuner.BayesianOptimization,
    "hyperband": keras_tuner.Hyperband,
    "grid": keras_tuner.GridSearch,
}


@pytest.mark.parametrize(
    "algorithm",
    [
        pytest.param(a, marks=[pytest.mark.slow] if a == "bayesian" else [])
        for a in STOCK
    ],
)
def test_project_of_keras_tuner_is_continued(
    algorithm, searches, tmp_path, monkeypatch
):
    whole, _ = searches[algorithm]
    _, arguments = kills.ALGORITHMS[algorithm]
    with monkeypatch.context() as patch:
        patch.setitem(kills.ALGORITHMS, algorithm, (STOCK[algorithm], arguments))
        project = stop(algorithm, tmp_path)
    found = {
        path.parent.name.removeprefix("trial_"): json.loads(path.read_text())
        for path in project.glob("trial_*/trial.json")
    }
    assert "trials" not in json.loads((project / "oracle.json").read_text())
    results, run = goes_on(algorithm, project)
    assert len(run) == len(whole) - STOPPED_AFTER[algorithm]
    for trial_id, values, score, _ in results[: STOPPED_AFTER[algorithm]]:
        assert found[trial_id]["hyperparameters"]["values"] == values
        assert found[trial_id]["score"] == score
    if algorithm != "bayesian":  # there the random numbers differ
        assert results == whole
