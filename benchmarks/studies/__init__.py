"""What dropout and kdropout do to the error, on real data, with seeds and intervals.

    python -m benchmarks.studies --help

Each study is a module: a question, the trainings that answer it, a picture and a page.
"""
