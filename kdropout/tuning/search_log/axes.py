"""Which hyperparameters of a search move rates, as far as its models have told."""

from kdropout.tuning.search_log.dimension import Dimension, dimensions_of


class Axes:
    """Learns of each model that is built, and of what an earlier process learned.

    Attributes:
        are_known: Whether a model, or an earlier process, has told.
        are_of_model: Whether a model of this process has told.
    """

    def __init__(self):
        self._plans = {}  # by their hyperparameters
        self._dimensions = {}  # by name
        self.are_known = self.are_of_model = False

    @property
    def dimensions(self):
        """List of `Dimension`, of all models together."""
        return list(self._dimensions.values())

    @property
    def plan(self):
        """The `RatePlan` of a model that has all axes, or None."""
        return self._plans.get(frozenset(self._dimensions))

    def learn(self, plan):
        """Take in which hyperparameters move rates.

        Args:
            plan: `kdropout.tuning.RatePlan` of a model of the search, or None if it
                has none.
        """
        self.are_known = self.are_of_model = True
        if plan is not None and plan.names not in self._plans:
            self._plans[plan.names] = plan
            self._dimensions |= {one.name: one for one in dimensions_of(plan)}

    def get_state(self):
        """What was learned, as plain data: no one model may have all of the layers."""
        return [dimension.plain() for dimension in self._dimensions.values()]

    def set_state(self, state):
        """Take in what `get_state` returned.

        Raises:
            LookupError: If it is something else.
            TypeError: If it is something else.
        """
        found = [Dimension.from_plain(plain) for plain in state]
        self._dimensions |= {dimension.name: dimension for dimension in found}
        self.are_known = True

    def rates(self, values):
        """Dict from path to rate, as far as a plan that was seen tells."""
        plans = [plan for names, plan in self._plans.items() if names <= values.keys()]
        if not plans:
            return {}
        try:
            return max(plans, key=lambda plan: len(plan.paths)).rates(values)
        except (TypeError, ValueError):
            return {}  # the trial has failed, because there are no such rates
