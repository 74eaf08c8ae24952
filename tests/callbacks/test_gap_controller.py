"""The controller follows its law, keeps its limits, and needs no memory."""

import copy

import keras
import numpy as np
import pytest

from kdropout import LearnedRate, rates, set_rates
from kdropout.callbacks import GapController, OverfittingGap
from kdropout.layers import Dropout
from kdropout.schedules import Ramp
from tests.tools import logit, model_with_rates, sigmoid

# A rate is stored in float32, so each epoch may round by 6e-8.
TOLERANCE = 2e-7


def drive(controller, model, gaps, start=0, monitor="gap_loss"):
    """Ends one epoch per gap, like `fit`; returns the rates after each."""
    controller.set_model(model)
    controller.on_train_begin()
    trace = []
    for epoch, gap in enumerate(gaps, start):
        controller.on_epoch_end(epoch, {"loss": 1.0, "val_loss": 2.0, monitor: gap})
        trace.append(rates(model))
    return trace


def single(controller, rate, gaps, **kwargs):
    trace = drive(controller, model_with_rates(drop=rate), gaps, **kwargs)
    return [epoch["drop"] for epoch in trace]


@pytest.mark.parametrize(
    "gain, lowering_gain, target", [(0.5, 0.5, 0.1), (2.0, 0.7, 0.0), (0.05, 0.3, -0.3)]
)
def test_each_epoch_adds_gain_times_error_to_the_logit(gain, lowering_gain, target):
    errors = np.array([0.5, 0.3, -0.1, 0.1, -0.32, 0.4])
    controller = GapController(
        target, gain=gain, lowering_gain=lowering_gain, max_rate=0.99, slew_limit=1.0
    )
    steps = np.where(errors > 0, gain, lowering_gain) * errors
    wanted = sigmoid(logit(0.3) + np.cumsum(steps))
    trace = single(controller, 0.3, target + errors)
    assert trace == pytest.approx(wanted, abs=6 * TOLERANCE)


def test_gains_default_to_1_and_to_a_tenth_of_the_other():
    up, down = single(GapController(0.0), 0.3, [0.4, -0.4])
    assert up == pytest.approx(sigmoid(logit(0.3) + 0.4), abs=TOLERANCE)
    assert down == pytest.approx(sigmoid(logit(0.3) + 0.4 - 0.04), abs=TOLERANCE)
    (down,) = single(GapController(0.0, gain=5.0), 0.3, [-0.4])
    assert down == pytest.approx(sigmoid(logit(0.3) - 0.2), abs=TOLERANCE)


def test_gap_above_the_target_raises_the_rate_and_below_lowers_it():
    assert single(GapController(0.1), 0.5, [0.2])[0] > 0.5
    assert single(GapController(0.1), 0.5, [0.05])[0] < 0.5
    assert single(GapController(0.1), 0.5, [0.1])[0] == 0.5


def test_layers_keep_their_odds_ratios():
    model = model_with_rates(low=0.1, middle=0.4, high=0.6)
    controller = GapController(0.0, gain=1.0, lowering_gain=1.0)
    after = drive(controller, model, [0.2, -0.5, 0.4])[-1]
    moved = [logit(after[name]) for name in ("low", "middle", "high")]
    before = [logit(rate) for rate in (0.1, 0.4, 0.6)]
    assert np.subtract(moved, before) == pytest.approx(0.1, abs=1e-5)


def test_gap_within_the_dead_band_moves_no_rate():
    controller = GapController(0.25, dead_band=0.0625)  # exact in binary
    assert single(controller, 0.3, [0.25, 0.3, 0.2, 0.3125, 0.1875]) == [0.3] * 5
    assert single(controller, 0.3, [0.313])[0] > 0.3
    assert single(controller, 0.3, [0.187])[0] < 0.3


