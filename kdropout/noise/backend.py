"""Chooses the functions of the backend in use. No other module does so.

Each of the modules `on_tensorflow`, `on_jax` and `on_torch` has these functions:

- `next_seed(generator)`: the seed of a call, a tensor of two integers. It advances the
  `keras.random.SeedGenerator` in the same way as its `next()`.
- `uniform(shape, seed)`: float32 tensor, uniform in [0, 1).
- `normal(shape, seed)`: float32 tensor, standard normal.
- `bernoulli(shape, rate, seed, dtype="float32")`: a mask of the units to keep, and the
  scale of these units. See `kdropout.noise.masks.keep_and_scale`.
- `drop_units(inputs, keep, scale)`: `where(keep, inputs * scale, 0)`. The inputs may be
  a variable. `keep` broadcasts against them; `scale` has their dtype, and is a scalar
  or of the shape of `keep`.
- `dropout(inputs, shape, rate, seed)`: `drop_units` with a mask of `shape` from
  `bernoulli`, in the fastest form of the backend.
- `skip_at_zero(rate, inputs, add_noise)`: `add_noise()`, a tensor like the inputs. At
  rate 0 on a CPU, it returns the inputs without drawing numbers. On an accelerator
  there is no branch, because a branch waits for the rate. `add_noise` is traced within
  a branch: it must not assign to variables, and its tensors must not be used outside.
"""

import keras


def _unsupported(*args, **kwargs):
    raise NotImplementedError(
        "kdropout trains on tensorflow, jax and torch. Received: backend "
        f"'{keras.backend.backend()}'. Set the environment variable KERAS_BACKEND to "
        "one of these."
    )


def _module_of_backend():
    match keras.backend.backend():
        case "tensorflow":
            from kdropout.noise import on_tensorflow

            return on_tensorflow
        case "jax":
            from kdropout.noise import on_jax

            return on_jax
        case "torch":
            from kdropout.noise import on_torch

            return on_torch
    return None


module = _module_of_backend()

bernoulli = getattr(module, "bernoulli", _unsupported)
drop_units = getattr(module, "drop_units", _unsupported)
dropout = getattr(module, "dropout", _unsupported)
next_seed = getattr(module, "next_seed", _unsupported)
normal = getattr(module, "normal", _unsupported)
skip_at_zero = getattr(module, "skip_at_zero", _unsupported)
uniform = getattr(module, "uniform", _unsupported)
