"""A random word for each unit: the simple way, where random bits cost little."""

from keras import ops


class WordDraw:
    """32 random bits for each unit, and comparisons of 24 of them with probabilities.

    Comparisons of one draw are nested: what is below a level is below a higher one.

    Args:
        words: Tensor of the shape of the mask, of unsigned 32-bit integers.
    """

    def __init__(self, words):
        # Exact in float32, as levels are.
        self._numbers = ops.cast(ops.right_shift(words, 8), "float32")

    def compare(self, level, below=None):
        """See `kdropout.noise.byte_draw.ByteDraw`."""
        units = ops.less(self._numbers, level)
        return units if below is None else ops.equal(units, below)
