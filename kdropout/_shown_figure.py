"""A figure that a notebook shows although pyplot is not imported."""

import io

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# The density at which pictures have the size of their inches on a screen.
_DPI_OF_SCREENS = 96


class ShownFigure(Figure):
    """A `matplotlib.figure.Figure` with the picture that IPython asks for."""

    # IPython knows how to show a `Figure` only after pyplot was imported.

    def _repr_png_(self):
        """The bytes of a PNG file, and the size in which a notebook shows it."""
        file = io.BytesIO()
        FigureCanvasAgg(self).print_png(file)
        width, height = (
            round(inches * _DPI_OF_SCREENS) for inches in self.bbox_inches.size
        )
        return file.getvalue(), {"width": width, "height": height}
