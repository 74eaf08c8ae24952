"""Makes labels wrong on purpose."""


def with_noise(labels, share, num_classes, generator):
    """Return a copy of integer labels with a share of them replaced at random.

    Args:
        labels: Integer array.
        share: Float in [0, 1], the share of the rows that get a uniformly random label.
        num_classes: Integer, number of classes.
        generator: `numpy.random.Generator`.
    """
    labels = labels.copy()
    rows = generator.permutation(len(labels))[: round(share * len(labels))]
    labels[rows] = generator.integers(0, num_classes, (len(rows), *labels.shape[1:]))
    return labels
