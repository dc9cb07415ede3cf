"""Files are whole, private from the first byte, and locked."""

from __future__ import annotations

import errno
import multiprocessing
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from reseal import files, folders, locks
from reseal.errors import NotFound, StoreError, StoreLocked


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_replace_makes_and_replaces_with_the_mode_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "ca_key.pem"
    for data, bits in ((b"one", 0o640), (b"two", 0o600)):
        files.replace(path, data, mode=bits)
        assert (files.read(path), mode(path)) == (data, bits)
    assert list(tmp_path.iterdir()) == [path]


def test_the_mode_is_set_before_the_first_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = []
    write = os.write

    def spy(handle: int, data: memoryview) -> int:
        modes.append(stat.S_IMODE(os.fstat(handle).st_mode))
        return write(handle, data)

    monkeypatch.setattr(os, "write", spy)
    files.replace(tmp_path / "key", b"secret", mode=0o640)
    assert modes == [0o640]


def test_a_link_is_followed_and_stays_a_link(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("real")
    files.replace(tmp_path / "real", b"old", mode=0o644)
    files.replace(link, b"new", mode=0o644)
    assert link.is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


@pytest.mark.parametrize("failing", ["write", "fsync"])
def test_a_full_disk_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    path = tmp_path / "serial"
    files.replace(path, b"0001", mode=0o644)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, failing, full)
    with pytest.raises(StoreError, match="no space left on device"):
        files.replace(path, b"0002", mode=0o644)
    with pytest.raises(StoreError, match="serial"):
        files.append(path, b"0003\n", mode=0o644)
    monkeypatch.undo()
    assert path.read_bytes() == b"0001"
    assert list(tmp_path.iterdir()) == [path]


def test_root_keeps_the_owner_of_the_old_file_or_of_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", lambda handle, *owner: given.append(owner))
    ours = (tmp_path.stat().st_uid, tmp_path.stat().st_gid)
    path = tmp_path / "inventory.txt"
    files.append(path, b"row\n", mode=0o640)
    files.replace(path, b"row\n", mode=0o640)
    files.replace(path, b"rows\n", mode=0o640, owner=(1234, 1235))
    files.make_directory(tmp_path / "signed", mode=0o755)
    assert given == [ours, ours, (1234, 1235), ours]


def test_nobody_but_root_gives_files_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "fchown", lambda handle, *owner: given.append(owner))
    files.replace(tmp_path / "serial", b"0001", mode=0o644, owner=(0, 0))
    assert given == []


def test_append_adds_lines_and_closes_a_torn_one(tmp_path: Path) -> None:
    path = tmp_path / "inventory.txt"
    files.append(path, b"one\n", mode=0o640)
    path.write_bytes(b"one\ntor")
    files.append(path, b"two\n", mode=0o644)
    assert path.read_bytes() == b"one\ntor\ntwo\n"
    assert mode(path) == 0o640


def test_read_and_remove_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no such file"):
        files.read(tmp_path / "absent")
    files.remove(tmp_path / "absent")
    with pytest.raises(StoreError, match="is a directory"):
        files.read(tmp_path)


def test_directories_get_their_mode_and_keep_it(tmp_path: Path) -> None:
    files.make_directory(tmp_path / "private", mode=0o750)
    files.make_directory(tmp_path / "private", mode=0o755)
    assert mode(tmp_path / "private") == 0o750
    with pytest.raises(StoreError, match="no such file"):
        files.make_directory(tmp_path / "a" / "b", mode=0o755)


def test_lines_are_not_lost_where_nobody_can_say_whether_there_are_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "inventory.txt"
    files.append(path, b"one\n", mode=0o644)

    def broken(path: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", broken)
        with pytest.raises(StoreError, match="input"):
            files.append(path, b"two\n", mode=0o644)
    assert files.read(path) == b"one\n"


def test_a_directory_that_somebody_else_makes_meanwhile_is_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = os.mkdir

    def slow(path: Path, mode: int) -> None:
        make(path, mode=0o755)
        make(path, mode)

    monkeypatch.setattr(os, "mkdir", slow)
    files.make_directory(tmp_path / "new", mode=0o750)
    assert mode(tmp_path / "new") == 0o755


def count_up(path: Path, times: int) -> None:
    for _ in range(times):
        with locks.locked(path.parent):
            files.replace(path, b"%d" % (int(files.read(path)) + 1), mode=0o644)


def test_the_lock_keeps_processes_apart(tmp_path: Path) -> None:
    path = tmp_path / "count"
    files.replace(path, b"0", mode=0o644)
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=count_up, args=(path, 25)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert path.read_bytes() == b"100"


def test_a_lock_that_stays_taken_is_an_error_and_then_free_again(
    tmp_path: Path,
) -> None:
    waiting = locks.locked(tmp_path, timeout=0.05)
    with locks.locked(tmp_path), pytest.raises(StoreLocked, match="held the lock"):
        waiting.__enter__()
    with locks.locked(tmp_path, timeout=0):
        assert mode(tmp_path / locks.LOCK) == 0o640


@pytest.mark.parametrize("plant", [os.symlink, os.link])
def test_a_lock_file_that_leads_elsewhere_is_refused_and_its_target_left(
    tmp_path: Path, plant: Callable[[Path, Path], None]
) -> None:
    target, lock = tmp_path / "shadow", tmp_path / "ca" / locks.LOCK
    files.replace(target, b"secret", mode=0o600)
    lock.parent.mkdir()
    plant(target, lock)
    before = target.stat()
    with (
        pytest.raises(StoreError, match=locks.LOCK) as caught,
        locks.locked(lock.parent),
    ):
        pass
    assert caught.value.hint
    after = target.stat()
    assert (after.st_uid, after.st_mode) == (before.st_uid, before.st_mode)
    lock.unlink()
    with locks.locked(lock.parent):
        assert lock.is_file()


def test_all_files_of_a_directory_are_read_sorted_by_name(tmp_path: Path) -> None:
    for name in ("b.pem", "a.pem", "note.txt", ".reseal-x"):
        (tmp_path / name).write_text(name)
    assert folders.names_in(tmp_path, ".pem") == ["a", "b"]
    assert list(folders.read_all(tmp_path, ".pem")) == [
        ("a", b"a.pem"),
        ("b", b"b.pem"),
    ]
    assert folders.names_in(tmp_path / "absent", ".pem") == []
    assert list(folders.read_all(tmp_path / "absent", ".pem")) == []


def test_a_file_that_goes_away_is_passed_over_and_a_strange_one_told(
    tmp_path: Path,
) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(name)
    reading = folders.read_all(tmp_path, "")
    assert next(reading) == ("a", b"a")
    (tmp_path / "b").unlink()
    (tmp_path / "c").unlink()
    (tmp_path / "c").mkdir()
    with pytest.raises(StoreError, match="c: is a directory"):
        next(reading)
