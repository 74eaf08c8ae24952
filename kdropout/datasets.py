"""Iteration over whatever yields batches."""


def iterate_batches(dataset):
    """The batches of an iterable, or of a `PyDataset`, which is a sequence."""
    if hasattr(dataset, "__iter__"):
        yield from dataset
    else:
        for index in range(len(dataset)):
            yield dataset[index]
