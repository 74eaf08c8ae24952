"""What a report must know of the model, kept where there is no model at hand."""

import json

from kdropout.files import replacing
from kdropout.tuning.dropout_tab import dimensions_of
from kdropout.tuning.job.space_settings import plain_space
from kdropout.tuning.space.groups import make_group
from kdropout.tuning.space.parsing import parse
from kdropout.tuning.space.plan import RatePlan
from kdropout.tuning.space.selection import select_groups

FILE = "plan.json"

# A report of a search that was stopped needs no module of the user's, no data and no
# training: only which layers each entry of the space has found.


def write_plan(folder, job, model, baseline, task):
    """Keep the layers that each pattern of the space decides on, and the task.

    Args:
        folder: `pathlib.Path` of the output.
        job: `kdropout.tuning.job.Job`.
        model: A model that went through `tune_rates`.
        baseline: Dict from layer path to the rate before the search.
        task: String, what the model is trained for.
    """
    groups = select_groups(model, parse(plain_space(job.space)))
    content = {
        "layers": [[group.pattern, list(group.paths)] for group in groups],
        "baseline": baseline,
        "task": task,
    }
    with replacing(folder / FILE) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")


def read_plan(folder, job):
    """Tuple of the `RatePlan` of a job, and the rates before the search.

    Raises:
        ValueError: If the file is missing, damaged, or of another space.
    """
    path, space = folder / FILE, parse(plain_space(job.space))
    try:
        content = json.loads(path.read_text())
        choices = space if isinstance(space, dict) else {"*": space}
        groups = [
            make_group(pattern, paths, choices[pattern], "rate")
            for pattern, paths in content["layers"]
        ]
        return RatePlan(groups), dict(content["baseline"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ValueError(
            f"'{path}' must tell which layers were searched. It cannot be read: "
            f"{error!r}. 'kdropout tune' with --resume writes it anew."
        ) from None


def limits_of(plan):
    """Dict from hyperparameter to the lowest and highest value that the space allows.

    Args:
        plan: `RatePlan`.
    """
    return {one.name: (one.low, one.high) for one in dimensions_of(plan)}


def read_task(folder):
    """What the model of a job is trained for, or None where no file says it."""
    try:
        return json.loads((folder / FILE).read_text()).get("task")
    except (OSError, ValueError, AttributeError):
        return None
