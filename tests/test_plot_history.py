"""`plot_history` draws losses, gap and rates of a training in one figure."""

import sys

import keras
import numpy as np
import pytest
from matplotlib.figure import Figure

import kdropout
from kdropout import callbacks, plot_history
from kdropout._requirements import MissingPackages

pytestmark = pytest.mark.on_one_backend


def lines(axes):
    """Dict from the text in the legend to the line."""
    handles, labels = axes.get_legend_handles_labels()
    return dict(zip(labels, handles, strict=True))


def labels_of(figure):
    return [axes.get_ylabel() for axes in figure.axes]


def curves(count):
    """The logs of a training with all panels."""
    epoch = np.arange(count)
    loss, val, clean = (
        2.0 - 0.1 * epoch,
        1.5 + 0.1 * (epoch - 2) ** 2,
        1.0 / (1 + epoch),
    )
    return {
        "loss": list(loss),
        "val_loss": list(val),
        "clean_loss": list(clean),
        "gap_loss": list(val - clean),
        "naive_gap_loss": list(val - loss),
        "rate/a": list(0.1 + 0.01 * epoch),
        "rate/b": [0.5] * count,
    }


def train(epochs=3, initial_epoch=0, **arguments):
    model = keras.Sequential(
        [
            keras.Input((3,)),
            kdropout.layers.Dropout(0.5, name="a"),
            kdropout.layers.Dropout(0.5, name="b"),
            keras.layers.Dense(1),
        ]
    )
    model.compile("sgd", "mse", metrics=["mae", keras.metrics.R2Score(name="fit")])
    x, y = np.random.default_rng(0).random((16, 3)), np.ones((16, 1))
    return model.fit(
        x,
        y,
        validation_data=(x, y),
        callbacks=[
            callbacks.OverfittingGap(
                (x, y), validation_freq=arguments.get("validation_freq", 1)
            ),
            callbacks.RateLogger(),
        ],
        epochs=epochs,
        initial_epoch=initial_epoch,
        verbose=0,
        **arguments,
    )


def test_history_of_a_fit_has_all_panels():
    history = train()
    figure = plot_history(history)
    assert isinstance(figure, Figure)
    assert labels_of(figure) == ["loss", "gap", "rate"]
    losses, gap, rate = map(lines, figure.axes)
    np.testing.assert_array_equal(
        losses["validation"].get_ydata(), history.history["val_loss"]
    )
    np.testing.assert_array_equal(losses["validation"].get_xdata(), [1, 2, 3])
    assert set(losses) >= {"training, dropout on", "training, dropout off"}
    np.testing.assert_array_equal(
        gap["true: dropout off"].get_ydata(), history.history["gap_loss"]
    )
    assert [*rate] == ["a and 1 more"]


def test_dict_of_a_history_gives_the_same_picture():
    history = train()
    of_dict, of_history = plot_history(history.history), plot_history(history)
    assert of_dict._repr_png_() == of_history._repr_png_()


def test_best_epoch_is_marked_and_counted_from_1():
    losses = lines(plot_history(curves(6)).axes[0])
    (label,) = [label for label in losses if label.startswith("best")]
    assert label == "best: 1.5 in epoch 3"
    assert losses[label].get_xdata() == [3]


@pytest.mark.parametrize("mode, epoch", [("auto", 2), ("max", 2), ("min", 1)])
def test_best_accuracy_is_the_highest_unless_the_user_says_otherwise(mode, epoch):
    logs = {"accuracy": [0.1, 0.2, 0.3], "val_accuracy": [0.1, 0.4, 0.2]}
    losses = lines(plot_history(logs, "accuracy", mode).axes[0])
    assert any(label.endswith(f"in epoch {epoch}") for label in losses)


def test_direction_of_a_renamed_metric_comes_from_the_model():
    history = train()
    label = [*lines(plot_history(history, "fit").axes[0])][-1]
    best = max(history.history["val_fit"])
    assert label.startswith(f"best: {best:.4g} in")
    with pytest.raises(ValueError, match="'mode' must be 'min' or 'max' for .*'fit'"):
        plot_history(history.history, "fit")


def test_epochs_of_a_continued_training_keep_their_numbers():
    figure = plot_history(train(epochs=5, initial_epoch=2))
    data = lines(figure.axes[0])["validation"].get_xdata()
    np.testing.assert_array_equal(data, [3, 4, 5])


@pytest.mark.parametrize("freq, epochs", [(2, [2, 4]), ([1, 4], [1, 4])])
def test_values_of_rare_validations_stand_at_their_epochs(freq, epochs):
    history = train(epochs=5, validation_freq=freq)
    losses, gap, _ = plot_history(history, validation_freq=freq).axes
    for axes, label in ((losses, "validation"), (gap, "true: dropout off")):
        np.testing.assert_array_equal(lines(axes)[label].get_xdata(), epochs)
    with pytest.raises(ValueError, match="'validation_freq' must be .* 2 values"):
        plot_history(history)


