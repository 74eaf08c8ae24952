"""Finds the usual places of dropout in the graph of a model."""

import enum
import functools
import graphlib

import keras

from kdropout import _compat, _validation, layers
from kdropout._keras_classes import is_keras_dropout
from kdropout.inspection import walk
from kdropout.layers.wrapper import DropoutWrapper

_DENSE = (keras.layers.Dense, keras.layers.EinsumDense)
_CONVOLUTIONS = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3DTranspose,
    keras.layers.DepthwiseConv1D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv1D,
    keras.layers.SeparableConv2D,
)
_KERNELS = (*_DENSE, *_CONVOLUTIONS)
_NORMALIZATIONS = (
    keras.layers.BatchNormalization,
    keras.layers.LayerNormalization,
    keras.layers.GroupNormalization,
    keras.layers.UnitNormalization,
    *_compat.NORMALIZATIONS,
)
_ACTIVATIONS = (
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.PReLU,
    keras.layers.ELU,
    keras.layers.Softmax,
)
# Layers whose weights do not make them a layer of the network in the sense of `insert`.
# `Normalization` scales the data, or scales the outputs back.
_PASSIVE = (*_NORMALIZATIONS, *_ACTIVATIONS, keras.layers.Normalization)
_PADDINGS = (
    keras.layers.ZeroPadding1D,
    keras.layers.ZeroPadding2D,
    keras.layers.ZeroPadding3D,
    keras.layers.Cropping1D,
    keras.layers.Cropping2D,
    keras.layers.Cropping3D,
)
_POOLINGS = (
    keras.layers.MaxPooling1D,
    keras.layers.MaxPooling2D,
    keras.layers.MaxPooling3D,
    keras.layers.AveragePooling1D,
    keras.layers.AveragePooling2D,
    keras.layers.AveragePooling3D,
)
_UPSAMPLINGS = (
    keras.layers.UpSampling1D,
    keras.layers.UpSampling2D,
    keras.layers.UpSampling3D,
)
_ENDS_OF_RESOLUTION = (
    keras.layers.Flatten,
    keras.layers.GlobalMaxPooling1D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.GlobalMaxPooling3D,
    keras.layers.GlobalAveragePooling1D,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalAveragePooling3D,
)


class Placement(enum.Enum):
    """The usual places of dropout, for the argument `after` of `kdropout.insert`.

    The definitions use three terms. An *output layer* is a layer with weights from
    which a path leads to an output of the model without another layer with weights. A
    layer is *hidden* if each path from it to an output passes another layer with
    weights. Here, normalisation, activation and dropout layers do not count as layers
    with weights. Models nested in the model count as if their layers stood in it.

    Attributes:
        HEAD: Before the classifier. Start at each output layer that is dense, or a
            convolution with a kernel of size 1, and go back along single inputs, up to
            the first operation with several inputs or the first layer with weights
            that is not dense. Dropout follows each hidden dense layer on this way
            (and its activation). If there is none, dropout stands directly before the
            output layer, for example after global pooling.
        BLOCKS: At the end of each block. A residual block ends at an addition
            (`keras.layers.Add` or `+`) of operations with a common origin, if their
            paths from the latest common origin have different numbers of dense,
            convolution, attention and recurrent layers. The path with the fewest such
            layers is the shortcut. Dropout ends each of the other paths, directly
            before the addition. An encoder layer of a transformer has two of these
            blocks. If the model has no residual block, the blocks are stages: dropout
            follows an operation if the resolution changes directly after it (pooling or
            convolution with strides, upsampling, global pooling, flattening; padding
            in between does not count) and if one of the layers above lies between it
            and the previous change.
        HIDDEN: After every hidden dense and convolution layer. If the normalisation
            and the activation of the layer are separate layers, dropout comes after
            them.

    Example:

    >>> model = keras.Sequential([
    ...     keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="conv"),
    ...     keras.layers.GlobalAveragePooling2D(name="pool"),
    ...     keras.layers.Dense(2)], name="small")
    >>> model = kdropout.insert(model, 0.2, after=kdropout.Placement.HEAD)
    Added 1 Dropout layer to 'small': 'pool_dropout' after 'pool'.

    Reference:
        Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from
        overfitting", JMLR 15, for hidden layers. Vaswani et al. 2017,
        arXiv:1706.03762, and Huang et al. 2016, arXiv:1603.09382, for the ends of
        residual branches.
    """

    HEAD = "head"
    BLOCKS = "blocks"
    HIDDEN = "hidden"

    @classmethod
    def _missing_(cls, value):
        names = ", ".join(repr(member.value) for member in cls)
        raise _validation.value_error("placement", f"one of {names}", value)

    def __repr__(self) -> str:
        return f"kdropout.Placement.{self.name}"


