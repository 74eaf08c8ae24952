"""Shapes of masks."""


def per_axis(shape, *axes):
    """A mask of its own along `axes`; along all others units share their fate.

    Args:
        shape: Shape of the inputs, integers or scalar tensors.
        axes: Axes of the inputs, not negative.

    Returns:
        Tuple of as many entries as `shape`.
    """
    return tuple(size if axis in axes else 1 for axis, size in enumerate(shape))
