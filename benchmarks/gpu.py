"""Measures the cost of dropout on a GPU, if the backend sees one.

1. Layers, as in `layer_cost`: 2^22 and 2^26 elements, float32, bfloat16 and float16, a
   mask of all units. The benchmark waits for each call of each contender. For a small
   tensor, this wait is most of the time.
2. Whole training steps, as in `training_step`.
3. A branch at rate 0. kdropout does not branch on an accelerator: a branch saves the
   drawing of the mask, but has to wait for the rate. The benchmark compares training
   steps of the MLP with and without a branch, at its usual rate and at 0.

    KERAS_BACKEND=tensorflow python -m benchmarks.gpu

About 2 minutes per backend. Writes results/gpu.csv, with the name of the GPU; rows of
the other backends stay. Without a GPU, it prints a message and writes no file.
"""

import argparse
import os
import statistics

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from keras import ops

import kdropout
from benchmarks import compiled, devices, layer_cost, reporting, timing, training_step
from kdropout import noise

BACKEND = keras.backend.backend()
SIZES = (2**22, 2**26)
ROUNDS = 12
STEPS = 25  # per block, because a step is short on a GPU


class NoBranch(kdropout.layers.Dropout):
    """Draws its mask at any rate."""

    def apply_noise(self, inputs, shape, rate, seed):
        keep, scale = noise.bernoulli(shape, rate, seed, inputs.dtype)
        return noise.drop_units(inputs, keep, scale)


class Branch(NoBranch):
    """Draws no mask at rate 0."""

    def apply_noise(self, inputs, shape, rate, seed):
        add_noise = super().apply_noise
        return ops.cond(
            rate == 0.0, lambda: inputs, lambda: add_noise(inputs, shape, rate, seed)
        )


BRANCH_ARMS = {
    "no branch": (NoBranch, None),
    "branch": (Branch, None),
    "no branch at 0": (NoBranch, 0.0),
    "branch at 0": (Branch, 0.0),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.parse_args()
    device = devices.gpu_name()
    if device is None:
        print(f"not measured: {BACKEND} does not see a GPU")
        return
    rows = []
    for found in measure(device, SIZES, ROUNDS, STEPS):
        rows += found
        print(*found, sep="\n", flush=True)
    rows += reporting.rows_of_other_backends("gpu")
    print(reporting.write_csv("gpu", rows))


def measure(device, sizes, rounds, steps):
    """Lists of rows. It also runs on a CPU, so that you can try the script there."""
    for size in sizes:
        for dtype in layer_cost.DTYPES:
            for one_pass in ("forward", "forward + backward"):
                times = layer_times(size, dtype, one_pass)
                yield rows_of(device, one_pass, times, "keras", dtype, size)
    for model in training_step.MODELS:
        times = step_times(model, training_step.ARMS, rounds, steps)
        yield rows_of(device, f"step of {model}", times, "none")
    times = step_times("mlp", BRANCH_ARMS, rounds, steps)
    yield rows_of(device, "branch in a step of mlp", times, "no branch")


def step_times(model, arms, rounds, steps):
    """Dict from arm to the milliseconds of a training step, one for each round."""
    blocks = {name: training_step.block_of(model, *arms[name], steps) for name in arms}
    return training_step.step_times(blocks, rounds, steps)


def layer_times(size, dtype, one_pass):
    """Dict from contender to the milliseconds of a call, one for each round."""
    shape = (size // layer_cost.ROWS, layer_cost.ROWS)
    x = keras.random.normal(shape, dtype=dtype, seed=0)
    gradient = ops.ones_like(x)
    runs = {}
    # On a GPU, Keras lets TensorFlow compile with XLA as well.
    for name, call in layer_cost.contenders(dtype, "per unit").items():
        if one_pass == "forward":
            run = compiled.forward(call, x, xla=True)
        else:
            run = compiled.forward_backward(call, x, gradient, xla=True)
        runs[name] = waiting(run)
    seconds = timing.in_turn(runs, layer_cost.rounds_of(runs))
    return {name: [1e3 * s for s in values] for name, values in seconds.items()}


def waiting(run):
    """A function that calls `run` and waits for the GPU."""
    return lambda: devices.wait(run())


def rows_of(device, what, times, reference, dtype="float32", size=""):
    """Rows of contenders or arms that ran in turn."""
    least = {arm: min(values) for arm, values in times.items()}
    return [
        {
            "backend": BACKEND,
            "device": device,
            "what": what,
            "dtype": dtype,
            "size": size,
            "arm": arm,
            "rounds": len(values),
            "min_ms": round(least[arm], 4),
            "median_ms": round(statistics.median(values), 4),
            "against": reference,
            "ratio": round(least[arm] / least[reference], 3),
        }
        for arm, values in times.items()
    ]


if __name__ == "__main__":
    main()
