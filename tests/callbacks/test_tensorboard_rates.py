"""TensorBoard shows the values of History, and the training does not change."""

import copy
import errno
import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from kdropout import LearnedRate, _event_log
from kdropout._requirements import MissingPackages
from kdropout.callbacks import (
    GapController,
    OverfittingGap,
    RateLogger,
    RateScheduler,
    TensorBoardRates,
)
from kdropout.layers import (
    ConcreteDropout,
    Dropout,
    GaussianDropout,
    SpatialDropout1D,
    Standout,
)
from kdropout.schedules import Ramp
from tests.event_log.reading import read
from tests.tools import KERAS

pytestmark = pytest.mark.on_one_backend

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(40, 6)).astype("float32")
Y = GENERATOR.normal(size=(40, 1)).astype("float32")


def compiled(*layers):
    model = keras.Sequential([keras.Input((6,)), *layers, keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    return model


def fit(model, *callbacks, epochs=2, **arguments):
    """Return the history of a training with 3 steps per epoch."""
    arguments = {"validation_data": (X[30:], Y[30:]), **arguments}
    data = {"x": X[:30], "y": Y[:30], "batch_size": 10}
    return model.fit(
        **data, epochs=epochs, callbacks=[*callbacks], verbose=0, **arguments
    ).history


def scalars(folder):
    """Return a dict from tag to the steps and values of its events."""
    run = read(folder)
    return {
        tag: {event.step: event.value for event in run.Scalars(tag)}
        for tag in run.Tags()["scalars"]
    }


def of_layers(folder):
    """Return the scalars without those that every training has."""
    return {
        tag: values
        for tag, values in scalars(folder).items()
        if not tag.startswith(("metric/", "progress/"))
    }


def description(folder, tag="kdropout/run"):
    (event,) = read(folder).Tensors(tag)
    return json.loads(event.tensor_proto.string_val[0])


def test_values_equal_those_of_history(tmp_path):
    model = compiled(
        Dropout(0.3, name="moved"),
        Dropout(Ramp(0.0, 0.9, 9), name="scheduled"),
        Dropout(LearnedRate(0.2), name="learned"),
        ConcreteDropout(keras.layers.Dense(4), name="concrete"),
    )
    callbacks = [OverfittingGap((X[:30], Y[:30])), RateLogger()]
    controller = GapController(0.01, layers="moved")
    history = fit(model, *callbacks, TensorBoardRates(tmp_path), controller, epochs=3)
    assert history["rate/moved"][0] != history["rate/moved"][2]
    expected = {}
    for name, values in history.items():
        if name.startswith(("rate/", "entropy_term/", "weight_term/")):
            expected[name.replace("rate/", "dropout_rate/")] = values
        elif name.startswith("gap_"):
            expected[name.replace("gap_", "overfitting_gap/")] = values
        elif name.startswith("naive_gap_"):
            expected[name.replace("naive_gap_", "overfitting_gap/naive_")] = values
        else:
            expected[f"metric/{name}"] = values
    expected["progress/training_steps"] = [3, 6, 9]
    written = scalars(tmp_path)
    assert written.keys() == expected.keys() and len(written) == 4 + 4 + 3 + 6 + 1
    for tag, values in expected.items():
        assert [*written[tag]] == [0, 1, 2]
        np.testing.assert_array_equal([*written[tag].values()], np.float32(values))


def test_layers_are_described_in_model_order_with_the_source_of_their_rate(tmp_path):
    model = compiled(
        Dropout(0.3, name="z"),
        Dropout(Ramp(0.0, 0.9, 9), name="scheduled"),
        GaussianDropout(0.1, name="a"),
        Dropout(LearnedRate(0.2), name="learned"),
        Dropout(0.2, name="yours"),
    )
    # Callbacks that move rates may stand before or after it.
    scheduler = RateScheduler(lambda epoch, rate: rate, layers="a")
    controller = GapController(0.4, layers="z", dead_band=0.1)
    gap = OverfittingGap((X[:30], Y[:30]))
    fit(model, scheduler, gap, TensorBoardRates(tmp_path), controller)
    assert description(tmp_path) == {
        "format": 1,
        "layers": [
            {"path": "z", "kind": "Dropout", "decided_by": "GapController"},
            {"path": "scheduled", "kind": "Dropout", "decided_by": "schedule Ramp"},
            {"path": "a", "kind": "GaussianDropout", "decided_by": "RateScheduler"},
            {"path": "learned", "kind": "Dropout", "decided_by": "gradient"},
            {"path": "yours", "kind": "Dropout", "decided_by": "you"},
        ],
        "target": {"metric": "loss", "value": 0.4, "dead_band": 0.1},
    }


def test_callbacks_of_an_earlier_training_are_no_longer_the_source(tmp_path):
    model = compiled(Dropout(0.3, name="drop"))
    controller = GapController(0.4)
    fit(model, OverfittingGap((X, Y)), controller)
    fit(model, TensorBoardRates(tmp_path))
    assert description(tmp_path)["target"] is None
    assert description(tmp_path)["layers"][0]["decided_by"] == "you"


def test_controller_of_a_naive_gap_has_no_target_in_the_clean_gaps(tmp_path):
    model = compiled(Dropout(0.3, name="drop"))
    controller = GapController(0.4, monitor="naive_gap_loss", allow_naive=True)
    fit(model, OverfittingGap((X, Y)), TensorBoardRates(tmp_path), controller)
    assert description(tmp_path)["target"] is None
    assert description(tmp_path)["layers"][0]["decided_by"] == "GapController"


def test_rates_are_written_without_a_gap(tmp_path):
    fit(compiled(Dropout(0.5, name="drop")), TensorBoardRates(tmp_path))
    assert of_layers(tmp_path) == {"dropout_rate/drop": {0: 0.5, 1: 0.5}}


def test_direction_of_each_metric_is_described(tmp_path):
    model = compiled(Dropout(0.5, name="drop"))
    mine = keras.metrics.MeanMetricWrapper(
        lambda y, prediction: keras.ops.mean(prediction, axis=-1), name="mine"
    )
    model.compile("sgd", "mse", metrics=["accuracy", mine])
    gap = OverfittingGap((X[:30], Y[:30]), directions={"mine": "max"})
    fit(model, gap, TensorBoardRates(tmp_path))
    directions = {"loss": "min", "accuracy": "max", "mine": "max"}
    expected = {"format": 1, "directions": directions}
    assert description(tmp_path, "kdropout/metrics") == expected
    model.compile("sgd", "mse", metrics=[mine])
    fit(model, TensorBoardRates(tmp_path / "unknown"))
    found = description(tmp_path / "unknown", "kdropout/metrics")
    assert found["directions"] == {"loss": "min"}


def test_entries_of_the_logs_that_are_not_numbers_are_left_out(tmp_path):
    class Adds(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs |= {"text": "high", "per_class": np.array([0.25, 0.5]), "nan": np.nan}

    fit(compiled(Dropout(0.5, name="drop")), Adds(), TensorBoardRates(tmp_path))
    written = scalars(tmp_path)
    assert "metric/text" not in written
    assert [*written["metric/per_class/1"].values()] == [0.5, 0.5]
    assert all(np.isnan(value) for value in written["metric/nan"].values())


def test_only_the_named_layers_are_written(tmp_path):
    model = compiled(Dropout(0.5, name="a"), Dropout(0.5, name="b"))
    board = TensorBoardRates(tmp_path, "b", update_freq=1, drop_fraction_data=X)
    fit(model, board, epochs=1)
    tags = {"dropout_rate/b", "batch_dropout_rate/b", "drop_fraction/b"}
    assert of_layers(tmp_path).keys() == tags
    assert [one["path"] for one in description(tmp_path)["layers"]] == ["b"]


@pytest.mark.parametrize(
    ("update_freq", "steps"), [("batch", [1, 2, 3, 4, 5, 6]), (2, [2, 4, 6]), (7, None)]
)
def test_rates_of_a_schedule_are_written_between_epochs(tmp_path, update_freq, steps):
    model = compiled(Dropout(Ramp(0.0, 0.8, 8), name="drop"))
    fit(model, TensorBoardRates(tmp_path, update_freq=update_freq))
    written = scalars(tmp_path).get("batch_dropout_rate/drop")
    if steps is None:
        assert written is None
        return
    assert [*written] == steps
    # The rate in effect in a step is that of the steps before it.
    expected = [0.8 * (step - 1) / 8 for step in steps]
    np.testing.assert_allclose([*written.values()], expected, rtol=1e-6)


def test_steps_continue_after_an_earlier_training(tmp_path):
    model = compiled(Dropout(0.5, name="drop"))
    fit(model, TensorBoardRates(tmp_path / "first", update_freq=1), epochs=1)
    fit(model, TensorBoardRates(tmp_path / "second", update_freq=1), epochs=1)
    written = scalars(tmp_path / "second")["batch_dropout_rate/drop"]
    assert [*written] == [4, 5, 6]


@pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="Keras has one step per execution there"
)
@pytest.mark.skipif(
    KERAS < (3, 11), reason="Keras calls callbacks with the first step there"
)
def test_several_steps_per_execution_are_written_at_their_end(tmp_path):
    model = compiled(Dropout(Ramp(0.0, 0.8, 8), name="drop"))
    model.compile("sgd", "mse", steps_per_execution=3)
    fit(model, TensorBoardRates(tmp_path, update_freq=2))
    assert [*scalars(tmp_path)["batch_dropout_rate/drop"]] == [3, 6]


def test_drop_fractions_are_measured_on_demand(tmp_path):
    x = np.ones((2000, 6), "float32")
    model = compiled(Dropout(0.3, name="drop"), GaussianDropout(0.3, name="gaussian"))
    fit(model, TensorBoardRates(tmp_path, drop_fraction_data=x))
    (tag,) = [tag for tag in scalars(tmp_path) if tag.startswith("drop_fraction")]
    assert tag == "drop_fraction/drop"
    first, second = scalars(tmp_path)[tag].values()
    bound = 5 * np.sqrt(0.3 * 0.7 / x.size)
    assert abs(first - 0.3) < bound and abs(second - 0.3) < bound
    assert first != second  # measured again


@pytest.mark.parametrize(
    "more",
    [
        {"update_freq": 1, "drop_fraction_data": X},
        pytest.param({}, marks=pytest.mark.slow),
    ],
)
def test_callback_does_not_change_the_training(tmp_path, more):
    def train(*callbacks):
        keras.utils.set_random_seed(3)
        model = compiled(
            keras.layers.Dense(8),
            keras.layers.BatchNormalization(),
            Dropout(Ramp(0.0, 0.5, 4)),
            Standout(keras.layers.Dense(8)),
            keras.layers.Dropout(0.2),
        )
        history = fit(model, *callbacks)
        return history, model.get_weights()

    without, weights = train()
    with_it, weights_with_it = train(TensorBoardRates(tmp_path, **more))
    assert without == with_it
    for one, other in zip(weights, weights_with_it, strict=True):
        np.testing.assert_array_equal(one, other)


def test_epoch_can_be_read_before_the_training_ends(tmp_path):
    seen = []

    class Watcher(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(len(scalars(tmp_path)["dropout_rate/drop"]))

    fit(compiled(Dropout(0.5, name="drop")), TensorBoardRates(tmp_path), Watcher())
    assert seen == [1, 2]


def test_copies_write_into_separate_folders(tmp_path):
    # KerasTuner copies callbacks for each trial.
    board = TensorBoardRates(tmp_path / "a", layers="d*", drop_fraction_data=X)
    other = copy.deepcopy(board)
    other.log_dir = str(tmp_path / "b")
    for callback in (board, other):
        fit(compiled(Dropout(0.5, name="drop")), callback, epochs=1)
    assert scalars(tmp_path / "a").keys() == scalars(tmp_path / "b").keys()


def test_second_training_appends(tmp_path):
    model, board = compiled(Dropout(0.5, name="drop")), TensorBoardRates(tmp_path)
    fit(model, board, epochs=1)
    fit(model, board, epochs=3, initial_epoch=1)
    assert [*scalars(tmp_path)["dropout_rate/drop"]] == [0, 1, 2]


def test_names_are_written_unchanged(tmp_path):
    name = "a>c-" + "x" * 500  # accepted by all backends
    if keras.backend.backend() != "tensorflow":
        name = "<b> 'drop' \"слой\" " + name
    fit(compiled(Dropout(0.5, name=name)), TensorBoardRates(tmp_path), epochs=1)
    assert of_layers(tmp_path) == {f"dropout_rate/{name}": {0: 0.5}}
    assert description(tmp_path)["layers"][0]["path"] == name


def test_sequence_models_are_measured_with_their_masks(tmp_path):
    model = keras.Sequential(
        [
            keras.layers.Embedding(5, 3, mask_zero=True),
            SpatialDropout1D(0.5, name="drop"),
            keras.layers.LSTM(2),
            keras.layers.Dense(1),
        ]
    )
    model.compile("sgd", "mse")
    tokens = GENERATOR.integers(0, 5, (40, 4))
    board = TensorBoardRates(tmp_path, drop_fraction_data=tokens)
    model.fit(tokens, Y, epochs=1, callbacks=[board], verbose=0)
    assert 0.1 < scalars(tmp_path)["drop_fraction/drop"][0] < 0.9


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"log_dir": 3}, TypeError, "'log_dir' must be a path. Received: log_dir=3"),
        (
            {"update_freq": 0},
            ValueError,
            "'update_freq' must be an integer of at least",
        ),
        (
            {"update_freq": 0.5},
            TypeError,
            "'update_freq' must be an integer of at least",
        ),
        ({"update_freq": "step"}, ValueError, "'epoch', 'batch' or an integer"),
    ],
)
def test_bad_arguments_are_reported(tmp_path, arguments, error, message):
    with pytest.raises(error, match=message):
        TensorBoardRates(**{"log_dir": tmp_path, **arguments})


