"""Files that are never half written, and never readable by the wrong people.

Guarantee: after a crash at any point a file is the old one or the new one, whole;
its mode and owner are right before its first byte is written; once a function has
returned, a power cut does not undo it.

Sources: Puppet Server, `ssl-ca/file_utils.clj` (`atomic-write`: file beside the
old one, synced, owner and mode of the old one, renamed); POSIX rename, fsync.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from reseal.errors import NotFound, StoreError

TEMPORARY = ".reseal-"
"""How the name of a file begins that is being written; a crash may leave one."""

Owner = tuple[int, int]
Stamp = tuple[int, int, int]
"""What changes whenever a file is replaced: nanoseconds, inode, bytes."""


def read(path: Path) -> bytes:
    """Return a file's bytes; NotFound without it, StoreError when it is unreadable."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"{path}: no such file") from None
    except OSError as error:
        raise failed(path, error) from error


def stamp(path: Path) -> Stamp:
    """Return what changes whenever a file is replaced; NotFound without it."""
    try:
        status = path.stat()
    except FileNotFoundError:
        raise NotFound(f"{path}: no such file") from None
    except OSError as error:
        raise failed(path, error) from error
    return status.st_mtime_ns, status.st_ino, status.st_size


def names_in(directory: Path, suffix: str) -> list[str]:
    """Return the files of a directory that end in `suffix`, without it, sorted."""
    try:
        found = os.listdir(directory)  # noqa: PTH208 - names, and 100,000 of them
    except FileNotFoundError:
        return []
    except OSError as error:
        raise failed(directory, error) from error
    return sorted(name.removesuffix(suffix) for name in found if name.endswith(suffix))


def stamps_in(directory: Path, suffix: str) -> Iterator[tuple[str, Stamp]]:
    """Yield name, without its suffix, and stamp of each file, in no order."""
    if not directory.is_dir():
        return
    with os.scandir(directory) as found:
        for entry in found:
            name = entry.name
            if name.endswith(suffix):
                try:
                    status = entry.stat()
                except FileNotFoundError:
                    continue
                stamp = status.st_mtime_ns, status.st_ino, status.st_size
                yield name.removesuffix(suffix), stamp


def read_all(directory: Path, suffix: str) -> Iterator[tuple[str, bytes]]:
    """Yield name, without its suffix, and content of each file, sorted by name.

    Fast with 100,000 files.  One that goes away meanwhile is passed over.

    Raises:
        StoreError: One cannot be read.
    """
    if not directory.is_dir():
        return
    with _opened(directory, os.O_RDONLY | os.O_DIRECTORY) as at:
        for name in names_in(directory, suffix):
            try:
                handle = os.open(name + suffix, os.O_RDONLY | os.O_CLOEXEC, dir_fd=at)
                with os.fdopen(handle, "rb") as file:
                    content = file.read()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise failed(directory / (name + suffix), error) from error
            yield name, content


def replace(
    path: Path,
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

    path: Path
    temporary: Path


def stage(
    path: Path,
    data: bytes,
    *,
    mode: int,
    owner: Owner | None = None,
    follow: bool = True,
) -> Staged:
    """Write what `path` is to become, durably; takes and raises what `replace` does."""
    if follow and path.is_symlink():
        path = Path(os.path.realpath(path))
    temporary = path.with_name(TEMPORARY + secrets.token_hex(8))
    try:
        with _opened(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as handle:
            protect(handle, mode, owner or owner_for(path))
            _write(handle, data)
            os.fsync(handle)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise failed(path, error) from error
    return Staged(path, temporary)


def publish(staged: Sequence[Staged]) -> None:
    """Put staged files in their places, in order, durably.

    Raises:
        StoreError: One could not be put; it and those after it are discarded.
    """
    for position, each in enumerate(staged):
        try:
            each.temporary.replace(each.path)
        except OSError as error:
            discard(staged[position:])
            raise failed(each.path, error) from error
    for directory in {each.path.parent for each in staged}:
        try:
            _sync(directory)
        except OSError as error:
            raise failed(directory, error) from error


def discard(staged: Iterable[Staged]) -> None:
    """Remove what was staged and is not to be published."""
    for each in staged:
        each.temporary.unlink(missing_ok=True)


def append(path: Path, data: bytes, *, mode: int) -> None:
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
    if not path.exists():
        replace(path, data, mode=mode)
        return
    try:
        with _opened(path, os.O_RDWR) as handle:
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


def remove(path: Path, *, durable: bool = True) -> None:
    """Remove a file for good; no error when there is none.

    Args:
        path: The file.
        durable: A power cut must not bring it back.
    """
    try:
        path.unlink()
        if durable:
            _sync(path.parent)
    except FileNotFoundError:
        return
    except OSError as error:
        raise failed(path, error) from error


def make_directory(path: Path, *, mode: int, owner: Owner | None = None) -> None:
    """Make a directory with its mode from the start; one that exists stays as it is.

    Args:
        path: The directory; its parent must exist.
        mode: Permission bits, whatever the process's umask.
        owner: User and group; None gives those of the parent.

    Raises:
        StoreError: It could not be made.
    """
    if path.is_dir():
        return
    try:
        path.mkdir(mode=0o700)
        with _opened(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW) as handle:
            protect(handle, mode, owner or owner_for(path.parent))
        _sync(path.parent)
    except OSError as error:
        if isinstance(error, FileExistsError) and path.is_dir():
            return
        raise failed(path, error) from error


@contextlib.contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
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


def owner_for(path: Path) -> Owner:
    """Return the owner of a file, or of its directory while there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        status = path.parent.stat()
    return status.st_uid, status.st_gid


def _write(handle: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]


def _sync(directory: Path) -> None:
    with _opened(directory, os.O_RDONLY | os.O_DIRECTORY) as handle:
        os.fsync(handle)


def failed(path: Path, error: OSError) -> StoreError:
    """Return the error for what the system said about a file."""
    return StoreError(f"{path}: {(error.strerror or str(error)).lower()}")