def test_slew_limit_bounds_the_change_of_an_epoch():
    up = single(GapController(0.0, gain=100.0, slew_limit=0.05), 0.3, [1.0, 1.0])
    assert up == pytest.approx([0.35, 0.4], abs=TOLERANCE)
    controller = GapController(0.0, lowering_gain=100.0, slew_limit=0.1)
    down = single(controller, 0.35, [-1.0] * 4)
    assert down == pytest.approx([0.25, 0.15, 0.05, 0.0], abs=TOLERANCE)


def test_default_slew_limit_is_a_fifth():
    assert single(GapController(0.0, gain=100.0), 0.3, [1.0])[0] == pytest.approx(0.5)


def test_rates_stay_between_min_and_max():
    controller = GapController(
        0.0, gain=5.0, lowering_gain=5.0, min_rate=0.1, max_rate=0.6, slew_limit=1.0
    )
    assert single(controller, 0.3, [9.0, 9.0, -9.0, -9.0]) == pytest.approx(
        [0.6, 0.6, 0.1, 0.1], abs=TOLERANCE
    )


def test_rate_outside_the_limits_is_brought_inside():
    assert single(GapController(0.0, max_rate=0.4), 0.9, [0.1])[0] == pytest.approx(0.4)
    low = single(GapController(0.0, min_rate=0.2), 0.0, [-0.1])[0]
    assert low == pytest.approx(0.2, abs=TOLERANCE)


def test_rate_falls_to_exactly_0_and_rises_from_it():
    controller = GapController(0.0, gain=1.0, lowering_gain=1.0)
    trace = single(controller, 0.05, [-1.0, -1.0, -1.0, 0.5, 0.5])
    # The floor is 0.01. From there, the logit rises by one step of 0.5, then another.
    risen = sigmoid(logit(0.01) + 0.5), sigmoid(logit(0.01) + 1.0)
    assert trace[2] == 0.0
    assert trace[3:] == pytest.approx(risen, abs=TOLERANCE)


def test_warmup_epochs_have_no_control():
    trace = single(GapController(0.0, warmup=3), 0.3, [0.5] * 5)
    assert trace[:3] == [0.3] * 3
    assert 0.3 < trace[3] < trace[4]
    # Warm-up counts the epochs of `fit`, so a resumed training has no second warm-up.
    assert single(GapController(0.0, warmup=3), 0.3, [0.5], start=3)[0] > 0.3


def test_only_the_named_layers_move():
    model = keras.Sequential(
        [
            model_with_rates(a=0.2, b=0.2),
            keras.Sequential([Dropout(0.2, name="c")], name="x"),
        ]
    )
    first = model.layers[0].name
    for layers, moved in [
        ("x/*", {"x/c"}),
        ([f"{first}/a", "x/c"], {f"{first}/a", "x/c"}),
        (model.layers[0].layers[1], {f"{first}/b"}),
    ]:
        set_rates(model, 0.2)
        after = drive(GapController(0.0, layers=layers), model, [0.5])[-1]
        assert {path for path, rate in after.items() if rate > 0.2} == moved


def test_rates_of_other_rules_do_not_move():
    model = model_with_rates(
        mine=0.2, scheduled=Ramp(0.25, 0.5, 9), learned=LearnedRate(0.3)
    )
    after = drive(GapController(0.0), model, [0.5])[-1]
    assert after["mine"] > 0.2
    assert (after["scheduled"], after["learned"]) == (0.25, 0.3)


@pytest.mark.parametrize("gap", [float("nan"), float("inf"), -float("inf")])
def test_nan_gap_moves_no_rate(gap):
    assert single(GapController(0.0), 0.3, [gap, gap]) == [0.3, 0.3]


def test_epoch_without_validation_moves_no_rate():
    controller, model = (
        GapController(0.0, validation_freq=2),
        model_with_rates(drop=0.3),
    )
    controller.set_model(model)
    controller.on_train_begin()
    controller.on_epoch_end(0, {"loss": 1.0})
    assert rates(model) == {"drop": 0.3}
    controller.on_epoch_end(1, {"loss": 1.0, "gap_loss": 0.5})
    assert rates(model)["drop"] > 0.3


