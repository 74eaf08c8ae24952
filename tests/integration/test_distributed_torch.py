"""Layers under PyTorch's `DistributedDataParallel`: two processes on this machine.

This file runs itself as a script that starts the processes. They write their
measurements, and the tests check these.
"""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

import kdropout
from kdropout import callbacks, layers, schedules

RANKS, UNITS, CALLS = 2, 100_000, 4
SIGMAS = 5
RAMP = {"start": 0.6, "end": 0.2, "steps": 10}
EPOCHS, STEPS_PER_EPOCH, BATCH_SIZE = 3, 4, 8

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(keras.backend.backend() != "torch", reason="PyTorch's ranks"),
]


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """Return the measurements of each rank: dicts from name to array."""
    from tests.tools import code_for_devices  # the script cannot import it

    folder = tmp_path_factory.mktemp("ranks")
    code = code_for_devices("DistributedDataParallel")
    done = subprocess.run(
        [sys.executable, __file__, str(folder), code],
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": "torch", "GLOO_SOCKET_IFNAME": "lo"},
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    return [np.load(folder / f"rank{rank}.npz") for rank in range(RANKS)]


@pytest.mark.parametrize("kind", ["seeded", "unseeded", "scheduled"])
def test_ranks_draw_independent_masks(ranks, kind):
    first, second = (rank[f"{kind} masks"] for rank in ranks)
    worst = max(
        abs(np.corrcoef(mask, other)[0, 1]) for mask in first for other in second
    )
    print(f"{kind}: worst correlation {worst * UNITS**0.5:.2f} sigma")
    assert worst <= SIGMAS / UNITS**0.5


def test_first_rank_draws_the_masks_of_a_single_process(ranks):
    layer = layers.Dropout(0.5, seed=3)
    alone = [draw(layer) for _ in range(CALLS)]
    assert np.array_equal(ranks[0]["seeded masks"], alone)


def test_masks_have_their_rate_on_each_rank(ranks):
    bound = SIGMAS * 0.5 / UNITS**0.5
    for rank in ranks:
        shares = rank["seeded masks"].mean(axis=1)
        assert np.abs(shares - 0.5).max() <= bound


def test_ranks_have_the_same_schedules(ranks):
    for rank in ranks:
        assert rank["steps"] == CALLS
        assert rank["rate"] == pytest.approx(0.6 - 0.4 * (CALLS - 1) / 10)


def test_each_rank_continues_its_stream_after_loading(ranks):
    for rank in ranks:
        assert np.array_equal(rank["went on"], rank["loaded"])
    assert not np.array_equal(ranks[0]["loaded"], ranks[1]["loaded"])


def test_closed_loops_move_the_rates_equally_with_averaged_losses(ranks):
    first, second = ranks
    for name in ("auto", "gap"):
        print(f"{name}: {first[name]}")
        assert np.array_equal(first[name], second[name])
        assert len(set(first[name])) == EPOCHS


def test_ranks_part_if_each_uses_its_own_losses(ranks):
    # This is why docs/backends.md averages the losses first.
    first, second = (rank["not averaged"] for rank in ranks)
    print(f"rates: {first} and {second}")
    assert not np.array_equal(first, second)


def test_learned_rate_stays_equal_on_all_ranks(ranks):
    first, second = ranks
    print(f"learned rate: {first['learned']}")
    assert np.array_equal(first["learned"], second["learned"])
    assert len(set(first["learned"])) == EPOCHS
    # The gradients of the ranks differ before they are averaged.
    assert not np.array_equal(first["gradient"], second["gradient"])


def test_all_ranks_continue_from_the_file_of_the_first(ranks):
    for rank in ranks:
        assert rank["restored rates"].tolist() == rank["saved rates"].tolist()
        assert rank["restored rates"].tolist() == ranks[0]["saved rates"].tolist()
        assert rank["restored step"] == EPOCHS * STEPS_PER_EPOCH
        assert np.array_equal(rank["next mask"], rank["restored mask"])
    assert not np.array_equal(ranks[0]["restored mask"], ranks[1]["restored mask"])


def test_code_of_the_page_keeps_the_rates_equal(ranks):
    first, second = ranks
    assert len(first["documented losses"]) == EPOCHS
    assert not np.array_equal(first["documented losses"], second["documented losses"])
    assert first["documented rate"] != 0.3
    assert np.array_equal(first["documented rate"], second["documented rate"])


def test_mc_predict_returns_the_same_on_each_rank(ranks):
    first, second = (rank["predicted"] for rank in ranks)
    assert first.min() > 0.0
    assert np.array_equal(first, second)


def draw(layer):
    """Return the mask of one call: True where a unit is dropped."""
    import torch

    return (layer(torch.ones(1, UNITS), training=True) == 0).numpy()[0]


def run(rank, folder, documented_code):
    import torch

    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=RANKS
    )
    measured = {
        **measure_masks(rank, folder),
        **measure_training(rank, folder),
        **run_documented(rank, documented_code),
    }
    np.savez(os.path.join(folder, f"rank{rank}.npz"), **measured)
    torch.distributed.destroy_process_group()


