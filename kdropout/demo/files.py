"""The files of the demo."""


def remove_logs(folder):
    """Remove the event files of an earlier demo, which would mix with the new ones.

    Only those: whatever else lies in the folder stays.
    """
    for path in folder.glob("*/seed-*/*/events.out.tfevents.*"):
        path.unlink()
