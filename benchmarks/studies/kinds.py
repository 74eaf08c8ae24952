"""Does it matter which kind of dropout a network has?"""

import dataclasses

import keras
import numpy as np

from benchmarks.studies import figures, findings, networks, trainings

NAME = "kinds"
SEEDS = 7
RATES = (0.1, 0.3, 0.5)
NOISES = (0.0, 0.3)


@dataclasses.dataclass(frozen=True)
class Kind:
    """A network with one kind of dropout, trained like a `trainings.Training`."""

    network: str
    method: str
    noise: float
    seed: int
    samples: int = 1000
    data: str = "fashion_mnist"
    updates: int = 1500


def jobs(seeds):
    return [
        Kind(network, method, noise, seed)
        for seed in range(seeds)
        for network in networks.NETWORKS
        for noise in NOISES
        for method in ("none", *_all_methods(network))
    ]


def run(job, data_dir):
    """A dict of the results of a training."""
    keras.utils.clear_session()
    model = networks.build(job.network, job.method, job.seed)
    return trainings.measure(trainings.compiled(model), job, data_dir)


def tables(rows):
    return (
        findings.table(
            ["wrong labels", "network", "kind", "none, %", *map(str, RATES)],
            [line for place in _places() for line in _by_rate(rows, *place)],
        )
        + "\n\nThe second table has the test error with the rate that the validation "
        "error of each seed chooses, among these and 0:\n\n"
        + findings.table(
            ["wrong labels", "network", "kind", "test error, %"]
            + ["against no dropout, points", "against Dropout, points"],
            [line for place in _places() for line in _chosen(rows, *place)],
        )
    )


def _by_rate(rows, noise, network):
    """Lines with the error without dropout, and the change by each rate."""
    kinds = _kinds(network)
    none = _errors(rows, noise, network, "none")
    for kind in kinds:
        differences = [
            findings.difference(
                _errors(rows, noise, network, method), none, len(kinds) * len(RATES)
            )
            for method in _methods(kind)
        ]
        yield [f"{noise:.0%}", network, kind, findings.mean(none), *differences]


def _chosen(rows, noise, network):
    """Lines with the error of each kind at its chosen rate."""
    kinds = _kinds(network)
    none = _errors(rows, noise, network, "none")
    chosen = {kind: chosen_errors(rows, noise, network, kind) for kind in kinds}
    for kind, errors in chosen.items():
        against = [
            findings.difference(errors, none, 2 * len(kinds) - 1),
            ""
            if kind == "Dropout"
            else findings.difference(errors, chosen["Dropout"], 2 * len(kinds) - 1),
        ]
        yield [f"{noise:.0%}", network, kind, findings.mean(errors), *against]


def chosen_errors(rows, noise, network, kind):
    """Test errors, each at the rate with the least validation error of its seed."""
    methods = ("none", *_methods(kind))
    return findings.chosen_errors(rows, methods, noise=noise, network=network)


def draw(rows):
    places = [(noise, network) for network in networks.NETWORKS for noise in NOISES]
    figure, axes = figures.panels(
        len(places), 3.2, 2.5, rows=len(networks.NETWORKS), sharey=True
    )
    for axis, (noise, network) in zip(axes, places, strict=True):
        none = _errors(rows, noise, network, "none")
        kinds = _kinds(network)
        for number, kind in enumerate(kinds):
            groups = [
                _errors(rows, noise, network, method) - none
                for method in _methods(kind)
            ]
            # Side by side, so that intervals do not cover each other.
            x = np.array(RATES) + 0.012 * (number - (len(kinds) - 1) / 2)
            figures.line(axis, x, groups, number, kind)
        axis.axhline(0.0, color="0.6", linewidth=0.8)
        axis.grid(axis="y", alpha=0.25)
        axis.set_xticks(RATES)
        title = f"{network}, {noise:.0%} wrong labels"
        ylabel = "points of test error,\nagainst no dropout" if noise == 0.0 else ""
        figures.finish(axis, title, "rate", ylabel)
    return figure


def _kinds(network):
    return networks.NETWORKS[network][1]


def _methods(kind):
    return [f"{kind} {rate}" for rate in RATES]


def _all_methods(network):
    return [method for kind in _kinds(network) for method in _methods(kind)]


def _places():
    return [(noise, network) for noise in NOISES for network in networks.NETWORKS]


def _errors(rows, noise, network, method):
    return findings.column(
        rows, "test_error", noise=noise, network=network, method=method
    )
