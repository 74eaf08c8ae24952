"""The entry point with which TensorBoard loads the tab."""

import logging

# This must be the only import, because a failing import would stop TensorBoard. The
# import is safe: TensorBoard has already loaded this module, and requires a subclass.
from tensorboard.plugins.base_plugin import TBLoader


class DropoutLoader(TBLoader):
    """Loads the tab, or reports in one line of the log why it is missing."""

    def load(self, context):
        try:
            from kdropout_dashboard.plugin import DropoutPlugin

            return DropoutPlugin(context)
        except Exception as error:  # TensorBoard must start in any case
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            # Get TensorBoard's logger by name, because its module could be broken.
            logging.getLogger("tensorboard").warning(
                "TensorBoard starts without the tab 'Dropout'. %s", reason
            )
            return None
