"""Real searches, confirmed and reported, in which rates cannot matter."""

import pathlib
import sys

import keras
import numpy as np
import pytest

import kdropout
from kdropout import tuning
from kdropout.tuning import Job

# The result of a search over given scores does not depend on the backend.
pytestmark = pytest.mark.on_one_backend

ROOT = pathlib.Path(__file__).parents[2]

# A branch with dropout that adds nothing: its kernel is 0 and does not train.
WITHOUT_EFFECT = """
import keras
import kdropout

def build(data):
    inputs = keras.Input(data.input_shape)
    hidden = keras.layers.Dense(8, activation="relu")(inputs)
    dropped = kdropout.layers.Dropout(0.3, name="drop")(hidden)
    nothing = keras.layers.Dense(
        8, use_bias=False, kernel_initializer="zeros", trainable=False)(dropped)
    outputs = keras.layers.Dense(data.num_classes, activation="softmax")(
        keras.layers.Add()([hidden, nothing]))
    model = keras.Model(inputs, outputs)
    model.compile("adam", "sparse_categorical_crossentropy")
    return model
"""


@pytest.fixture
def null_runs(monkeypatch):
    """Load the benchmark of ten of these runs, whose network the tests use."""
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    from benchmarks import null_runs

    return null_runs


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.9])
def test_coins_of_the_network_are_fair_at_any_rate(rate, null_runs):
    from benchmarks.fair_coin import FairCoin

    size = (100, 400)
    drop = kdropout.layers.Dropout(rate)
    kept = drop(np.ones(size, "float32"), training=True)
    outputs = FairCoin()(np.ones(size, "float32"), kept, training=True)
    outputs = keras.ops.convert_to_numpy(outputs)
    assert set(np.unique(outputs)) == {0.0, 2.0}
    share = (outputs > 0).mean()
    assert abs(share - 0.5) < 5 * 0.5 / np.sqrt(outputs.size)  # five sigma
    # A coin does not show whether dropout has kept its 1.
    of_kept = (outputs > 0)[keras.ops.convert_to_numpy(kept) > 0]
    assert abs(of_kept.mean() - 0.5) < 5 * 0.5 / np.sqrt(of_kept.size)


# The seeds are the first that the benchmark does not take. Other draws may give another
# verdict: at most one report in 20 claims by chance.
@pytest.mark.slow
@pytest.mark.parametrize("number", [10, 11])
def test_rates_that_only_turn_fair_coins_give_no_claim(number, null_runs):
    report = null_runs.run(number, trials=3, epochs=3, confirm={"top": 2, "seeds": 3})
    row = null_runs.row_of(number, report)
    assert row["comparisons"] == 5  # with no dropout, and of two with one rate for all
    assert row["std_between_seeds"] > 0.0 and row["std_between_settings"] > 0.0
    assert not report.confirmation.has_claim
    assert " than " not in report.verdict


@pytest.mark.slow
def test_report_says_that_rates_have_no_effect(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "without_effect.py").write_text(WITHOUT_EFFECT)
    job = Job(
        model={"build": "without_effect:build"},
        data={"sklearn": "iris"},
        search={"max_trials": 3},
        training={"epochs": 2},
        confirm={"top": 1, "seeds": 2},
        output="results",
    )
    report = tuning.run_job(job, verbose=0)
    scores = report.confirmation.scores
    (first, second) = report.confirmation.seeds
    assert scores["no dropout", first] != scores["no dropout", second]
    assert scores["no dropout", first] == scores["search 1", first]
    assert report.verdict == (
        "The rates found and no dropout have the same test loss with every seed."
    )
    assert report.recommended == "no dropout"
    assert report.answer.code == "kdropout.set_rates(model, {'drop': 0.0})"
