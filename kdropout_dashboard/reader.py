"""What the page shows, as data that JSON can hold."""

from kdropout_dashboard import plain, tags
from kdropout_dashboard.search import search
from kdropout_dashboard.training import training

__all__ = ["runs", "search", "training"]


def runs(source):
    """The trainings and searches that a `Source` has, in natural order."""
    kinds = {tags.RUN: "training", tags.SEARCH: "search"}
    described = source.described(list(kinds))
    return {
        "runs": [
            {"name": name, "kind": kinds[tag]}
            for name in sorted(described, key=plain.natural)
            for tag in kinds
            if tag in described[name]
        ]
    }
