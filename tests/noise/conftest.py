"""Statistics of masks, shared with the benchmarks."""

import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture
def mask_counts(monkeypatch):
    """Measures by how many sigmas counts of masks deviate from independent units."""
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    from benchmarks import mask_counts

    return mask_counts


@pytest.fixture
def mask_statistics(monkeypatch):
    """Loads the benchmark of a billion units, whose measurements the tests use."""
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    from benchmarks import mask_statistics

    return mask_statistics
