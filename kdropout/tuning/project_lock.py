"""A lock that prevents two processes from writing to one project."""

import hashlib
import os
import pathlib

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

# In bytes. File systems allow 255, and the lock adds a prefix and a suffix.
_LONGEST_NAME = 240


class ProjectInUse(RuntimeError):
    """Raised when another process or tuner is already writing to a project."""

    def __init__(self, project, holder):
        self.project, self.holder = project, holder
        whose = " (another tuner here)" if holder == str(os.getpid()) else ""
        super().__init__(
            f"The project '{project}' is in use: process {holder}{whose} writes to it. "
            "Wait until it ends, stop it, or pass another 'project_name'."
        )

    def __reduce__(self):
        return type(self), (self.project, self.holder)


class ProjectLock:
    """A lock that a process holds while it writes to a project.

    The lock is released if the process dies. Its file is next to the folder of the
    project and not inside, because `overwrite=True` removes that folder. On Windows,
    there is no lock.
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
        return {**vars(self), "_file": None}  # a copy does not hold the lock

    def acquire(self):
        """Acquire the lock unless this object holds it, or raise `ProjectInUse`."""
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
        """Release the lock, if it is held."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _short(name):
    name_bytes = name.encode()
    if len(name_bytes) <= _LONGEST_NAME:
        return name
    return hashlib.sha256(name_bytes).hexdigest()
