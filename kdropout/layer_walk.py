"""Former place of the walk over layers, until all imports name `inspection`."""

from kdropout.inspection import (  # noqa: F401
    dropout_layers,
    select_layers,
    settable_layers,
    sublayers,
    walk,
)
