"""Does the controller hold the overfitting gap, and what does that do to the error?

MNIST, 5,000 training and 2,000 validation images, 784-256-256-10 ReLU with dropout
after each hidden layer, Adam 1e-3, batch 64, 30 epochs. Test labels are clean.

1. With 30 % of the training and validation labels random: the static map from a
   constant rate to the clean gap and the test error, then the controller at three
   targets, all from the rate 0.3.
2. Without random labels, where the rate has little authority over the gap: the
   static map, and the controller with a target that no rate can reach.

    python -m benchmarks.gap_control --data-dir DIR

About 10 minutes on 2 cores. Writes results/gap_control.csv and .png.
"""

import argparse
import os
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import kdropout
from benchmarks import mnist, reporting

TRAINING, VALIDATION = 5000, 2000
EPOCHS, BATCH_SIZE, LEARNING_RATE = 30, 64, 1e-3
NOISE = 0.3
RATES = (0.0, 0.3, 0.5, 0.7, 0.8)
TARGETS = (0.4, 0.8, 1.5)
START = 0.3  # a rate that lets the gap grow past every target
UNREACHABLE = 0.03  # without random labels the gap at rate 0.8 is five times that
LAST = 5  # epochs averaged for "the gap that was held"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    mnist.add_data_argument(parser)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    data = mnist.load(arguments.data_dir)
    jobs = [
        (noise, kind, value, seed)
        for noise, targets in ((NOISE, TARGETS), (0.0, (UNREACHABLE,)))
        for kind, values in (("constant", RATES), ("controller", targets))
        for value in values
        for seed in range(arguments.seeds)
    ]
    rows, histories = [], {}
    for number, job in enumerate(jobs, 1):
        row, history = run(data, *job)
        rows.append(row)
        histories[job] = history
        print(f"{number}/{len(jobs)}", row, flush=True)
    print("\n" + table(rows))
    print(reporting.write_csv("gap_control", rows))
    # Imported here: matplotlib is no part of a headless run until the picture.
    from benchmarks.gap_control_picture import draw

    print(draw(rows, histories, reporting.RESULTS / "gap_control.png"))


def run(data, noise, kind, value, seed):
    """Train once; return a row of results and the history."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    train, validation = split(data, noise, seed)
    model = build(value if kind == "constant" else START, seed)
    callbacks = [
        kdropout.callbacks.OverfittingGap(train),
        kdropout.callbacks.RateLogger(),
    ]
    if kind == "controller":
        callbacks.append(kdropout.callbacks.GapController(target=value))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        history = model.fit(
            *train,
            batch_size=BATCH_SIZE,
            epochs=EPOCHS,
            validation_data=validation,
            validation_batch_size=VALIDATION,
            callbacks=callbacks,
            verbose=0,
        ).history
    out_of_reach = sum("out of reach" in str(w.message) for w in caught)
    _, accuracy = model.evaluate(*data[1], batch_size=1000, verbose=0)
    row = {
        "noise": noise,
        "kind": kind,
        "value": value,
        "seed": seed,
        "clean_gap": round(float(np.mean(history["gap_loss"][-LAST:])), 4),
        "naive_gap": round(float(np.mean(history["naive_gap_loss"][-LAST:])), 4),
        "test_error": round(100 * (1 - accuracy), 2),
        "final_rate": round(float(np.mean(list(kdropout.rates(model).values()))), 4),
        "warnings": out_of_reach,
    }
    return row, history


def split(data, noise, seed):
    """Training and validation data of a seed, with `noise` of the labels random."""
    rng = np.random.default_rng(seed)
    x, y = data[0]
    rows = rng.permutation(len(x))[: TRAINING + VALIDATION]
    x, y = x[rows], mnist.randomize_labels(y[rows], noise, rng)
    return (x[:TRAINING], y[:TRAINING]), (x[TRAINING:], y[TRAINING:])


def build(rate, seed):
    """The compiled network; the seed decides weights and masks."""
    layers = [keras.Input((784,))]
    for index in (1, 2):
        layers.append(keras.layers.Dense(256, activation="relu"))
        name = f"hidden{index}"
        layers.append(kdropout.layers.Dropout(rate, seed=2 * seed + index, name=name))
    model = keras.Sequential([*layers, keras.layers.Dense(10)])
    model.compile(
        keras.optimizers.Adam(LEARNING_RATE),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def table(rows):
    """Means over the seeds, with the standard deviation of gap and error."""
    lines = ["noise  kind        value  clean gap      naive gap  test error %   rate"]
    groups = {(r["noise"], r["kind"], r["value"]): [] for r in rows}
    for row in rows:
        groups[row["noise"], row["kind"], row["value"]].append(row)
    for (noise, kind, value), group in groups.items():
        gap, naive, error, rate = (
            np.array([row[key] for row in group])
            for key in ("clean_gap", "naive_gap", "test_error", "final_rate")
        )
        lines.append(
            f"{noise:<5}  {kind:<10}  {value:<5}  {gap.mean():.3f} "
            f"+- {gap.std(ddof=1):.3f}"
            f"  {naive.mean():>8.3f}   {error.mean():5.2f} +- {error.std(ddof=1):.2f}"
            f"  {rate.mean():.3f}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