class Step:
    """An operation of a model, or of a model nested in it, with all calls of it."""

    # `part` is the model that holds the operation, a `ModelConfig`. For a nested model,
    # the calls are its outputs, to which the calls inside it lead.
    def __init__(self, part, name, operation):
        self.part = part
        self.name = name
        self.path = part.path_of(name)
        self.operation = operation
        self.calls = []
        self.is_nested = name in part.nested

    @property
    def consumers(self):
        """The operations that take the outputs of this one, each once."""
        found = [user.step for call in self.calls for user in call.consumers]
        return list(dict.fromkeys(found))

    @functools.cached_property
    def is_output(self):
        """Return whether the model returns an output of this operation."""
        return any(call.is_output for call in self.calls)

    @functools.cached_property
    def is_hidden(self):
        """True if each path from here to an output passes a layer with weights."""
        return all(call.is_hidden for call in self.calls)

    @functools.cached_property
    def has_weights(self):
        """Return whether this is a layer with weights that makes others hidden."""
        return (
            isinstance(self.operation, keras.layers.Layer)
            and not self.is_nested
            and not isinstance(self.operation, _PASSIVE)
            and not self.is_dropout
            and bool(self.operation.weights)
        )

    @functools.cached_property
    def is_dropout(self):
        """Return whether this is dropout that stands in the graph as a layer."""
        ours = isinstance(self.operation, layers.BaseDropout)
        ours = ours and not isinstance(self.operation, DropoutWrapper)
        return ours or is_keras_dropout(self.operation)

    @functools.cached_property
    def has_kernel(self):
        """Return whether this is a dense or convolution layer, without a wrapper."""
        return isinstance(self.operation, _KERNELS)

    @functools.cached_property
    def transforms(self):
        """True for a layer that is or holds a dense, convolution or recurrent layer."""
        kinds = (*_KERNELS, keras.layers.RNN)
        if self.is_nested or not isinstance(self.operation, keras.layers.Layer):
            return False
        inside = (layer for _, layer in walk(self.operation))
        return isinstance(self.operation, kinds) or any(
            isinstance(layer, kinds) for layer in inside
        )

    @property
    def is_convolution(self):
        """Return whether this is a convolution layer."""
        return isinstance(_unwrapped(self.operation), _CONVOLUTIONS)

    @property
    def is_dense(self):
        """Return whether this is a dense layer, also in a wrapper."""
        return isinstance(_unwrapped(self.operation), _DENSE)

    @property
    def may_classify(self):
        """Return whether this layer has the form of a classifier."""
        layer = _unwrapped(self.operation)
        if isinstance(layer, _CONVOLUTIONS):
            return set(_numbers(layer.kernel_size)) == {1}
        return isinstance(layer, _DENSE)

    @property
    def is_addition(self):
        """Return whether this operation adds tensors."""
        kind = type(self.operation)
        # Keras does not publish the class of `+`.
        return isinstance(self.operation, keras.layers.Add) or (
            kind.__name__ == "Add" and kind.__module__.startswith("keras.")
        )

    @property
    def ends_resolution(self):
        """Return whether the outputs have no positions left."""
        return isinstance(self.operation, _ENDS_OF_RESOLUTION)

    @property
    def changes_resolution(self):
        """Return whether the outputs have another number of positions."""
        layer = _unwrapped(self.operation)
        if isinstance(layer, (*_CONVOLUTIONS, *_POOLINGS)):
            return set(_numbers(layer.strides)) != {1}
        return self.ends_resolution or isinstance(layer, _UPSAMPLINGS)

    @property
    def place(self):
        """The operation that dropout for this one follows."""
        # For a dense or convolution layer, this is its activation, also after a
        # normalisation. For any other layer, it is the layer itself.
        if not self.has_kernel or _is_active(self.operation):
            return self
        place = self
        while len(place.consumers) == 1 and not place.is_output:
            follower = place.consumers[0]
            if isinstance(follower.operation, _ACTIVATIONS):
                return follower
            if not isinstance(follower.operation, _NORMALIZATIONS):
                break
            place = follower
        return place

    @property
    def is_dropped(self):
        """Return whether dropout already follows."""
        return any(call.is_dropped for call in self.calls)

    @property
    def follows_dropout(self):
        """Return whether dropout precedes, without a layer with weights in between."""
        return any(call.follows_dropout for call in self.calls)


