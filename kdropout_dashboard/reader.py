"""The data of the page, in a form that JSON can store."""

from kdropout_dashboard import plain, tags
from kdropout_dashboard.search import search
from kdropout_dashboard.training import training

__all__ = ["runs", "search", "training"]


def runs(source):
    """Return the trainings and searches of a `Source` in natural order."""
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
