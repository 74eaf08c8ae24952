"""The table of docs/uncertainty.md is that of the measured coverage."""

import pathlib

import pytest

from benchmarks import coverage, reporting

pytestmark = pytest.mark.on_one_backend

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "uncertainty.md"


def test_page_has_the_table_of_the_results():
    rows = reporting.read_csv("coverage")
    assert len(rows) == len(coverage.SETS) * coverage.SPLITS
    assert coverage.table(rows) in PAGE.read_text()
