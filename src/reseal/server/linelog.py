"""A log file to which several processes add lines.

Guarantee: a line is added whole, by one write to the file's end; a durable one is on
the disk when the call returns.  A file that was moved away, as logs are, is made
anew.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from reseal import files

_MODE = 0o640


class LineLog:
    """Adds lines to a file; is called with one, without its line feed."""

    def __init__(self, path: Path, *, durable: bool = False) -> None:
        """Open or make the file (mode 0640).

        Args:
            path: The file; its directory must be there.
            durable: Whether a line must survive a power cut.

        Raises:
            StoreError: The file cannot be opened.
        """
        self._path, self._durable = path, durable
        self._lock = threading.Lock()
        self._handle = self._open()

    def __call__(self, line: str) -> None:
        """Add a line; StoreError if it could not be kept."""
        with self._lock:
            if self._moved():
                os.close(self._handle)
                self._handle = self._open()
            try:
                os.write(self._handle, line.encode() + b"\n")
                if self._durable:
                    os.fdatasync(self._handle)
            except OSError as error:
                raise files.failed(self._path, error) from error

    def close(self) -> None:
        """Close the file; nothing can be added any more."""
        os.close(self._handle)

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            return os.open(self._path, flags, _MODE)
        except OSError as error:
            raise files.failed(self._path, error) from error

    def _moved(self) -> bool:
        try:
            found = self._path.stat()
        except OSError:
            return True
        held = os.fstat(self._handle)
        return (found.st_dev, found.st_ino) != (held.st_dev, held.st_ino)
