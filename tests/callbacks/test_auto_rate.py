"""`AutoRate` follows its law, computed in NumPy, and reports what it did."""

import keras
import numpy as np
import pytest

import kdropout
from kdropout import rates, set_rates
from kdropout.callbacks import AutoRate, RateScheduler
from kdropout.layers import Dropout
from tests.tools import logit, model_with_rates, sigmoid

# A rate is stored in float32, so each epoch may round by 6e-8.
TOLERANCE = 2e-7


def drive(auto, model, losses, start=0):
    """Ends one epoch per pair of losses, like `fit`; returns the rates of each."""
    auto.set_model(model)
    auto.on_train_begin()
    trace = []
    for epoch, (loss, val_loss) in enumerate(losses, start):
        auto.on_epoch_begin(epoch)
        auto.on_epoch_end(epoch, {"loss": loss, "val_loss": val_loss})
        trace.append(rates(model))
    return trace


def single(auto, rate, losses, **kwargs):
    trace = drive(auto, model_with_rates(drop=rate), losses, **kwargs)
    return [epoch["drop"] for epoch in trace]


def by_formula(rate, losses, target=0.1, gain=1.5, slew_limit=0.1, max_rate=0.8):
    """Compute the law in NumPy."""
    trace, average = [], np.log(losses[0][1])
    for loss, val_loss in losses:
        error = np.clip(1 - loss / val_loss - target, -1, 1)
        if error > 0:
            error *= np.clip(1 + (np.log(val_loss) - average) / 0.1, -1, 1)
        average = 0.9 * average + 0.1 * np.log(val_loss)
        floor = 0.01
        wanted = sigmoid(logit(np.clip(rate, floor, max_rate)) + gain * error)
        wanted = 0.0 if wanted <= floor else wanted
        rate = np.clip(rate + np.clip(wanted - rate, -slew_limit, slew_limit), 0, 0.8)
        trace.append(rate)
    return trace


def noisy_losses(count=30):
    generator = np.random.default_rng(0)
    val_loss = np.cumprod(1 + generator.normal(0.0, 0.1, count))
    return [*zip(val_loss * generator.uniform(0.4, 1.3, count), val_loss, strict=True)]


@pytest.mark.parametrize("gain, target, slew", [(1.5, 0.1, 0.1), (0.3, -0.2, 1.0)])
def test_each_epoch_moves_the_rate_by_the_law(gain, target, slew):
    losses = noisy_losses()
    auto = AutoRate(target, gain, slew_limit=slew)
    wanted = by_formula(0.3, losses, target, gain, slew)
    assert single(auto, 0.3, losses) == pytest.approx(wanted, abs=1e-5)


def test_training_loss_far_below_the_validation_loss_raises_the_rate():
    assert single(AutoRate(), 0.3, [(0.5, 1.0)])[0] > 0.3
    assert single(AutoRate(), 0.3, [(0.95, 1.0)])[0] < 0.3
    assert single(AutoRate(target=0.25), 0.3, [(0.75, 1.0)])[0] == 0.3


def test_fast_falling_validation_loss_slows_or_lowers_the_rate():
    def last(value):
        return single(AutoRate(), 0.3, [(0.5, 1.0), (0.5 * value, value)])[-1]

    before = single(AutoRate(), 0.3, [(0.5, 1.0)])[-1]
    assert last(0.8) < last(0.85) < before < last(0.95) < last(1.0) == last(1.1)
    assert last(np.exp(-0.1)) == pytest.approx(before, abs=TOLERANCE)


def test_layers_keep_their_odds_ratios():
    model = model_with_rates(low=0.1, middle=0.4, high=0.6)
    after = drive(AutoRate(slew_limit=1.0, gain=0.1), model, [(0.5, 1.0)] * 3)[-1]
    moved = [logit(after[name]) for name in ("low", "middle", "high")]
    before = [logit(rate) for rate in (0.1, 0.4, 0.6)]
    assert np.subtract(moved, before) == pytest.approx(3 * 0.1 * 0.4, abs=1e-5)


