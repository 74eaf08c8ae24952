"""Helpers for the tests of `convert`, `insert` and `strip`."""

import importlib.metadata

import numpy as np
import pytest

# What KerasHub 0.25 does in another way.
needs_newer_keras_hub = pytest.mark.skipif(
    importlib.metadata.version("keras-hub").startswith("0.25."),
    reason="this version of KerasHub calls other dropout layers",
)

TOKENS = {
    "token_ids": np.arange(24).reshape(2, 12),
    "segment_ids": np.zeros((2, 12), "int32"),
    "padding_mask": np.ones((2, 12), "int32"),
}


def bert(dropout=0.1):
    """Build a small BERT of KerasHub for `TOKENS`."""
    import keras_hub

    return keras_hub.models.BertBackbone(
        vocabulary_size=50,
        num_layers=2,
        num_heads=2,
        hidden_dim=16,
        intermediate_dim=32,
        max_sequence_length=12,
        dropout=dropout,
    )


def inputs_of(model, size=4):
    """Draw random inputs of a model: an array, or a list of arrays."""
    generator = np.random.default_rng(0)
    arrays = [
        generator.normal(size=(size, *tensor.shape[1:])).astype("float32")
        for tensor in model.inputs
    ]
    return arrays if len(arrays) > 1 else arrays[0]
