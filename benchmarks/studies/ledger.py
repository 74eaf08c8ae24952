"""Makes the results of a study in several processes, each result only once.

Each result is a line of `results/studies/<name>.csv`, written as soon as it is known. A
study that was stopped continues with the missing results. If another study has made the
same training, its result is used.
"""

import concurrent.futures
import csv
import dataclasses
import multiprocessing
import os
import time

from benchmarks import reporting

# TensorFlow keeps about 40 MB of memory for each network that was trained.
JOBS_OF_A_PROCESS = 40

FOLDER = reporting.RESULTS / "studies"


def complete(study, jobs, data_dir, processes):
    """Do the missing jobs, and return the rows of all jobs, in their order.

    Args:
        study: Module with `NAME` and `run(job, data_dir)`, a dict of results.
        jobs: List of instances of one dataclass.
        data_dir: Folder of the data, or None.
        processes: Integer, number of processes that do jobs at the same time.
    """
    _drop_torn_line(FOLDER / f"{study.NAME}.csv")
    known = _known(jobs[0])
    missing = [job for job in dict.fromkeys(jobs) if key_of(job) not in known]
    print(f"{study.NAME}: {len(missing)} of {len(jobs)} to do", flush=True)
    if missing:
        for job, result in _results(study, missing, data_dir, processes):
            row = _texts(dataclasses.asdict(job) | result)
            known[key_of(job)] = row
            _append(study.NAME, row)
    rows = [known[key_of(job)] for job in jobs]
    reporting.write_csv(f"studies/{study.NAME}", rows)
    return [_numbers(row) for row in rows]


def rows_of(jobs):
    """The rows of finished jobs, in their order, with numbers in them."""
    known = _known(jobs[0])
    return [_numbers(known[key_of(job)]) for job in jobs]


def _known(job):
    return {key: row for name in names() for key, row in read(name, job).items()}


def names():
    """The studies that have results."""
    return sorted(path.stem for path in FOLDER.glob("*.csv"))


def read(name, job):
    """Dict from key to row, of a study whose jobs are of the same dataclass."""
    fields = [field.name for field in dataclasses.fields(job)]
    rows = reporting.read_csv(f"studies/{name}")
    if not rows or list(rows[0])[: len(fields)] != fields:
        return {}
    return {tuple(row[field] for field in fields): row for row in rows}


def key_of(job):
    """The key of the row of a job."""
    return tuple(_texts(dataclasses.asdict(job)).values())


def _results(study, jobs, data_dir, processes):
    # Each process uses one core, because small networks gain nothing from more.
    os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = "1"
    os.environ["OMP_NUM_THREADS"] = "1"
    begin, done = time.perf_counter(), 0
    # Start new processes from time to time. This does not use `max_tasks_per_child`,
    # because a pool of Python 3.11 may then wait for ever.
    size = JOBS_OF_A_PROCESS * processes
    for first in range(0, len(jobs), size):
        with concurrent.futures.ProcessPoolExecutor(
            processes, multiprocessing.get_context("spawn")
        ) as pool:
            futures = {
                pool.submit(study.run, job, data_dir): job
                for job in jobs[first : first + size]
            }
            for future in concurrent.futures.as_completed(futures):
                done += 1
                left = (time.perf_counter() - begin) / done * (len(jobs) - done)
                print(
                    f"  {done}/{len(jobs)}, {left / 60:.0f} minutes left: "
                    f"{futures[future]}",
                    flush=True,
                )
                yield futures[future], future.result()


def _drop_torn_line(path):
    """Remove the unfinished line of a run that was killed while it wrote."""
    if path.exists():
        text = path.read_bytes()
        path.write_bytes(text[: text.rfind(b"\n") + 1])


def _append(name, row):
    path = FOLDER / f"{name}.csv"
    FOLDER.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    with open(path, "a", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(row), lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)


def _texts(row):
    return {name: str(value) for name, value in row.items()}


def _numbers(row):
    """The row, in which texts that are numbers become numbers."""
    return {name: _number(text) for name, text in row.items()}


def _number(text):
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