def test_rates_stay_at_or_below_max_rate_and_fall_to_exactly_0():
    up = single(AutoRate(max_rate=0.5, slew_limit=1.0), 0.3, [(0.1, 1.0)] * 20)
    assert up[-1] == pytest.approx(0.5, abs=TOLERANCE)
    down = single(AutoRate(), 0.3, [(2.0, 1.0)] * 4 + [(1.05, 1.0)] * 20)
    assert down[-1] == 0.0
    assert single(AutoRate(), 0.0, [(0.1, 1.0)] * 2)[-1] > 0.0


def test_new_callback_continues_from_the_old_one(tmp_path):
    losses = noisy_losses(8)
    whole = drive(AutoRate(), model_with_rates(a=0.2, b=0.4), losses)
    model = model_with_rates(a=0.2, b=0.4)
    drive(AutoRate(), model, losses[:4])
    model.save_weights(tmp_path / "rates.weights.h5")
    resumed = model_with_rates(a=0.9, b=0.9)
    resumed.load_weights(tmp_path / "rates.weights.h5")
    assert drive(AutoRate(), resumed, losses[4:], start=4) == whole[4:]
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert drive(AutoRate(), loaded, losses[4:], start=4) == whole[4:]


def test_training_from_the_first_epoch_starts_from_no_memory():
    losses = [(0.5, 1.0), (0.5, 2.0)]
    model = model_with_rates(drop=0.3)
    first = drive(AutoRate(), model, losses)
    set_rates(model, 0.3)
    assert drive(AutoRate(), model, losses) == first


def test_only_the_named_layers_move():
    model = model_with_rates(a=0.2, b=0.2)
    after = drive(AutoRate(layers="b"), model, [(0.5, 1.0)])[-1]
    assert after["a"] == pytest.approx(0.2, abs=TOLERANCE)
    assert after["b"] > 0.2


def test_loop_without_fit_calls_step():
    losses = noisy_losses(5)
    model, auto = model_with_rates(drop=0.3), AutoRate()
    auto.set_model(model)
    for loss, val_loss in losses:
        found = auto.step(loss, val_loss)
        assert found == rates(model)
    assert found["drop"] == single(AutoRate(), 0.3, losses)[-1]


def test_epoch_without_validation_moves_no_rate():
    model, auto = model_with_rates(drop=0.3), AutoRate(validation_freq=2)
    auto.set_model(model)
    auto.on_train_begin()
    auto.on_epoch_end(0, {"loss": 1.0})
    assert rates(model)["drop"] == pytest.approx(0.3, abs=TOLERANCE)
    auto.on_epoch_end(1, {"loss": 1.0, "val_loss": 2.0})
    assert rates(model)["drop"] > 0.3


@pytest.mark.parametrize(
    "losses", [(np.nan, 1), (1, np.nan), (1, np.inf), (1, 0), (1, -1)]
)
def test_incomparable_losses_move_no_rate_and_are_reported_once(losses):
    with pytest.warns(UserWarning, match="finite losses and a validation") as caught:
        trace = single(AutoRate(), 0.3, [losses] * 3)
    assert len([w for w in caught if w.category is UserWarning]) == 1
    assert trace == pytest.approx([0.3] * 3, abs=TOLERANCE)


def test_losses_of_two_quantities_are_reported():
    with pytest.warns(UserWarning, match="not be the same quantity"):
        single(AutoRate(), 0.0, [(2.0, 1.0)] * 6)
    single(AutoRate(), 0.0, [(2.0, 1.0)] * 4 + [(1.0, 1.0)] + [(2.0, 1.0)] * 4)
    single(AutoRate(), 0.5, [(2.0, 1.0)] * 4)


def data(noise=1.0):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(64, 8)).astype("float32")
    y = x[:, :1] + noise * generator.normal(size=(64, 1)).astype("float32")
    return x, y


def small_model(rate=0.3):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(64, "relu"),
            Dropout(rate, name="drop"),
            keras.layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


