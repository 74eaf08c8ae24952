"""Measures the effect of dropout on the error, on real data, with seeds and intervals.

    python -m benchmarks.studies --help

Each study is a module with a question, the trainings that answer it, a picture and a
page.
"""
