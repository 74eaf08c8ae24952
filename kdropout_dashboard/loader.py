"""The entry point by which TensorBoard loads the tab."""

import logging

# The only import: a failing one would stop TensorBoard, which has imported this module
# before it asks for ours, and which takes nothing but subclasses of it.
from tensorboard.plugins.base_plugin import TBLoader


class DropoutLoader(TBLoader):
    """Loads the tab, or reports in one line of the log why it is missing."""

    def load(self, context):
        try:
            from kdropout_dashboard.plugin import DropoutPlugin

            return DropoutPlugin(context)
        except Exception as error:  # whatever is broken, TensorBoard goes on
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            # The logger of TensorBoard by its name: its own module could be broken.
            logging.getLogger("tensorboard").warning(
                "TensorBoard starts without the tab 'Dropout'. %s", reason
            )
            return None
