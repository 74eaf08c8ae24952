"""Runs the benchmarks of speed one after the other, each in a new process.

    python -m benchmarks --data-dir DIR
    python -m benchmarks layer_cost mc_predict

Each benchmark runs on every installed backend that it supports. All together take about
70 minutes on 2 cores, which nothing else should use. The docstring of each file says
what it measures. `gpu` needs a GPU, and `speed_table` sums up the results of the
others.
"""

import argparse
import importlib.util
import os
import subprocess
import sys

# The backends of each benchmark, and True if it reads data.
SCRIPTS = {
    "import_time": (("tensorflow", "jax", "torch"), False),
    "layer_cost": (("tensorflow", "jax", "torch"), False),
    "training_step": (("tensorflow", "jax", "torch"), False),
    "recurrent_cost": (("tensorflow", "jax", "torch"), False),
    "live_rate": (("tensorflow", "jax"), False),
    "callback_cost": (("tensorflow",), True),
    "mc_predict": (("tensorflow", "jax", "torch"), False),
    "trials": (("tensorflow", "jax"), False),
    "large_trials": (("tensorflow",), True),
    "dashboard": (("tensorflow",), False),
    "gpu": (("tensorflow", "jax", "torch"), False),
    "speed_table": (("tensorflow",), False),  # reads the results of the others
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SCRIPTS))
    parser.add_argument("--data-dir", help="folder with 'mnist' and 'fashion_mnist'")
    arguments = parser.parse_args()
    for name in arguments.names:
        if name not in SCRIPTS:
            parser.error(f"NAME must be one of {', '.join(SCRIPTS)}. Received: {name}")
    failed = []
    for name in arguments.names or SCRIPTS:
        backends, needs_data = SCRIPTS[name]
        if needs_data and arguments.data_dir is None:
            print(f"== {name}: skipped, because it needs --data-dir", flush=True)
            continue
        for backend in backends:
            if importlib.util.find_spec(backend) is None:
                print(f"== {name} on {backend}: skipped, because it is not installed")
                continue
            print(f"== {name} on {backend}", flush=True)
            data = ["--data-dir", arguments.data_dir] if needs_data else []
            if run(name, backend, data) != 0:
                failed.append(f"{name} on {backend}")
    if failed:
        sys.exit(f"Failed: {', '.join(failed)}")


def run(name, backend, arguments):
    """The exit code of a benchmark."""
    environment = {**os.environ, "KERAS_BACKEND": backend}
    command = [sys.executable, "-m", f"benchmarks.{name}", *arguments]
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    main()
