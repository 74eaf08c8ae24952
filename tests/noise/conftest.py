"""The statistics of masks, which the benchmarks have."""

import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture
def mask_counts(monkeypatch):
    """How far counts of masks are off those of independent units."""
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    from benchmarks import mask_counts

    return mask_counts


@pytest.fixture
def mask_statistics(monkeypatch):
    """The benchmark of a billion units, whose measurements the tests here take."""
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    from benchmarks import mask_statistics

    return mask_statistics
