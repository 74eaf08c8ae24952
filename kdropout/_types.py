"""Names of what public functions take and return."""

from collections.abc import Callable
from typing import Any

# A tensor of the backend, of which Keras has no common type.
Tensor = Any

# Of a tensor: sizes that are not known yet are scalar tensors, or None.
Shape = tuple[Any, ...]

# What a layer takes as its rate: a number, a schedule, or a `RateRule`.
RateLike = float | Callable[[Tensor], Tensor] | Any