def test_any_gap_in_the_logs_may_be_monitored():
    controller = GapController(0.0, monitor="gap_accuracy")
    assert single(controller, 0.3, [0.2], monitor="gap_accuracy")[0] > 0.3
    naive = GapController(0.0, monitor="naive_gap_loss", allow_naive=True)
    assert single(naive, 0.3, [0.2], monitor="naive_gap_loss")[0] > 0.3


def test_unreachable_target_is_reported_exactly_once():
    controller = GapController(0.0, gain=100.0, max_rate=0.4, slew_limit=1.0)
    model, gaps = (
        model_with_rates(drop=0.3, other=0.1),
        [0.5] * 10 + [-1.0] + [0.5] * 10,
    )
    with pytest.warns(UserWarning) as caught:
        drive(controller, model, gaps)
    (warning,) = (w for w in caught if w.category is UserWarning)
    message = str(warning.message)
    assert "gap_loss is 0.5, above the target 0, with all rates at" in message
    assert "max_rate=0.4 for 5 epochs" in message and "out of reach" in message


def test_target_that_may_still_be_met_is_not_reported():
    # Warnings are errors here. Five epochs in a row at the upper limit would warn.
    controller = GapController(0.0, gain=100.0, max_rate=0.4, slew_limit=1.0)
    single(controller, 0.4, [0.5] * 4 + [0.0] + [0.5] * 4 + [-1.0] + [0.5] * 4)
    single(controller, 0.4, [-0.5] * 20)  # no dropout, and no need for any
    # One of two layers is at its limit; the other still moves.
    drive(GapController(0.0, gain=0.01), model_with_rates(a=0.8, b=0.1), [0.5] * 20)


def test_unreachable_target_is_reported_at_a_limit_that_float32_rounds():
    controller = GapController(0.0, gain=100.0, max_rate=0.5**0.5, slew_limit=1.0)
    with pytest.warns(UserWarning, match="out of reach"):
        single(controller, 0.4, [0.5] * 20)


def test_rate_leaves_its_limit_at_once_when_the_error_changes_sign():
    controller = GapController(
        0.0, gain=1.0, lowering_gain=1.0, max_rate=0.6, slew_limit=1.0
    )
    with pytest.warns(UserWarning, match="out of reach"):
        trace = single(controller, 0.5, [0.4] * 30 + [-0.4])
    assert trace[-2] == pytest.approx(0.6, abs=TOLERANCE)
    assert trace[-1] == pytest.approx(sigmoid(logit(0.6) - 0.4), abs=TOLERANCE)


def test_new_controller_continues_from_the_old_one(tmp_path):
    gaps = [0.3, -0.1, 0.25, 0.4, -0.2, 0.05, 0.3, -0.4]
    kwargs = {"target": 0.05, "gain": 0.8, "min_rate": 0.05, "max_rate": 0.5}
    whole = drive(GapController(**kwargs), model_with_rates(a=0.2, b=0.4), gaps)

    model = model_with_rates(a=0.2, b=0.4)
    drive(GapController(**kwargs), model, gaps[:4])
    model.save_weights(tmp_path / "rates.weights.h5")
    restarted = model_with_rates(a=0.9, b=0.9)
    restarted.load_weights(tmp_path / "rates.weights.h5")
    assert drive(GapController(**kwargs), restarted, gaps[4:], start=4) == whole[4:]


def test_control_continues_from_rates_set_by_hand():
    controller, model = GapController(0.0, gain=1.0), model_with_rates(drop=0.2)
    drive(controller, model, [0.5])
    set_rates(model, 0.5)
    controller.on_epoch_end(1, {"val_loss": 1.0, "gap_loss": 0.3})
    assert rates(model)["drop"] == pytest.approx(sigmoid(0.3), abs=TOLERANCE)


