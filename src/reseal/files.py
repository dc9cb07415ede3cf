"""Files that are never half written, and never readable by the wrong people.

Guarantee: after a crash at any point a file is the old one or the new one, whole;
its mode and owner are right before its first byte is written; once a function has
returned, a power cut does not undo it.

Paths are joined and asked as text: an enrolment names some forty, and pathlib's own
work was a sixth of what it costs.

Sources: Puppet Server, `ssl-ca/file_utils.clj` (`atomic-write`: file beside the
old one, synced, owner and mode of the old one, renamed); POSIX rename, fsync.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat as modes
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from reseal.errors import NotFound, StoreError

TEMPORARY = ".reseal-"
"""How the name of a file begins that is being written; a crash may leave one."""

StrPath = str | os.PathLike[str]
Owner = tuple[int, int]
Stamp = tuple[int, int, int]
"""What changes whenever a file is replaced: nanoseconds, inode, bytes."""


def read(path: StrPath) -> bytes:
    """Return a file's bytes; NotFound without it, StoreError when it is unreadable."""
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read()
    except FileNotFoundError:
        raise NotFound(f"{path}: no such file") from None
    except OSError as error:
        raise failed(path, error) from error


def exists(path: StrPath) -> bool:
    """Say whether there is a file; StoreError when nobody can say."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise failed(path, error) from error
    return True


def stamp(path: StrPath) -> Stamp:
    """Return what changes whenever a file is replaced; NotFound without it."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise NotFound(f"{path}: no such file") from None
    except OSError as error:
        raise failed(path, error) from error
    return status.st_mtime_ns, status.st_ino, status.st_size


def replace(
    path: StrPath,
    data: bytes,
    *,
    mode: int,
    owner: Owner | None = None,
    follow: bool = True,
) -> None:
    """Put `data` in the place of `path`, made or replaced as a whole.

    On failure the old file stays as it was.

    Args:
        path: The file; its directory must exist.
        data: The whole content.
        mode: Permission bits, whatever the process's umask.
        owner: User and group; None keeps those of the old file, and gives a new
            file those of its directory.  Only root's process changes owners.
        follow: Follow a symbolic link; if not, it is replaced, whenever it was put.

    Raises:
        StoreError: The file could not be written.
    """
    publish([stage(path, data, mode=mode, owner=owner, follow=follow)])


@dataclass(frozen=True, slots=True)
class Staged:
    """A file's next content, on the disk under a name of its own.

    Attributes:
        path: Whose place it is to take.
        temporary: Where it is.
    """

    path: str
    temporary: str


def stage(
    path: StrPath,
    data: bytes,
    *,
    mode: int,
    owner: Owner | None = None,
    follow: bool = True,
) -> Staged:
    """Write what `path` is to become, durably; takes and raises what `replace` does."""
    place, found = _place_of(os.fspath(path), follow=follow)
    temporary = os.path.join(os.path.dirname(place), TEMPORARY + secrets.token_hex(8))
    try:
        with opened(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as handle:
            protect(handle, mode, owner or found or owner_for(place))
            _write(handle, data)
            os.fsync(handle)
    except OSError as error:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise failed(place, error) from error
    return Staged(place, temporary)


def _place_of(path: str, *, follow: bool) -> tuple[str, Owner | None]:
    """Return the path that is to be replaced, and its owner if that is known."""
    try:
        status = os.lstat(path)
    except OSError:
        return path, None
    if not modes.S_ISLNK(status.st_mode):
        return path, (status.st_uid, status.st_gid)
    return (os.path.realpath(path) if follow else path), None


def publish(staged: Sequence[Staged]) -> None:
    """Put staged files in their places, in order, durably.

    Raises:
        StoreError: One could not be put; it and those after it are discarded.
    """
    for position, each in enumerate(staged):
        try:
            os.replace(each.temporary, each.path)
        except OSError as error:
            discard(staged[position:])
            raise failed(each.path, error) from error
    for directory in {_directory_of(each.path) for each in staged}:
        try:
            _sync(directory)
        except OSError as error:
            raise failed(directory, error) from error


def discard(staged: Iterable[Staged]) -> None:
    """Remove what was staged and is not to be published."""
    for each in staged:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(each.temporary)


def append(path: StrPath, data: bytes, *, mode: int) -> None:
    """Add whole lines to the end of a file, which is made if it is missing.

    A last line that a crash left without its end gets one first, so that two lines
    never run together.  On failure the file keeps its old length.  Callers hold the
    directory's lock.

    Args:
        path: The file.
        data: Lines, each with its line feed.
        mode: Permission bits of a new file; an old one keeps its own.

    Raises:
        StoreError: The lines could not be written.
    """
    if not exists(path):
        replace(path, data, mode=mode)
        return
    try:
        with opened(path, os.O_RDWR) as handle:
            size = os.fstat(handle).st_size
            torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
            os.lseek(handle, size, os.SEEK_SET)
            try:
                _write(handle, b"\n" * torn + data)
                os.fsync(handle)
            except OSError:
                os.ftruncate(handle, size)
                raise
    except OSError as error:
        raise failed(path, error) from error


def remove(path: StrPath, *, durable: bool = True) -> None:
    """Remove a file for good; no error when there is none.

    Args:
        path: The file.
        durable: A power cut must not bring it back.
    """
    try:
        os.unlink(path)
        if durable:
            _sync(_directory_of(os.fspath(path)))
    except FileNotFoundError:
        return
    except OSError as error:
        raise failed(path, error) from error


def make_directory(path: StrPath, *, mode: int, owner: Owner | None = None) -> None:
    """Make a directory with its mode from the start; one that exists stays as it is.

    Args:
        path: The directory; its parent must exist.
        mode: Permission bits, whatever the process's umask.
        owner: User and group; None gives those of the parent.

    Raises:
        StoreError: It could not be made.
    """
    if os.path.isdir(path):
        return
    above = _directory_of(os.fspath(path))
    try:
        os.mkdir(path, mode=0o700)
        with opened(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW) as handle:
            protect(handle, mode, owner or owner_for(above))
        _sync(above)
    except OSError as error:
        if isinstance(error, FileExistsError) and os.path.isdir(path):
            return
        raise failed(path, error) from error


@contextlib.contextmanager
def opened(path: StrPath, flags: int) -> Iterator[int]:
    """Yield a file's handle, which is closed at the end of the block."""
    handle = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        yield handle
    finally:
        os.close(handle)


def protect(handle: int, mode: int, owner: Owner) -> None:
    """Give an open file its owner, if we are root, and its mode."""
    if os.geteuid() == 0:
        os.fchown(handle, *owner)
    os.fchmod(handle, mode)


def owner_for(path: StrPath) -> Owner:
    """Return the owner of a file, or of its directory while there is none."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        status = os.stat(_directory_of(os.fspath(path)))
    return status.st_uid, status.st_gid


def _write(handle: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]


def _directory_of(path: str) -> str:
    return os.path.dirname(path) or "."


def _sync(directory: StrPath) -> None:
    with opened(directory, os.O_RDONLY | os.O_DIRECTORY) as handle:
        os.fsync(handle)


def failed(path: StrPath, error: OSError) -> StoreError:
    """Return the error for what the system said about a file."""
    return StoreError(f"{path}: {(error.strerror or str(error)).lower()}")
