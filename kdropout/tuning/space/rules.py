"""Sets the rate or the schedule of layers in place."""

from kdropout import _validation
from kdropout.inspection import walk
from kdropout.rate_rules.base import FixedRate
from kdropout.rate_rules.ramped import RampedRate
from kdropout.rate_rules.scheduled import ScheduledRate
from kdropout.schedules import Ramp
from kdropout.surgery.keras_state import refresh
from kdropout.surgery.rules import replace_rule


def check_can_set(path, layer, argument="space"):
    """Raise if a layer's rate was not given as a number or a schedule."""
    rule = layer._rate_rule
    if not (rule.settable or isinstance(rule, (ScheduledRate, RampedRate))):
        error = _validation.argument_error(
            TypeError,
            argument,
            "must name layers whose rate was given as a number or a schedule. "
            f"Received: '{path}', whose rate is decided by {rule.decided_by}. "
            f"{layer._how_to_set_rate} Or name only other layers, by paths or globs "
            "that do not match this one.",
        )
        error.layer = path
        raise error


def own_values(layer):
    """Return the current rate of a layer and the parts of its ramp, a dict."""
    rule = layer._rate_rule
    ramp = rule.ramp_of(layer) if isinstance(rule, RampedRate) else None
    if isinstance(rule, ScheduledRate) and isinstance(rule.schedule, Ramp):
        ramp = rule.schedule
    if ramp is None:
        return {"rate": layer.rate, "start": layer.rate, "end": layer.rate}
    return {"rate": layer.rate, **ramp.get_config(), "shape": ramp.curve}


def apply(model, settings):
    """Set layers to the chosen floats or `Ramp`s."""
    replaced = [_apply(layer, setting) for layer, setting in settings.items()]
    if any(replaced):
        refresh([model, *(layer for _, layer in walk(model))])


def _apply(layer, setting):
    """Set a layer, and return True if its rule had to be replaced."""
    rule = layer._rate_rule
    if isinstance(setting, Ramp):
        if isinstance(rule, RampedRate):
            rule.set_ramp(layer, setting)
            return False
        replace_rule(layer, RampedRate(setting))
        return True
    if rule.settable:
        layer.rate = setting
        return False
    replace_rule(layer, FixedRate(setting))
    return True
