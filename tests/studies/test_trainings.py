"""A training of a study follows its method and is measured."""

import gzip
import struct

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

import kdropout
from benchmarks.studies import calibration, methods, trainings, uci
from benchmarks.studies.trainings import Training

if keras.backend.backend() != "tensorflow":
    pytest.skip("the studies run on TensorFlow", allow_module_level=True)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """Make a data folder with small digits in place of MNIST and Fashion-MNIST."""
    folder = tmp_path_factory.mktemp("data")
    images, labels = load_digits(return_X_y=True)
    large = np.repeat(np.repeat(images.reshape(-1, 8, 8), 3, 1), 3, 2) * 15
    large = np.pad(large, ((0, 0), (2, 2), (2, 2))).astype("uint8")
    large, labels = np.tile(large, (2, 1, 1)), np.tile(labels, 2).astype("uint8")
    for name in ("mnist", "fashion_mnist"):
        (folder / name).mkdir()
        for part in ("train", "t10k"):
            for array, kind in ((large, "images-idx3"), (labels, "labels-idx1")):
                path = folder / name / f"{part}-{kind}-ubyte.gz"
                head = bytes([0, 0, 8, array.ndim])
                shape = struct.pack(f">{array.ndim}I", *array.shape)
                with gzip.open(path, "wb", compresslevel=1) as file:
                    file.write(head + shape + array.tobytes())
    return str(folder)


@pytest.mark.slow
def test_training_is_measured(data_dir):
    training = Training("constant 0.2/0.5", 300, 0, updates=200)
    row = trainings.run(training, data_dir)
    assert row["rates"] == "0.200 0.500 0.500"
    assert row["rate_by_epoch"] == "0.500 0.500"
    assert len(row["gap_by_epoch"].split()) == 2
    assert 0.0 <= row["test_error"] < 60.0  # 90 would be chance
    assert trainings.run(training, data_dir) == row  # one seed gives one result


@pytest.mark.parametrize(
    ("method", "wanted"),
    [
        ("constant 0.6", (0.6, 0.6, 0.6)),
        ("curriculum 0.6", (0.0, 0.6 * (1 - np.exp(-5)), 0.6)),
        ("rising 0.6", (0.0, 0.3, 0.6)),
        ("annealed 0.6", (0.6, 0.3, 0.0)),
        ("early 0.6", (0.6, 0.0, 0.0)),
        ("late 0.6", (0.0, 0.6, 0.6)),
    ],
)
def test_rate_moves_by_the_method(method, wanted):
    found = methods.hidden_layers(method, steps=300, samples=100)
    both = [layer for layer in found if "drop" in layer.name]
    assert len(both) == 2
    for layer in both:
        # A number, or the config that Keras saves for a schedule.
        rate = layer.get_config()["rate"]
        if isinstance(rate, dict):
            schedule = keras.saving.deserialize_keras_object(rate)
            at = [float(schedule(step)) for step in (0, 150, 300)]
        else:
            at = [rate] * 3
        assert at == pytest.approx(wanted, abs=0.005)


@pytest.mark.slow
def test_network_without_dropout_has_no_rate(data_dir):
    row = trainings.run(Training("none", 300, 0, updates=100), data_dir)
    assert row["rates"] == row["rate_by_epoch"] == ""


@pytest.mark.parametrize("method", ["controller 0.1", "learned"])
def test_methods_that_find_rates_begin_at_the_same_rate(method):
    model = trainings.build(Training(method, 300, 0))
    assert kdropout.rates(model) == {"drop1": methods.START, "drop2": methods.START}


def test_seed_decides_the_initial_weights_for_every_method():
    def kernels(method, seed=0):
        model = trainings.build(Training(method, 300, seed))
        return [w for w in model.get_weights() if w.ndim == 2]

    first = kernels("none")
    for method in ("constant 0.2/0.5", "learned", "concrete", "standout"):
        for one, other in zip(kernels(method), first, strict=True):
            assert np.array_equal(one, other)
    assert not np.array_equal(kernels("none", 1)[0], first[0])


def test_wrong_labels_are_only_in_training_and_validation(data_dir):
    right = trainings.split(Training("none", 300, 0), data_dir)
    wrong = trainings.split(Training("none", 300, 0, noise=0.5), data_dir)
    shares = [(a[1] != b[1]).mean() for a, b in zip(right, wrong, strict=True)]
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(right, wrong, strict=True))
    # Half are drawn again, and one of ten of these is right by chance.
    assert shares[0] == pytest.approx(0.45, abs=0.1) and shares[2] == 0.0
    assert shares[1] == pytest.approx(0.45, abs=0.05)


def test_scores_of_probabilities():
    # Sure and right, sure and wrong, undecided between the right class and another.
    probabilities = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.5, 0.5, 0.0]])
    found = calibration.scores(probabilities, np.array([0, 0, 0]))
    assert found["error"] == pytest.approx(100 / 3, abs=0.01)
    # The bin of the sure answers has confidence 1, half right; the other has 0.5, all
    # right.
    assert found["ece"] == pytest.approx(100 * (2 * 0.5 + 1 * 0.5) / 3, abs=0.01)
    assert found["nll"] == pytest.approx(-np.log([1, 1e-12, 0.5]).mean(), abs=1e-3)
    assert calibration.auroc(np.array([0.0, 1.0]), np.array([2.0, 3.0])) == 1.0
    assert calibration.auroc(np.array([0.0, 1.0]), np.array([0.0, 1.0])) == 0.5
    assert calibration.entropy(np.full((1, 4), 0.25)) == pytest.approx(np.log(4))


def test_likelihood_is_that_of_a_mixture_of_normal_distributions():
    from scipy import stats

    samples, targets = np.array([[0.0, 2.0], [1.0, 3.0]]), np.array([0.5, 5.0])
    density = stats.norm(samples, 0.5**0.5).pdf(targets).mean(0)
    found = uci.log_likelihood(samples, targets, precision=2.0)
    assert found == pytest.approx(np.log(density).mean())