def test_loop_settles_where_the_gap_meets_the_target():
    # A training with the gap 0.5 - 0.6 * rate meets the target of 0.2 at a rate of 0.5.
    controller, model = GapController(0.2, gain=2.0), model_with_rates(drop=0.05)
    gaps = []
    controller.set_model(model)
    controller.on_train_begin()
    for epoch in range(60):
        gaps.append(0.5 - 0.6 * rates(model)["drop"])
        controller.on_epoch_end(epoch, {"val_loss": 1.0, "gap_loss": gaps[-1]})
    assert rates(model)["drop"] == pytest.approx(0.5, abs=1e-4)
    assert gaps[-1] == pytest.approx(0.2, abs=1e-4)


def test_fit_moves_the_rate_by_the_measured_gap():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(32, 4)).astype("float32")
    y = rng.normal(size=(32, 1)).astype("float32")
    model = keras.Sequential(
        [keras.Input((4,)), Dropout(0.2, name="drop"), keras.layers.Dense(1)]
    )
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    controller = GapController(0.05, gain=0.7, slew_limit=1.0)
    gaps = model.fit(
        x,
        y,
        validation_split=0.5,
        epochs=3,
        verbose=0,
        callbacks=[OverfittingGap((x[:16], y[:16])), controller],
    ).history["gap_loss"]
    errors = np.subtract(gaps, 0.05)
    wanted = sigmoid(logit(0.2) + np.sum(np.where(errors > 0, 0.7, 0.07) * errors))
    assert rates(model)["drop"] == pytest.approx(wanted, abs=3 * TOLERANCE)


def test_controller_is_copied_before_and_after_use():
    controller = GapController(0.0, gain=1.0, layers="drop")
    wanted = sigmoid(logit(0.2) + 0.3)
    for _ in range(2):
        controller = copy.deepcopy(controller)
        after = single(controller, 0.2, [0.3])
        assert after == pytest.approx([wanted], abs=TOLERANCE)


def test_verbose_prints_one_line_per_epoch(capsys):
    model = model_with_rates(a=0.5, b=0.5)
    drive(GapController(0.1, verbose=1), model, [0.1, 9.0])
    assert capsys.readouterr().out == (
        "Epoch 1: gap_loss is 0.1000, target 0.1. Rates: a 0.500, b 0.500.\n"
        "Epoch 2: gap_loss is 9.0000, target 0.1. Rates: a 0.700, b 0.700.\n"
    )
    drive(GapController(0.0), model, [0.1])
    assert capsys.readouterr().out == ""


def test_rates_move_the_right_way_below_a_small_max_rate():
    assert single(GapController(0.0, max_rate=0.005), 0.003, [0.1])[0] > 0.003
    assert single(GapController(0.0, max_rate=0.005), 0.003, [-0.1])[0] < 0.003


@pytest.mark.parametrize("rate", [0.3, 0.005, 0.0])
def test_lowering_gain_of_0_holds_the_rate_while_the_gap_is_below(rate):
    controller = GapController(0.2, lowering_gain=0.0)
    assert single(controller, rate, [0.1, -0.5]) == pytest.approx([rate] * 2, abs=1e-7)


def test_fit_without_validation_data_is_reported():
    x, y = np.ones((4, 3), "float32"), np.ones((4, 1), "float32")
    model = keras.Sequential([model_with_rates(drop=0.3), keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse", run_eagerly=True)
    with pytest.raises(ValueError, match="validation"):
        model.fit(x, y, epochs=2, verbose=0, callbacks=[GapController(0.1)])


def test_step_moves_the_rates_in_a_loop_without_fit():
    model = model_with_rates(a=0.2, b=0.5)
    controller = GapController(0.1, gain=0.5)
    controller.set_model(model)
    moved = controller.step(0.5)
    wanted = {"a": sigmoid(logit(0.2) + 0.2), "b": sigmoid(logit(0.5) + 0.2)}
    assert moved == pytest.approx(wanted, rel=1e-6)
    assert moved == rates(model)
    assert controller.step(float("nan")) == moved


def test_step_needs_a_model_and_a_number():
    with pytest.raises(
        RuntimeError, match=r"Call controller\.set_model\(model\) befor"
    ):
        GapController(0.1).step(0.5)
    with pytest.raises(TypeError, match="'gap' must be a number. Received: gap='high'"):
        GapController(0.1).step("high")