def measure_masks(rank, folder):
    import torch

    measured = {}
    schedule = schedules.Ramp(**RAMP)
    makers = {
        "seeded": lambda: layers.Dropout(0.5, seed=3, name="drop"),
        "unseeded": lambda: layers.Dropout(0.5, name="drop"),
        "scheduled": lambda: layers.Dropout(schedule, seed=3, name="drop"),
    }
    for kind, make in makers.items():
        # A training script does the same, so that all ranks begin with the same
        # weights.
        keras.utils.set_random_seed(0)

        def make_model(make=make):
            return keras.Sequential(
                [keras.Input((UNITS,)), make(), keras.layers.Dense(1, name="last")]
            )

        model = make_model()
        parallel = torch.nn.parallel.DistributedDataParallel(model)
        drop = model.get_layer("drop")
        masks = []
        drop.register_forward_hook(
            lambda layer, inputs, outputs, masks=masks: masks.append(
                (outputs == 0).numpy()[0]
            )
        )
        for _ in range(CALLS):
            parallel(torch.ones(1, UNITS), training=True).sum().backward()
        measured[f"{kind} masks"] = np.array(masks)
        if kind == "scheduled":
            measured["steps"] = int(drop.rate_variables["step"].numpy())
            measured["rate"] = drop.rate
        if kind == "seeded":
            path = os.path.join(folder, f"rank{rank}.weights.h5")
            model.save_weights(path)
            other = make_model()
            other.load_weights(path)
            measured["went on"] = draw(drop)
            measured["loaded"] = draw(other.get_layer("drop"))
    return measured


def measure_training(rank, folder):
    import torch

    def make_model():
        keras.utils.set_random_seed(0)
        return keras.Sequential(
            [
                keras.Input((16,)),
                keras.layers.Dense(64, "relu"),
                layers.Dropout(0.3, seed=1, name="auto"),
                keras.layers.Dense(64, "relu"),
                layers.Dropout(0.3, seed=2, name="gap"),
                layers.Dropout(schedules.Ramp(**RAMP), seed=3, name="ramp"),
                layers.Dropout(kdropout.LearnedRate(0.5), seed=4, name="learned"),
                keras.layers.Dense(1),
            ]
        )

    def averaged(*numbers):
        """The means of numbers over all ranks."""
        tensor = torch.tensor(numbers, dtype=torch.float64)
        torch.distributed.all_reduce(tensor)
        return (tensor / RANKS).tolist()

    random = np.random.default_rng(rank)  # each rank has other data
    size = (STEPS_PER_EPOCH + 1) * BATCH_SIZE
    x = torch.as_tensor(random.normal(size=(size, 16)).astype("float32"))
    y = torch.as_tensor(random.normal(size=(size, 1)).astype("float32"))
    *batches, validation = zip(x.split(BATCH_SIZE), y.split(BATCH_SIZE), strict=True)

    model = make_model()
    parallel = torch.nn.parallel.DistributedDataParallel(model)
    optimizer = torch.optim.Adam(parallel.parameters(), 0.01)
    auto = callbacks.AutoRate(layers="auto")
    gap = callbacks.GapController(target=0.0, layers="gap")
    for callback in (auto, gap):
        callback.set_model(model)
        callback.on_train_begin()
    lonely = callbacks.AutoRate()
    lonely.set_model(keras.Sequential([layers.Dropout(0.3, name="not averaged")]))
    measured = {"auto": [], "gap": [], "learned": [], "not averaged": []}
    for epoch in range(EPOCHS):
        losses = []
        for x, y in batches:
            loss = ((parallel(x, training=True) - y) ** 2).mean() + sum(model.losses)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        with torch.no_grad():
            x, y = validation
            val_loss = ((model(x) - y) ** 2).mean().item()
        loss = float(np.mean(losses))
        mean_loss, mean_val_loss = averaged(loss, val_loss)
        auto.step(mean_loss, mean_val_loss)
        gap.on_epoch_end(epoch, {"gap_loss": mean_val_loss - mean_loss})
        rates = kdropout.rates(model) | lonely.step(loss, val_loss)
        for path, rate in rates.items():
            if path in measured:
                measured[path].append(rate)

    path = os.path.join(folder, "first_rank.weights.h5")
    if rank == 0:
        model.save_weights(path)
    torch.distributed.barrier()
    other = make_model()
    other.load_weights(path)
    measured["saved rates"] = list(kdropout.rates(model).values())
    measured["restored rates"] = list(kdropout.rates(other).values())
    measured["restored step"] = int(
        other.get_layer("ramp").rate_variables["step"].numpy()
    )
    measured["next mask"] = draw(model.get_layer("auto"))
    measured["restored mask"] = draw(other.get_layer("auto"))

    x, y = batches[0]
    ((other(x, training=True) - y) ** 2).mean().backward()  # nothing is averaged
    logit = other.get_layer("learned").rate_variables["logit"].value
    measured["gradient"] = logit.grad.numpy()
    return measured


def run_documented(rank, code):
    """Run the code of the page on a model that `convert` made live."""
    import torch

    keras.utils.set_random_seed(0)
    model = kdropout.convert(
        keras.Sequential(
            [keras.Input((16,)), keras.layers.Dropout(0.3), keras.layers.Dense(1)]
        )
    )
    random = np.random.default_rng(rank)  # each rank has other data
    x = random.normal(size=(BATCH_SIZE, 16)).astype("float32")
    losses = []

    def train_and_validate(parallel):
        parallel(torch.as_tensor(x), training=True).sum().backward()
        losses.append(random.uniform(0.5, 1.5, size=2).tolist())
        return losses[-1]

    page = {"torch": torch, "kdropout": kdropout, "model": model, "epochs": EPOCHS}
    page |= {"device": "cpu", "train_and_validate": train_and_validate}
    exec(code, page)
    prediction = kdropout.mc_predict(model, np.ones((3, 16), "float32"), 20, seed=1)
    return {
        "documented losses": losses,
        "documented rate": list(kdropout.rates(model).values()),
        "predicted": prediction.std,
    }


if __name__ == "__main__":
    import torch

    torch.multiprocessing.spawn(run, tuple(sys.argv[1:]), nprocs=RANKS)
