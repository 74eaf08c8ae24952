"""The types that public functions take and return."""

from collections.abc import Callable
from typing import Any

# A tensor of the backend. Keras has no common type for the tensors of all backends.
Tensor = Any

# The shape of a tensor. A size that is not known yet is a scalar tensor, or None.
Shape = tuple[Any, ...]

# The argument `rate` of a layer: a number, a schedule, or a `RateRule`.
RateLike = float | Callable[[Tensor], Tensor] | Any
