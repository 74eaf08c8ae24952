"""One training of one arm with one seed."""

import contextlib
import dataclasses
import time

import keras

from kdropout import layers
from kdropout.callbacks import OverfittingGap, RateLogger
from kdropout.demo import data
from kdropout.demo.batches import ShuffledBatches
from kdropout.inspection import rates

# Wide enough to learn 900 images by heart, small enough for seconds on a CPU.
UNITS = (256, 256)
LEARNING_RATE = 1e-3
BATCH_SIZE = 32


@dataclasses.dataclass(frozen=True)
class Fit:
    """What came out of one training.

    Args:
        arm: The `Arm`.
        seed: Integer, the seed.
        test_error: Float in [0, 1], share of the clean test images got wrong.
        history: Dict from the name of a metric to its values, one per epoch.
        rates: Dict from the path of a dropout layer to its rate at the end.
        seconds: Float, wall-clock time.
    """

    arm: object
    seed: int
    test_error: float
    history: dict
    rates: dict
    seconds: float


def build_model(arm, seed, num_steps, num_samples):
    """A compiled model. Its initial weights depend on `seed`, not on `arm`."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((64,))])
    for index, units in enumerate(UNITS, start=1):
        rate = arm.rate(num_steps, num_samples)
        model.add(keras.layers.Dense(units, activation="relu"))
        model.add(layers.Dropout(rate, name=f"drop{index}"))
    model.add(keras.layers.Dense(data.NUM_CLASSES))
    model.compile(
        keras.optimizers.Adam(LEARNING_RATE),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def train(arm, digits, seed, epochs, log_dir, on_epoch):
    """Train a model, and test it on the clean labels.

    Args:
        arm: The `Arm`.
        digits: The `Digits`.
        seed: Integer, decides initial weights, order of the samples and masks.
        epochs: Integer, length of the training.
        log_dir: Path of the folder for TensorBoard.
        on_epoch: Function called with the index of each epoch at its end.

    Returns:
        `Fit`.
    """
    begin = time.perf_counter()
    num_samples = len(digits.training[0])
    batches = ShuffledBatches(digits.training, BATCH_SIZE, seed)
    num_steps = epochs * len(batches)
    model = build_model(arm, seed, num_steps, num_samples)
    callbacks = [
        OverfittingGap(digits.training, batch_size=num_samples),
        RateLogger(),
        *arm.callbacks(),
        keras.callbacks.TensorBoard(str(log_dir), write_graph=False),
        keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: on_epoch(epoch)
        ),
    ]
    with one_thread():
        history = model.fit(
            batches,
            epochs=epochs,
            validation_data=digits.validation,
            validation_batch_size=len(digits.validation[0]),
            callbacks=callbacks,
            verbose=0,
        )
        test = model.evaluate(*digits.test, verbose=0, return_dict=True)
    return Fit(
        arm=arm,
        seed=seed,
        test_error=1.0 - test["accuracy"],
        history=history.history,
        rates=rates(model),
        seconds=time.perf_counter() - begin,
    )


@contextlib.contextmanager
def one_thread():
    """On PyTorch, one thread: the matrices are too small to be worth sharing out.

    On a machine of two cores with other work to do, two threads that wait for each
    other took 30 times as long as one.
    """
    if keras.backend.backend() != "torch":
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