def test_impossible_setting_is_reported_before_the_training(tmp_path):
    model = compiled(Dropout(0.5, name="drop"))
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        fit(model, TensorBoardRates(tmp_path / "file"))
    with pytest.raises(ValueError, match="'layers' must name dropout layers"):
        fit(model, TensorBoardRates(tmp_path / "run", layers="nowhere"))
    assert not (tmp_path / "run").exists()


def test_missing_tensorboard_is_reported_with_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(MissingPackages, match="pip install tensorboard"):
        TensorBoardRates(tmp_path)


@pytest.mark.skipif(
    keras.backend.backend() == "tensorflow", reason="Keras itself needs it there"
)
def test_tensorflow_is_not_needed(tmp_path):
    program = (
        "import sys; sys.modules['tensorflow'] = None\n"
        "import keras, kdropout, numpy as np\n"
        "model = keras.Sequential([keras.Input((3,)),"
        " kdropout.layers.Dropout(0.25, name='drop'), keras.layers.Dense(1)])\n"
        "model.compile('sgd', 'mse')\n"
        f"board = kdropout.callbacks.TensorBoardRates({str(tmp_path)!r})\n"
        "x, y = np.ones((4, 3)), np.ones((4, 1))\n"
        "model.fit(x, y, callbacks=[board], verbose=0)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    assert scalars(tmp_path) == {"dropout_rate/drop": {0: 0.25}}


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 1, 0)])
def test_rates_belong_to_the_epoch_in_any_callback_order(tmp_path, order):
    class Mover(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.get_layer("drop").rate = 0.2 * (epoch + 2)

    x = np.ones((2000, 6), "float32")
    board = TensorBoardRates(tmp_path, drop_fraction_data=x)
    scheduler = RateScheduler(lambda epoch, rate: rate / 2)
    callbacks = [[board, Mover(), scheduler][index] for index in order]
    model = compiled(Dropout(0.2, name="drop"))
    fit(model, *callbacks, epochs=3)
    written = scalars(tmp_path)
    expected = [0.1, 0.2, 0.3]
    rates = [*written["dropout_rate/drop"].values()]
    np.testing.assert_allclose(rates, expected, rtol=1e-6)
    for share, rate in zip(
        written["drop_fraction/drop"].values(), expected, strict=True
    ):
        assert abs(share - rate) < 5 * np.sqrt(rate * (1 - rate) / x.size)
    assert model.get_layer("drop").rate == pytest.approx(
        0.8
    )  # the rate of the next epoch


def test_metric_with_a_value_per_class_has_a_series_per_class(tmp_path):
    inputs = keras.Input((6,))
    outputs = keras.layers.Dense(3, "softmax")(Dropout(0.5, name="drop")(inputs))
    model = keras.Model(inputs, outputs)
    f1_score = keras.metrics.F1Score()
    model.compile("sgd", "categorical_crossentropy", metrics=[f1_score])
    y = np.eye(3, dtype="float32")[np.arange(40) % 3]
    gap = OverfittingGap((X[:30], y[:30]))
    history = model.fit(
        X[:30],
        y[:30],
        validation_data=(X[30:], y[30:]),
        epochs=2,
        callbacks=[gap, TensorBoardRates(tmp_path)],
        verbose=0,
    ).history
    written = scalars(tmp_path)
    for name, tag in (("gap", ""), ("naive_gap", "naive_")):
        for index in range(3):
            values = [gaps[index] for gaps in history[f"{name}_f1_score"]]
            series = written[f"overfitting_gap/{tag}f1_score/{index}"]
            np.testing.assert_array_equal([*series.values()], np.float32(values))


class FullDisk:
    """A file whose disk is full from the second write on."""

    def __init__(self, file):
        self.file, self.writes = file, 0

    def write(self, content):
        self.writes += 1
        if self.writes > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.file.write(content)

    def flush(self):
        self.file.flush()

    def close(self):
        self.file.close()
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("update_freq", ["epoch", 1])
def test_full_disk_is_reported_once_and_training_continues(
    tmp_path, monkeypatch, update_freq
):
    open_file = _event_log._open_file
    monkeypatch.setattr(
        _event_log, "_open_file", lambda path: FullDisk(open_file(path))
    )
    model = compiled(Dropout(0.5, name="drop"))
    board = TensorBoardRates(tmp_path, update_freq=update_freq)
    with pytest.warns(UserWarning, match="No space left on device") as caught:
        history = fit(model, board, RateLogger(), epochs=3)
    told = [str(w.message) for w in caught if "TensorBoardRates" in str(w.message)]
    assert len(told) == 1 and f"cannot write to '{tmp_path}'" in told[0]
    assert history["rate/drop"] == [0.5] * 3
    # Earlier writes can be read, and the next training writes again.
    assert description(tmp_path)["layers"][0]["path"] == "drop"
    monkeypatch.undo()
    fit(model, board, epochs=1)
    assert scalars(tmp_path)["dropout_rate/drop"] == {0: 0.5}


def test_disk_that_is_full_from_the_beginning_does_not_stop_training(
    tmp_path, monkeypatch
):
    def fail(path):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_event_log, "_open_file", fail)
    model = compiled(Dropout(0.5, name="drop"))
    with pytest.warns(UserWarning, match="The training continues without this log"):
        history = fit(model, TensorBoardRates(tmp_path), epochs=2)
    assert len(history["loss"]) == 2


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_disk_that_is_full_at_a_flush_does_not_stop_training(tmp_path, monkeypatch):
    monkeypatch.setattr(_event_log, "_open_file", lambda path: open("/dev/full", "wb"))
    model = compiled(Dropout(0.5, name="drop"))
    with pytest.warns(UserWarning, match="The training continues without this log"):
        history = fit(model, TensorBoardRates(tmp_path), epochs=2)
    assert len(history["loss"]) == 2