def test_one_epoch_is_visible_and_missing_parts_are_left_out():
    figure = plot_history({"loss": [0.5]})
    assert labels_of(figure) == ["loss"]
    (line,) = lines(figure.axes[0]).values()
    assert line.get_marker() == "o"
    assert figure.axes[0].get_xlim() == (0.5, 1.5)
    assert labels_of(plot_history({"val_loss": [0.5], "rate/a": [0.1]})) == [
        "loss",
        "rate",
    ]


def test_numbers_that_are_not_finite_are_marked_and_never_best():
    logs = {"loss": [1.0, float("nan"), 1.0], "val_loss": [float("-inf"), 2.0, 3.0]}
    found = lines(plot_history(logs).axes[0])
    assert "NaN or infinite (2 epochs)" in found
    assert "best: 2 in epoch 2" in found
    nothing = {"loss": [float("nan")], "val_loss": [float("nan")]}
    found = plot_history(nothing)
    assert "NaN or infinite (1 epoch)" in lines(found.axes[0])
    assert found._repr_png_()


def test_layers_with_equal_rates_share_a_line():
    logs = {"loss": [1.0, 0.5]}
    for index in range(40):
        logs[f"rate/block_{index}/drop"] = [0.1, 0.2 if index < 30 else float("nan")]
    rates = lines(plot_history(logs).axes[1])
    assert [*rates] == ["block_0/drop and 29 more", "block_30/drop and 9 more"]


def test_many_different_rates_have_a_scale_of_colours_in_place_of_a_legend():
    logs = {"loss": [1.0, 0.5]}
    for index in range(48):
        logs[f"rate/block_{index}/drop"] = [0.1, 0.1 + 0.01 * (index // 2)]
    rates = plot_history(logs).axes[1]
    assert len(rates.lines) == 24 and rates.get_legend() is None
    assert len({line.get_color() for line in rates.lines}) == 24
    assert [text.get_text() for text in rates.texts] == [
        "48 layers, 24 different lines"
    ]
    (bar,) = rates.child_axes
    names = [label.get_text() for label in bar.get_yticklabels()]
    assert names == ["block_0/drop", "block_47/drop"]


def test_names_with_signs_of_formulas_are_drawn_as_they_are():
    logs = {"a$b$": [1.0], "val_a$b$": [2.0], "rate/$x": [0.1], "rate/$y": [0.2]}
    assert plot_history(logs, "a$b$", "min")._repr_png_()


def test_notebook_shows_the_figure_at_half_its_density():
    png, size = plot_history(curves(3))._repr_png_()
    width, height = (int.from_bytes(png[place : place + 4]) for place in (16, 20))
    assert (width, height) == (2 * size["width"], 2 * size["height"])


def test_pyplot_is_not_imported_or_changed():
    import matplotlib.pyplot

    plot_history(curves(3))
    assert not matplotlib.pyplot.get_fignums()


MODEL = keras.Sequential(name="m")
BAD = [
    ((3,), TypeError, "'history' must be what model.fit returned.* Received: a int"),
    ((MODEL,), TypeError, "Received: a Sequential. Pass model.history."),
    (({},), ValueError, "'history' must have at least one epoch.*without epochs"),
    ((keras.callbacks.History(),), ValueError, "'history' must have at least one"),
    (({"loss": []},), ValueError, "'history' must have at least one epoch"),
    (({"loss": 3},), ValueError, "'history' must have at least one epoch"),
    (({"loss": ["a"]},), TypeError, "'history' must have a list of numbers.*'loss'"),
    (({"loss": [1.0]}, 3), TypeError, "'metric' must be a name.*metric=3"),
    (
        ({"accuracy": [1.0]}, "acuracy"),
        ValueError,
        "metric='acuracy'. Did you mean 'accuracy'. The history has: 'accuracy'",
    ),
    (({"accuracy": [1.0]},), ValueError, "metric='loss'. The history has: 'accur"),
    (
        ({"loss": [1.0], "val_loss": [1.0]}, "val_loss"),
        ValueError,
        "Pass metric='loss', which includes this line",
    ),
    (
        ({"f1": [np.ones(3)]}, "f1"),
        ValueError,
        "'f1', which has 3 values per epoch.*average='macro'",
    ),
    (({"loss": [1.0]}, "loss", "best"), ValueError, "'mode' must be one of 'auto'"),
    (
        ({"loss": [1.0]}, "loss", "min", 0),
        ValueError,
        "'validation_freq' must be an integer of at least 1",
    ),
]


@pytest.mark.parametrize("arguments, kind, message", BAD)
def test_bad_argument_is_named_with_the_way_out(arguments, kind, message):
    with pytest.raises(kind, match=message):
        plot_history(*arguments)


def test_missing_matplotlib_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(
        MissingPackages, match=r"kdropout.plot_history needs matplotlib.*extra 'plot'"
    ):
        plot_history(curves(3))
