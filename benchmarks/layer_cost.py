"""Compares a dropout layer with that of Keras, of the backend, and a multiplication.

Each is compiled as in training and runs in turn with the others, after a warm-up. The
multiplication is the memory limit: it reads and writes as much as any dropout must.

1. Sizes from 2^10 to 2^26 elements, float32, a mask of all units.
2. 2^22 elements in float32, bfloat16 and float16; a mask of all units, and one per
   channel (`SpatialDropout2D`).
3. On TensorFlow, 2^22 elements compiled with XLA.

Each case runs forwards, and forwards with backwards.

    KERAS_BACKEND=tensorflow python -m benchmarks.layer_cost

About 3 minutes per backend on 2 cores. Writes results/layer_cost.csv; rows of the other
backends stay. The ratios are those of the minima. `of_keras_medians` is the 95 %
interval of the ratio of the medians.
"""

import argparse
import os
import statistics

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import ops

import kdropout
from benchmarks import compiled, reporting, timing

BACKEND = keras.backend.backend()
RATE = 0.5
SIZES = [2**power for power in range(10, 27, 2)]
SIZE = 2**22  # 4096 x 1024
ROWS = 1024  # of a matrix; a map has 32 x 32 units in each of 64 channels
DTYPES = ("float32", "bfloat16", "float16")
SECONDS = 1.0  # for the rounds of each contender
FEWEST, MOST = 12, 300  # rounds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.parse_args()
    settings = [{"size": size} for size in SIZES]
    settings += [{"dtype": dtype} for dtype in DTYPES[1:]]
    settings += [{"dtype": dtype, "mask": "per channel"} for dtype in DTYPES]
    settings += [{"xla": True}] if BACKEND == "tensorflow" else []
    rows = []
    for setting in settings:
        for backwards in (False, True):
            found = measure(**setting, backwards=backwards)
            rows += found
            print(*found, sep="\n", flush=True)
    rows += reporting.rows_of_other_backends("layer_cost")
    print(reporting.write_csv("layer_cost", rows))


def measure(size=SIZE, dtype="float32", mask="per unit", xla=False, backwards=False):
    """Rows of all contenders."""
    shape = _shape(size, mask)
    generator = np.random.default_rng(0)
    x = ops.convert_to_tensor(generator.normal(size=shape), dtype)
    gradient = ops.ones_like(x)
    runs = {}
    for name, call in contenders(dtype, mask).items():
        if backwards:
            runs[name] = compiled.forward_backward(call, x, gradient, xla)
        else:
            runs[name] = compiled.forward(call, x, xla)
    seconds = timing.in_turn(runs, rounds_of(runs))
    least = {name: min(values) for name, values in seconds.items()}
    return [
        {
            "backend": BACKEND,
            "compiler": "XLA" if xla or BACKEND == "jax" else "",
            "pass": "forward + backward" if backwards else "forward",
            "dtype": dtype,
            "mask": mask,
            "size": size,
            "what": name,
            "rounds": len(values),
            "min_ms": round(1e3 * least[name], 4),
            "median_ms": round(1e3 * statistics.median(values), 4),
            "of_keras": round(least[name] / least["keras"], 3),
            "of_keras_medians": timing.ratio_of_medians(values, seconds["keras"], 3)[1],
            "of_multiply": round(least[name] / least["multiply"], 2),
        }
        for name, values in seconds.items()
    ]


def contenders(dtype, mask):
    """Dict from name to a layer or a function of a tensor."""
    kind = {"per unit": "Dropout", "per channel": "SpatialDropout2D"}[mask]
    return {
        "kdropout": getattr(kdropout.layers, kind)(RATE, seed=1, dtype=dtype),
        "keras": getattr(keras.layers, kind)(RATE, seed=1, dtype=dtype),
        "backend": _NATIVE[BACKEND](mask),
        "multiply": lambda x: x * 2.0,
    }


def rounds_of(runs):
    """The number of rounds that fit into the time, after a warm-up."""
    for run in runs.values():
        run()
        run()
    whole = sum(map(timing.seconds, runs.values()))
    return int(np.clip(SECONDS * len(runs) / whole, FEWEST, MOST))


def _shape(size, mask):
    if mask == "per channel":
        return (size // 2**16, 32, 32, 64)
    return (max(size // ROWS, 1), min(size, ROWS))


def _tensorflow(mask):
    import tensorflow as tf

    seed = tf.Variable([1, 2], dtype="int64")

    def call(x):
        seed.assign_add([0, 1])
        shape = None if mask == "per unit" else (len(x), 1, 1, x.shape[-1])
        drop = tf.nn.experimental.stateless_dropout
        return drop(x, RATE, seed=seed, noise_shape=shape)

    return call


def _jax(mask):
    import jax
    import jax.numpy as jnp

    key = jax.random.key(1)

    def call(x):
        shape = x.shape if mask == "per unit" else (len(x), 1, 1, x.shape[-1])
        # With a constant key, XLA could draw the mask when it compiles.
        this_key = jax.random.fold_in(key, x.ravel()[0].astype("int32"))
        keep = jax.random.bernoulli(this_key, 1.0 - RATE, shape)
        return jnp.where(keep, x / (1.0 - RATE), 0)

    return call


def _torch(mask):
    from torch.nn import functional

    if mask == "per unit":
        return lambda x: functional.dropout(x, RATE)
    # PyTorch has the channels first.
    return lambda x: functional.dropout2d(x.permute(0, 3, 1, 2), RATE).permute(
        0, 2, 3, 1
    )


_NATIVE = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}


if __name__ == "__main__":
    main()
