"""The demo: its data, its arms, its statistics, and a short run of all of it."""

import csv
import io
import itertools
import types

import numpy as np
import pytest
from sklearn.datasets import load_digits
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from kdropout import _files
from kdropout._label_noise import with_noise
from kdropout.demo import experiment, report, run, training
from kdropout.demo.experiment import Progress
from kdropout.demo.training import ARMS, ShuffledBatches, noisy_digits

# The demo is one program on every backend.
pytestmark = pytest.mark.on_one_backend

EPOCHS = 2
SEEDS = 2


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Run a short demo; return its folder and its trainings."""
    folder = tmp_path_factory.mktemp("output")
    (folder / "notes.txt").write_text("the user's own")
    (folder / "results.csv").write_text("of an earlier demo")
    return folder, run(seeds=SEEDS, epochs=EPOCHS, output=folder)


def test_noise_replaces_the_given_share_of_training_and_validation_labels():
    clean, noisy = noisy_digits(0, 0.0), noisy_digits(0, 0.3)
    for part, size in (("training", 900), ("validation", 400)):
        (images, true), (same, labels) = getattr(clean, part), getattr(noisy, part)
        replaced = round(0.3 * size)
        # One in ten of the random labels is right: binomial(replaced, 0.9), 5 sigma.
        bound = 5 * np.sqrt(replaced * 0.9 * 0.1)
        assert len(labels) == size
        assert abs((labels != true).sum() - 0.9 * replaced) < bound
        np.testing.assert_array_equal(images, same)
    np.testing.assert_array_equal(clean.test[1], noisy.test[1])
    assert len(noisy.test[1]) == 1797 - 900 - 400


def test_noise_is_uniform_over_the_classes():
    labels = with_noise(np.zeros(9000, int), 1.0, 10, np.random.default_rng(0))
    bound = 5 * np.sqrt(9000 * 0.1 * 0.9)  # 5 sigma of binomial(9000, 0.1)
    assert np.all(np.abs(np.bincount(labels, minlength=10) - 900) < bound)


def test_parts_are_scaled_disjoint_and_complete():
    digits = noisy_digits(0, 0.0)
    parts = [digits.training, digits.validation, digits.test]
    images = np.concatenate([images for images, _ in parts])
    labels = np.concatenate([labels for _, labels in parts])
    expected, true = load_digits(return_X_y=True)
    rows = np.column_stack([images * 16.0, labels])
    expected = np.column_stack([expected, true])
    assert sorted(map(tuple, rows)) == sorted(map(tuple, expected))
    assert images.min() == 0.0
    assert images.max() == 1.0


def test_seed_decides_the_data():
    first, again, other = (noisy_digits(seed, 0.3) for seed in (1, 1, 2))
    for part in ("training", "validation", "test"):
        for a, b in zip(getattr(first, part), getattr(again, part), strict=True):
            np.testing.assert_array_equal(a, b)
    assert np.any(first.training[0] != other.training[0])


def test_all_arms_start_from_the_same_weights():
    def weights(arm, seed):
        model = training.build_model(arm, seed, num_steps=10, num_samples=900)
        dense = [layer for layer in model.layers if hasattr(layer, "kernel")]
        return [weight for layer in dense for weight in layer.get_weights()]

    reference = weights(ARMS[0], 0)
    for arm in ARMS[1:]:
        for a, b in zip(reference, weights(arm, 0), strict=True):
            np.testing.assert_array_equal(a, b)
    assert np.any(reference[0] != weights(ARMS[0], 1)[0])


def test_seed_decides_the_new_order_of_batches_in_each_epoch():
    def epochs(seed):
        batches = ShuffledBatches((np.arange(10), np.arange(10) * 2), 4, seed)
        for _ in range(2):
            parts = [batches[index] for index in range(len(batches))]
            assert [len(labels) for _, labels in parts] == [4, 4, 2]
            images, labels = map(np.concatenate, zip(*parts, strict=True))
            np.testing.assert_array_equal(images * 2, labels)
            yield list(images)
            batches.on_epoch_end()

    first, second = epochs(0)
    assert first != second
    assert sorted(first) == sorted(second) == list(range(10))
    assert [first, second] == list(epochs(0))
    assert [first, second] != list(epochs(1))


def test_table_shows_means_and_pairs_by_seed():
    errors = {arm.name: [0.06, 0.08, 0.10] for arm in ARMS}
    errors["no_dropout"] = [0.16, 0.18, 0.20]  # 10 points more for each seed
    errors["learned"] = [0.20, 0.18, 0.16]
    history = {"gap_loss": [9.0] + [0.5] * 5, "naive_gap_loss": [9.0] + [-0.25] * 5}
    fits = [
        training.Fit(arm, seed, error, history, {"drop1": 0.1, "drop2": 0.2}, 1.0)
        for arm in ARMS
        for seed, error in reversed(list(enumerate(errors[arm.name])))
    ]
    lines = report.table(fits).splitlines()
    row = next(line for line in lines if line.startswith("fixed"))
    assert row.split("  ")[0] == "fixed at 0.5"
    # t(0.975; 2) = 4.303; s = 2; the differences do not vary.
    for cell in ("8.0 +- 5.0", "-10.0 +- 0.0", "better", " 0.50 ", "-0.25", "0.10"):
        assert cell in row
    learned = next(line for line in lines if line.startswith("learned"))
    assert "undecided" in learned
    assert "  learned by gradient: +10.0 +- 9.9, worse" in lines
    assert "Mean over 3 seeds" in report.table(fits)


@pytest.mark.slow
def test_table_and_csv_agree(finished):
    folder, fits = finished
    with open(folder / "results.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["seed"], row["arm"]) for row in rows] == [
        (str(seed), arm.name) for seed in range(SEEDS) for arm in ARMS
    ]
    for row, fit in zip(rows, fits, strict=True):
        assert float(row["test_error"]) == pytest.approx(fit.test_error, abs=1e-6)
        assert float(row["clean_gap_loss"]) == pytest.approx(
            np.mean(fit.history["gap_loss"]), abs=1e-6
        )
        assert float(row["rate_drop1"]) == pytest.approx(fit.rates["drop1"], abs=1e-6)


@pytest.mark.slow
def test_history_has_gaps_and_rates_of_each_epoch(finished):
    for fit in finished[1]:
        for name in ("gap_loss", "naive_gap_loss", "rate/drop1", "rate/drop2"):
            assert len(fit.history[name]) == EPOCHS
    no_dropout, fixed, scheduled, learned, controlled = finished[1][: len(ARMS)]
    assert set(no_dropout.rates.values()) == {0.0}
    assert set(fixed.rates.values()) == {0.5}
    # The last of 58 steps has the number 57; gamma is 10 / 58.
    assert scheduled.rates["drop1"] == pytest.approx(
        0.7 * (1 - np.exp(-57 * 10 / 58)), abs=1e-5
    )
    assert learned.rates["drop1"] != pytest.approx(0.3, abs=1e-3)
    assert controlled.history["rate/drop1"][0] == pytest.approx(0.3)
    assert controlled.history["rate/drop1"][1] != pytest.approx(0.3, abs=1e-3)


@pytest.mark.slow
def test_run_writes_picture_and_logs_and_keeps_other_files(finished):
    folder, _ = finished
    assert sorted(path.name for path in folder.iterdir()) == [
        "demo.png",
        "notes.txt",
        "results.csv",
        "tensorboard",
    ]
    picture = (folder / "demo.png").read_bytes()
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(picture) > 20_000
    for arm in ARMS:
        for seed in range(SEEDS):
            logs = EventAccumulator(
                str(folder / "tensorboard" / arm.name / f"seed-{seed}")
            )
            logs.Reload()
            tags = logs.Tags()["scalars"]
            assert {"overfitting_gap/loss", "dropout_rate/drop1"} <= set(tags)
            assert len(logs.Scalars("overfitting_gap/loss")) == EPOCHS


@pytest.mark.slow
def test_run_can_be_repeated_bit_for_bit(finished):
    again = training.train(
        ARMS[1], noisy_digits(0, 0.3), 0, EPOCHS, finished[0] / "x", print
    )
    assert again.history["gap_loss"] == finished[1][1].history["gap_loss"]


def test_only_logs_of_an_earlier_demo_are_removed(tmp_path):
    run_folder = tmp_path / "fixed" / "seed-7" / "train"
    run_folder.mkdir(parents=True)
    (run_folder / "events.out.tfevents.1.host").touch()
    others = [run_folder / "notes.txt", tmp_path / "events.out.tfevents.2.host"]
    for path in others:
        path.touch()
    experiment.remove_logs(tmp_path)
    assert sorted(p for p in tmp_path.rglob("*") if p.is_file()) == sorted(others)


def test_file_is_either_complete_or_unchanged(tmp_path):
    path = tmp_path / "results.csv"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), _files.replacing(path) as temporary:
        temporary.write_text("ne")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    with _files.replacing(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seeds": 1}, "'seeds' must be an integer of at least 2.*seeds=1"),
        ({"noise": 1.5}, r"'noise' must be a number in \[0, 1\].*noise=1.5"),
        ({"epochs": 0}, "'epochs' must be an integer of at least 1.*epochs=0"),
    ],
)
def test_error_names_the_bad_argument(arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        run(output=tmp_path / "output", **arguments)
    assert list(tmp_path.iterdir()) == []


class Terminal(io.StringIO):
    def isatty(self):
        return True


def report_progress(stream):
    progress = Progress(stream, num_fits=10, epochs=2)
    progress.begin(seed=3, arm=ARMS[1])
    progress.epoch(0)
    progress.epoch(1)
    progress.end(types.SimpleNamespace(test_error=0.0523, seconds=6.12))
    progress.note("The target is out of reach.")


@pytest.fixture
def clock(monkeypatch):
    """Make the first training of a progress take 6.1 seconds."""
    times = itertools.chain([0.0], itertools.repeat(6.1))
    monkeypatch.setattr(experiment.time, "monotonic", lambda: next(times))


@pytest.mark.usefixtures("clock")
def test_progress_is_one_line_on_a_terminal():
    stream = Terminal()
    report_progress(stream)
    line, note, _ = stream.getvalue().split("\n")
    assert note == "    The target is out of reach."
    shown = [text.rstrip() for text in line.split("\r")]
    assert shown == [
        "",
        "[ 1/10] seed 3, fixed at 0.5: starting",
        "[ 1/10] seed 3, fixed at 0.5: epoch 1 of 2",
        "[ 1/10] seed 3, fixed at 0.5: epoch 2 of 2",
        "[ 1/10] seed 3, fixed at 0.5: test error 5.2%, 6.1 s, about 55 s left",
    ]


@pytest.mark.usefixtures("clock")
def test_progress_in_a_file_is_one_line_per_training():
    stream = io.StringIO()
    report_progress(stream)
    expected = "[ 1/10] seed 3, fixed at 0.5: test error 5.2%, 6.1 s, about 55 s left\n"
    expected += "    The target is out of reach.\n"
    assert stream.getvalue() == expected