class _Call:
    """One call of an operation."""

    # `number` counts the calls in an order in which each comes after its sources.
    # `ancestors` is an integer whose bit n is set if the outputs depend on call n.
    def __init__(self, step, sources, number):
        self.step = step
        self.sources = sources
        self.consumers = []
        self.number = number
        self.is_output = self.is_hidden = False
        self.ancestors = 0
        for source in sources:
            self.ancestors |= source.line
            source.consumers.append(self)

    @property
    def line(self):
        """The ancestors and the call itself."""
        return self.ancestors | 1 << self.number

    @property
    def is_dropped(self):
        """Return whether dropout follows, maybe behind the end of a nested model."""
        followers = list(self.consumers)
        for call in followers:
            if call.step.is_nested:
                followers += call.consumers
            if call.step.is_dropout or isinstance(
                call.step.operation, layers.BaseDropout
            ):
                return True
        return False

    @property
    def follows_dropout(self):
        """Return whether dropout precedes, without a layer with weights in between."""
        call = self
        while not call.step.has_weights and not call.step.is_dropout:
            if len(call.sources) != 1:
                return False
            call = call.sources[0]
        return call.step.is_dropout


class ModelGraph:
    """All operations of a model and of the models nested in it, as one graph."""

    # `steps` is a dict by path, outermost model first. `parts` are all `ModelConfig`.
    def __init__(self, part):
        self.parts = list(_all_parts(part))
        self.steps = {}
        for part_ in self.parts:
            for name, operation in part_.operations.items():
                step = Step(part_, name, operation)
                self.steps[step.path] = step
        self._calls = []
        for calls in self._add(part):
            for call in calls:
                call.is_output = True
        for call in reversed(self._calls):
            call.is_hidden = not call.is_output and all(
                user.step.has_weights or user.is_hidden for user in call.consumers
            )

    def _add(self, part, inputs=None):
        """Add the calls of one model. Return a list of calls for each output."""
        # `inputs` has a list of calls for each input of a nested model. A list may be
        # empty, because a Sequential model shows no operation for its input.
        inputs = None if inputs is None else dict(zip(part.inputs, inputs, strict=True))
        outputs = {}  # by the call inside `part`: a list of calls for each output
        graph = {
            call: [tensor[:2] for tensor in sources]
            for call, sources in part.calls.items()
        }
        for key in graphlib.TopologicalSorter(graph).static_order():
            name, _ = key
            tensors = [
                _output(outputs[source, index], number)
                for source, index, number in part.calls[key]
            ]
            step = self.steps[part.path_of(name)]
            if inputs is not None and key == part.first:
                tensors = list(inputs.values())
            if inputs is not None and name in inputs:
                outputs[key] = [inputs[name]]
            elif name in part.nested:
                nested = part.nested[name]
                if len(tensors) != len(nested.inputs):  # an optional input is missing
                    tensors = [sum(tensors, [])] * len(nested.inputs)
                inner = self._add(nested, tensors)
                outputs[key] = [[self._call(step, sources)] for sources in inner]
            else:
                outputs[key] = [[self._call(step, sum(tensors, []))]]
        return [_output(outputs[name, node], number) for name, node, number in part.out]

    def _call(self, step, sources):
        call = _Call(step, list(dict.fromkeys(sources)), len(self._calls))
        step.calls.append(call)
        self._calls.append(call)
        return call

    def places(self, placement):
        """Dict from the step that names the dropout to the step that it follows.

        Places with dropout are among them, and places that are not hidden.
        """
        match placement:
            case Placement.HEAD:
                found = self._head()
            case Placement.BLOCKS:
                found = self.branches or self._stages()
            case Placement.HIDDEN:
                found = [step for step in self.steps.values() if step.has_kernel]
        return {step: step.place for step in found}

    @functools.cached_property
    def branches(self):
        """The last operation of each residual branch."""
        found = []
        for call in self._calls:
            if call.step.is_addition and len(call.sources) > 1:
                found += self._branches_before(call)
        return list(dict.fromkeys(found))

    @property
    def is_convolutional(self):
        """Return whether the model has convolution layers."""
        return any(step.is_convolution for step in self.steps.values())

    def _head(self):
        """The layers of the head that dropout follows."""
        found = []
        for call in self._calls:
            if not call.step.is_hidden and call.step.may_classify:
                found += _head_before(call)
        return list(dict.fromkeys(found))

    def _branches_before(self, addition):
        """The last operations of the branches that end at an addition."""
        common = functools.reduce(int.__and__, [one.line for one in addition.sources])
        if not common:
            return []
        fork = common.bit_length() - 1  # the number of the latest common ancestor
        counts = {source: 0 for source in addition.sources}
        for source in addition.sources:
            counts[source] = sum(
                call.step.transforms and bool(call.ancestors >> fork & 1)
                for call in self._calls[fork : source.number + 1]
                if source.line >> call.number & 1
            )
        shortcut = min(counts.values())
        return [
            source.step
            for source, count in counts.items()
            if count > shortcut and source.step.consumers == [addition.step]
        ]

    def _stages(self):
        """The last operation of each stage."""
        found = []
        for call in self._calls:
            if not call.step.changes_resolution or len(call.sources) != 1:
                continue
            last = call.sources[0]
            while isinstance(last.step.operation, _PADDINGS) and last.sources:
                last = last.sources[0]
            # Some blocks pool only to weigh their channels, as in squeeze-and-excite.
            ends = [user.step.ends_resolution for user in last.consumers]
            if call.step.ends_resolution and not all(ends):
                continue
            if _transforms_at_one_resolution(last):
                found.append(last.step)
        return list(dict.fromkeys(found))


