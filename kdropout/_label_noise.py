"""Wrong labels, on purpose."""


def with_noise(labels, share, num_classes, generator):
    """A copy of integer labels in which a share is replaced by uniformly random ones.

    Args:
        labels: Integer array.
        share: Float in [0, 1], of the rows.
        num_classes: Integer, number of classes.
        generator: `numpy.random.Generator`.
    """
    labels = labels.copy()
    rows = generator.permutation(len(labels))[: round(share * len(labels))]
    labels[rows] = generator.integers(0, num_classes, (len(rows), *labels.shape[1:]))
    return labels
