"""The networks of the study of kinds differ only in their dropout."""

import keras
import numpy as np
import pytest

from benchmarks.studies import kinds, networks
from kdropout.inspection import dropout_layers

if keras.backend.backend() != "tensorflow":
    pytest.skip("the studies run on TensorFlow", allow_module_level=True)

IMAGES = np.random.default_rng(0).random((8, 784)).astype("float32")
KINDS = [
    (name, kind) for name, (_, found) in networks.NETWORKS.items() for kind in found
]


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_kind_changes_only_the_training(name, kind):
    plain = networks.build(name, "none", seed=3)
    model = networks.build(name, f"{kind} 0.5", seed=3)
    layers = dropout_layers(model).values()
    assert layers and not dropout_layers(plain)
    assert {type(layer).__name__ for layer in layers} == {kind}
    assert {layer.rate for layer in layers} == {0.5}
    expected = plain(IMAGES)
    np.testing.assert_array_equal(model(IMAGES), expected)
    assert not np.allclose(model(IMAGES, training=True), expected)


def test_seeds_have_independent_weights_and_masks():
    one, same, other = (
        networks.build("dense", "Dropout 0.5", seed) for seed in (1, 1, 2)
    )
    outputs = [np.array(model(IMAGES, training=True)) for model in (one, same)]
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert not np.allclose(one(IMAGES), other(IMAGES))
    other.set_weights(one.get_weights())  # without the states of the masks
    np.testing.assert_array_equal(one(IMAGES), other(IMAGES))
    assert not np.allclose(other(IMAGES, training=True), outputs[0])


def test_patches_of_the_transformer_are_squares_of_the_image():
    model = networks.build("transformer", "none", seed=0)
    patches = keras.Model(model.input, model.layers[3].output)
    image = np.arange(784.0).reshape(28, 28)
    found = np.array(patches(image.reshape(1, 784)))[0]
    np.testing.assert_array_equal(found[5], image[7:14, 7:14].ravel())


def test_chosen_rate_may_be_zero():
    def row(seed, method, validation, test):
        common = {"network": "dense", "noise": 0.0, "seed": seed, "method": method}
        return common | {"validation_error": validation, "test_error": test}

    rows = [row(seed, "none", 5.0 - seed, 1.0) for seed in (0, 1)]
    for rate in kinds.RATES:
        rows += [row(seed, f"Dropout {rate}", 4.5 + rate, 2.0) for seed in (0, 1)]
    found = kinds.chosen_errors(rows, 0.0, "dense", "Dropout")
    assert list(found) == [2.0, 1.0]