def _head_before(classifier):
    """The hidden dense layers on the way back from a classifier, or what is there."""
    found = []
    call = classifier
    while len(call.sources) == 1:
        call = call.sources[0]
        if call.step.is_dense:
            found.append(call.step)
        elif call.step.has_weights:
            break
    if not found and len(classifier.sources) == 1:
        before = classifier.sources[0]
        if _has_layer_before(before):
            found.append(before.step)
    return found[::-1]


def _has_layer_before(call):
    """Return whether the outputs of a call depend on a layer with weights."""
    return any(before.step.has_weights for before in _backwards(call))


def _transforms_at_one_resolution(call):
    """Return whether a layer lies between a call and the last change of resolution."""
    return any(
        before.step.transforms
        for before in _backwards(call, lambda call: call.step.changes_resolution)
    )


def _backwards(call, is_last=lambda call: False):
    """Yield a call and those that its outputs depend on, up to the last ones."""
    pending = {call}
    while pending:
        call = pending.pop()
        yield call
        if not is_last(call):
            pending.update(call.sources)


def _all_parts(part):
    """A model and the models nested in it, outermost first."""
    yield part
    for nested in part.nested.values():
        yield from _all_parts(nested)


def _output(outputs, number):
    """One of the outputs of a call. Only nested models list all of theirs."""
    return outputs[number] if number < len(outputs) else outputs[0]


def _is_active(layer):
    activation = getattr(layer, "activation", None)
    return activation not in (None, keras.activations.linear)


def _unwrapped(layer):
    """The layer inside wrappers such as `TimeDistributed` and `DropConnect`."""
    while isinstance(layer, (keras.layers.Wrapper, DropoutWrapper)):
        layer = layer.layer
    return layer


def _numbers(size):
    return size if isinstance(size, (list, tuple)) else (size,)
