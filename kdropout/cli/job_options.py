"""Options of the commands that read a job."""

import os


def add_job(parser):
    """Add the file of the job, and what changes it."""
    parser.add_argument(
        "config",
        metavar="CONFIG",
        help="file of the job, such as tuner_configs/digits_mlp.yaml; its keys are "
        "documented in tuner_configs/README.md",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="set a key of the job, such as training.epochs=5; may be repeated",
    )
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        help="folder with data sets that no package ships (the environment variable "
        "KDROPOUT_DATA does the same)",
    )


def read_job(options):
    """The job that the options name, as `kdropout.tuning.Job`."""
    from kdropout.tuning import load_job

    if options.data_dir is not None:
        os.environ["KDROPOUT_DATA"] = options.data_dir
    return load_job(options.config, options.overrides)
