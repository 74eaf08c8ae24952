"""Replaces what decides the rates of layers that exist."""

import contextlib

from kdropout.inspection import walk
from kdropout.surgery.keras_state import (
    OptimizerState,
    built_optimizers,
    models_around,
    refresh,
    strategy_scope,
    unlocked,
    variables_of,
)


def replace_rules(model, rules):
    """Replace the rules of layers, in all models in memory that hold them.

    After an error, everything is as it was.

    Args:
        model: The model or layer that holds the layers.
        rules: Dict from layer to its new rule.
    """
    around = models_around(rules)
    models = [model, *(found for found in around if found is not model)]
    for layer in rules:
        layer.rate  # noqa: B018, raises if a training on JAX holds the variables
    with contextlib.ExitStack() as undo:
        with strategy_scope(model):
            variables = {
                layer: _make_variables(layer, rule) for layer, rule in rules.items()
            }
            changes_training = any(
                variable.trainable
                for layer in rules
                for state in (layer.rate_variables, variables[layer])
                for variable in state.values()
            )
            before = _TrainedParts(models, rules) if changes_training else None
            for layer, rule in rules.items():
                old = layer._rate_rule, dict(layer.rate_variables)
                undo.callback(_give, layer, *old)
                _give(layer, rule, variables[layer])
            if before is not None:
                before.update_optimizers(undo)
        undo.pop_all()
    for layer in rules:
        layer._is_moved_by(None)
    refresh([*models, *{layer: None for found in models for _, layer in walk(found)}])


def replace_rule(layer, rule):
    """Replace the rule of one layer. Call `refresh` on the models around it."""
    _give(layer, rule, _make_variables(layer, rule))


def _make_variables(layer, rule):
    """The variables that a rule makes for a layer, which does not have them yet."""
    stores = layer._trainable_variables, layer._non_trainable_variables
    before = {id(variable) for store in stores for variable in store}
    parent_path = layer._parent_path
    # The paths are those that the constructor of the layer would give.
    layer._parent_path = layer.seed_generator.name
    try:
        with unlocked(layer):
            return rule.build(layer)
    finally:
        layer._parent_path = parent_path
        for variable in [variable for store in stores for variable in store]:
            if id(variable) not in before:
                layer._untrack_variable(variable)


def _give(layer, rule, variables):
    """Put a rule and its variables in the place of those that a layer has."""
    with unlocked(layer):
        for variable in layer.rate_variables.values():
            layer._untrack_variable(variable)
        for variable in variables.values():
            layer._track_variable(variable)
        # They come first, as those that the constructor makes.
        ids = {id(variable) for variable in variables.values()}
        for store in (layer._trainable_variables, layer._non_trainable_variables):
            store.sort(key=lambda variable: id(variable) not in ids)
        layer.rate_variables = variables
        layer._rate_rule = rule


class _TrainedParts:
    """The variables that models and their parts train, and the optimizers of these."""

    # An optimizer may train a whole model, or a part such as the discriminator of a
    # GAN. Its list of variables shows which one it is.

    def __init__(self, models, layers):
        wanted = {id(layer) for layer in layers}
        self._models = {model: _ids(model.trainable_variables) for model in models}
        self._parts = {}
        for model in models:
            for part in (model, *(layer for _, layer in walk(model))):
                inside = (part, *(layer for _, layer in walk(part)))
                if any(id(layer) in wanted for layer in inside):
                    self._parts.setdefault(_ids(part.trainable_variables), part)

    def update_optimizers(self, undo):
        """Give each optimizer the variables that its part has now."""
        parts = {}
        for model, before in self._models.items():
            optimizer = getattr(model, "optimizer", None)
            if not getattr(optimizer, "built", False):
                continue
            trained = _ids(variables_of(optimizer))
            part = model if trained == before else self._parts.get(trained)
            if part is not None:
                parts[optimizer] = part
            elif before != _ids(model.trainable_variables):
                raise ValueError(
                    "'rates' must keep the variables that are trained, or the "
                    "optimizer must train all variables of its model. Received: "
                    f"'{model.name}', whose trainable variables changed after its "
                    "optimizer was built, and a LearnedRate to add or to replace. "
                    "Compile the model again before you call kdropout.set_rates."
                )
        for optimizer in built_optimizers():  # also those of a custom training loop
            part = self._parts.get(_ids(variables_of(optimizer)))
            if part is not None:
                parts.setdefault(optimizer, part)
        for optimizer, part in parts.items():
            wanted = part.trainable_variables
            if _ids(wanted) != _ids(variables_of(optimizer)):
                state = OptimizerState(optimizer)
                undo.callback(state.restore)
                state.train(wanted)


def _ids(variables):
    return tuple(id(variable) for variable in variables)
