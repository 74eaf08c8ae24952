"""What dropout costs on a GPU, if the backend sees one.

1. Layers, as in `layer_cost`: 2^22 and 2^26 elements, float32, bfloat16 and float16, a
   mask of all units. Each call is waited for, whoever the contender: for a small
   tensor, that is most of the time.
2. Whole training steps, as in `training_step`.
3. Whether to branch at rate 0. kdropout does not on an accelerator: a branch saves the
   drawing of the mask, but has to wait for the rate. Training steps of the MLP with and
   without a branch, at its usual rate and at 0.

    KERAS_BACKEND=tensorflow python -m benchmarks.gpu

About 2 minutes per backend. Writes results/gpu.csv, with the name of the GPU; rows of
the other backends stay. Without a GPU, it says so and writes nothing.
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
STEPS = 25  # per block: on a GPU, a step takes little


class NoBranch(kdropout.layers.Dropout):
    """Draws its mask at any rate."""

    def apply_noise(self, inputs, shape, rate, seed):
        keep, scale = noise.bernoulli(shape, rate, seed, inputs.dtype)
        return noise.drop_units(inputs, keep, scale)


class Branch(NoBranch):
    """At rate 0, draws nothing."""

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
        print(f"not measured: no GPU is seen by {BACKEND}")
        return
    rows = []
    for found in measure(device, SIZES, ROUNDS, STEPS):
        rows += found
        print(*found, sep="\n", flush=True)
    rows += reporting.rows_of_other_backends("gpu")
    print(reporting.write_csv("gpu", rows))


def measure(device, sizes, rounds, steps):
    """Lists of rows. On a CPU too, so that the script can be tried without a GPU."""
    for size in sizes:
        for dtype in layer_cost.DTYPES:
            for one_pass in ("forward", "forward + backward"):
                times = layer_times(size, dtype, one_pass)
                yield rows_of(device, one_pass, times, "keras", dtype, size)
    for model in training_step.MODELS:
        arms = training_step.ARMS
        times = training_step.step_times(model, arms, rounds, steps)
        yield rows_of(device, f"step of {model}", times, "none")
    times = training_step.step_times("mlp", BRANCH_ARMS, rounds, steps)
    yield rows_of(device, "branch in a step of mlp", times, "no branch")


def layer_times(size, dtype, one_pass):
    """Dict from contender to the milliseconds of a call, one for each round."""
    shape = (size // layer_cost.ROWS, layer_cost.ROWS)
    x = keras.random.normal(shape, dtype=dtype, seed=0)
    gradient = ops.ones_like(x)
    runs = {}
    # On a GPU, Keras lets TensorFlow compile by XLA too.
    for name, call in layer_cost.contenders(dtype, "per unit").items():
        if one_pass == "forward":
            run = compiled.forward(call, x, xla=True)
        else:
            run = compiled.forward_backward(call, x, gradient, xla=True)
        runs[name] = waiting(run)
    seconds = timing.in_turn(runs, layer_cost.rounds_of(runs))
    return {name: [1e3 * s for s in values] for name, values in seconds.items()}


def waiting(run):
    """`run`, that returns when the GPU has done all of it."""
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
