"""Which of many steps to show."""


def evenly(count, most):
    """Indices of at most `most` of `count` things, evenly, the last one among them."""
    if count <= most:
        return range(count)
    if most < 2:
        return range(count - most, count)
    return [index * (count - 1) // (most - 1) for index in range(most)]


def are_even(steps):
    """Whether each step is as far from the next as the first from the second."""
    return len(steps) < 3 or list(steps) == list(
        range(steps[0], steps[-1] + 1, steps[1] - steps[0])
    )
