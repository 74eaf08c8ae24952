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

RANKS, UNITS, CALLS = 2, 100_000, 4
SIGMAS = 5
RAMP = {"start": 0.6, "end": 0.2, "steps": 10}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(keras.backend.backend() != "torch", reason="PyTorch's ranks"),
]


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """Return the measurements of each rank: dicts from name to array."""
    folder = tmp_path_factory.mktemp("ranks")
    done = subprocess.run(
        [sys.executable, __file__, str(folder)],
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
    layer = kdropout.layers.Dropout(0.5, seed=3)
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


def draw(layer):
    """Return the mask of one call: True where a unit is dropped."""
    import torch

    return (layer(torch.ones(1, UNITS), training=True) == 0).numpy()[0]


def run(rank, folder):
    import torch

    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=RANKS
    )
    measured = {}
    schedule = kdropout.schedules.Ramp(**RAMP)
    makers = {
        "seeded": lambda: kdropout.layers.Dropout(0.5, seed=3, name="drop"),
        "unseeded": lambda: kdropout.layers.Dropout(0.5, name="drop"),
        "scheduled": lambda: kdropout.layers.Dropout(schedule, seed=3, name="drop"),
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
    np.savez(os.path.join(folder, f"rank{rank}.npz"), **measured)
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    import torch

    torch.multiprocessing.spawn(run, (sys.argv[1],), nprocs=RANKS)
