"""Who follows a search."""


class Audience:
    """Tells several followers of each trial that begins and ends.

    It takes the place of the one display that an oracle of KerasTuner has.

    Args:
        *followers: Objects with `on_trial_begin(trial)` and `on_trial_end(trial)`. The
            first has a `verbose`.
    """

    def __init__(self, *followers):
        self._followers = followers

    @property
    def verbose(self):
        return self._followers[0].verbose

    @verbose.setter
    def verbose(self, value):
        self._followers[0].verbose = value

    def on_trial_begin(self, trial):
        for follower in self._followers:
            follower.on_trial_begin(trial)

    def on_trial_end(self, trial):
        for follower in self._followers:
            follower.on_trial_end(trial)

    def get_state(self):
        return self._followers[0].get_state()

    def set_state(self, state):
        self._followers[0].set_state(state)
