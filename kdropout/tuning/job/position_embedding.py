"""A learned vector for each position. Saved models hold the name of this module."""

import keras


@keras.saving.register_keras_serializable(package="kdropout")
class PositionEmbedding(keras.layers.Layer):
    """Adds a learned vector to the inputs at each position of a sequence.

    Input shape:
        `(batch, positions, features)`, with a fixed number of positions.

    Output shape:
        Same as the input shape.

    Example:

    >>> from kdropout.tuning.job.position_embedding import PositionEmbedding
    >>> PositionEmbedding()(np.ones((2, 5, 3))).shape[1:] == (5, 3)
    True
    """

    def build(self, input_shape):
        self.embeddings = self.add_weight(
            shape=input_shape[1:],
            initializer=keras.initializers.RandomNormal(stddev=0.02),
            name="embeddings",
        )

    def call(self, inputs):
        return inputs + self.embeddings

    def compute_output_shape(self, input_shape):
        return input_shape
