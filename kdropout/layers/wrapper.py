"""The base of the layers that wrap a Dense, Conv or EinsumDense layer."""

from typing import Any

import keras

from kdropout._types import RateLike, Shape, Tensor
from kdropout.layers import linear_map
from kdropout.layers.base import BaseDropout


class DropoutWrapper(BaseDropout):
    """Base class of layers that wrap another one. A subclass implements `_drop`."""

    def __init__(
        self,
        layer: keras.layers.Layer,
        rate: RateLike,
        seed: int | None = None,
        **kwargs,
    ):
        linear_map.check_layer(layer)
        dtype = keras.dtype_policies.get(kwargs.setdefault("dtype", layer.dtype_policy))
        if dtype != layer.dtype_policy:
            raise ValueError(
                "'dtype' must be left out, because the dtype is that of 'layer'. "
                f"Received: dtype={dtype.name}, and a layer with dtype "
                f"{layer.dtype_policy.name}. Give 'layer' the dtype that you want."
            )
        super().__init__(rate, seed=seed, **kwargs)
        linear_map.keep_kernel(layer)
        self.layer = layer
        self.supports_masking = layer.supports_masking

    def build(self, input_shape: Shape) -> None:
        if not self.layer.built:
            self.layer.build(input_shape)

    def undropped(self, inputs: Tensor) -> Tensor:
        return self.layer(inputs)

    def _drop(self, inputs: Tensor, rate: Tensor, seed: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} must implement '_drop'.")

    def _num_units(self, inputs: Tensor) -> int | Tensor:
        return linear_map.num_inputs(self.layer, inputs.shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self.layer.compute_output_shape(input_shape)

    def compute_output_spec(self, inputs: Tensor, training: bool = False) -> Any:
        self._check_dtype(inputs)
        return self.layer.compute_output_spec(inputs)

    def get_config(self) -> dict[str, Any]:
        layer = keras.saving.serialize_keras_object(self.layer)
        return {**super().get_config(), "layer": layer}

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> "DropoutWrapper":
        layer = keras.saving.deserialize_keras_object(
            config["layer"], custom_objects=custom_objects
        )
        return cls(**{**config, "layer": layer})