def fit(model, *callbacks, noise=1.0, **kwargs):
    kwargs = {"epochs": 10, "verbose": 0, **kwargs}
    x, y = data(noise)
    return model.fit(x, y, validation_split=0.5, callbacks=list(callbacks), **kwargs)


@pytest.mark.slow
def test_overfitting_raises_the_rate_and_its_absence_lowers_it():
    noisy, auto = small_model(), AutoRate()
    fit(noisy, auto, epochs=40)
    assert rates(noisy)["drop"] > 0.5
    clean = small_model()
    fit(clean, AutoRate(), noise=0.0, epochs=40)
    assert rates(clean)["drop"] < 0.3


def test_summary_names_the_callback_as_the_source_of_the_rate():
    model, lines = small_model(), []
    fit(model, AutoRate(), epochs=1)
    kdropout.summary(model, lines.append)
    assert lines[1].endswith("AutoRate")
    set_rates(model, 0.2)
    kdropout.summary(model, lines.append)
    assert lines[-1].endswith("you")


@pytest.mark.parametrize(
    "stop",
    [
        keras.callbacks.EarlyStopping(restore_best_weights=True),
        pytest.param(
            keras.callbacks.ModelCheckpoint("x.weights.h5", save_best_only=True),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_restoring_the_best_epoch_warns_once(stop, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if isinstance(stop, keras.callbacks.ModelCheckpoint):
        stop = keras.callbacks.ModelCheckpoint(
            tmp_path / "x.weights.h5", save_best_only=True, save_weights_only=True
        )
    auto = AutoRate()
    with pytest.warns(UserWarning, match="weights of the last epoch") as caught:
        fit(small_model(), stop, auto, epochs=2)
        fit(small_model(), auto, stop, epochs=2)
    assert len([w for w in caught if w.category is UserWarning]) == 1


@pytest.mark.parametrize(
    ("rate", "losses", "says"),
    [
        (0.3, [(0.5, 1.0)], "after 1 epoch, the rate is 0.40 and steady"),
        (0.3, [(0.5, 1.0)] * 4, "still rising: train longer, or start the next"),
        (0.5, [(1.3, 1.0)] * 3, "still falling"),
        (0.3, [(0.9, 1.0)] * 8, "the rate is 0.30 and steady, with a relative gap of"),
        (0.3, [(2.0, 1.0)] * 4, "is 0.00: the training loss is not below"),
        (0.8, [(0.5, 1.0)] * 8, "the highest that max_rate allows"),
    ],
)
def test_summary_reports_the_rates_and_the_next_step(rate, losses, says):
    auto = AutoRate(slew_limit=0.3 if rate == 0.3 and losses[0][0] == 2.0 else 0.1)
    drive(auto, model_with_rates(drop=rate), losses)
    assert says in auto.summary()


def test_summary_covers_several_layers():
    auto = AutoRate()
    drive(auto, model_with_rates(a=0.2, b=0.3), [(0.9, 1.0)])
    assert "the rates of 2 layers are 0.20 to 0.30" in auto.summary()
    assert AutoRate().summary() == "AutoRate: no epoch has ended yet."


@pytest.mark.parametrize(
    ("verbose", "of_fit", "summaries", "epochs"),
    [("auto", 2, 1, 0), ("auto", 0, 0, 0), (0, 2, 0, 0), (1, 0, 1, 0), (2, 0, 1, 2)],
)
def test_verbose_decides_the_output(verbose, of_fit, summaries, epochs, capsys):
    fit(small_model(), AutoRate(verbose=verbose), epochs=2, verbose=of_fit)
    printed = capsys.readouterr().out
    assert printed.count("AutoRate: after 2 epochs") == summaries
    assert printed.count("Rates: drop 0.") == epochs


def test_two_callbacks_may_move_different_layers():
    model = keras.Sequential([small_model(), Dropout(0.2, name="b")])
    model.compile("sgd", "mse")
    scheduler = RateScheduler(lambda epoch: 0.5, layers="b")
    fit(model, AutoRate(layers="*/drop"), scheduler, epochs=1)
    assert rates(model)["b"] == 0.5
