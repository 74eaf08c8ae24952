"""Keeps two processes from writing to one project."""

import hashlib
import os
import pathlib

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

# In bytes. File systems allow 255, and something is added to a name.
_LONGEST_NAME = 240


class ProjectInUse(RuntimeError):
    """Another process, or another tuner of this one, writes to a project."""

    def __init__(self, project, holder):
        self.project, self.holder = project, holder
        whose = " (another tuner of this one)" if holder == str(os.getpid()) else ""
        super().__init__(
            f"The project '{project}' is being written by process {holder}{whose}. "
            "Wait for it to end, stop it, or pass another 'project_name'."
        )

    def __reduce__(self):
        return type(self), (self.project, self.holder)


class ProjectLock:
    """Held while a process writes to a project. If the process dies, it is free.

    The file stands beside the folder of the project, which `overwrite=True` removes.
    On Windows nothing is locked.
    """

    def __init__(self, directory, project_name):
        self._project = pathlib.Path(directory, project_name)
        self.path = self._project.with_name(f".{_short(self._project.name)}.lock")
        self._file = None

    def __enter__(self):
        self.acquire()
        return self

    def __exit__(self, *exception):
        self.release()

    def __getstate__(self):
        return {**vars(self), "_file": None}  # a copy holds nothing

    def acquire(self):
        """Hold the lock, or raise `ProjectInUse`. It may be held already."""
        if self._file is not None or fcntl is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = open(self.path, "a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            file.close()
            raise ProjectInUse(self._project, holder) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._file = file

    def release(self):
        """Let others write. Does nothing if the lock is not held."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _short(name):
    name_bytes = name.encode()
    if len(name_bytes) <= _LONGEST_NAME:
        return name
    return hashlib.sha256(name_bytes).hexdigest()
