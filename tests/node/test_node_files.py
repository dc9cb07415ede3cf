"""Backups that can be put back, whatever is killed when.

Sources: docs/reference/node.md; tests/real/test_real_node.py holds the same verbs
beside the Ruby scripts.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from reseal.errors import StoreError
from reseal.node import backup as backups
from reseal.node import install as installs
from reseal.node import tree
from reseal.node.backup import back_up
from reseal.node.install import install
from reseal.node.restore import restore
from reseal.node.stage import stage


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run's directory."""
    path = tmp_path / "backups/run"
    path.mkdir(parents=True)
    return path


@pytest.fixture
def ssl(tmp_path: Path) -> Path:
    """An SSL directory with every kind of file."""
    path = tmp_path / "ssl"
    (path / "certs").mkdir(parents=True, mode=0o755)
    (path / "private_keys").mkdir(mode=0o750)
    (path / "private_keys/a.pem").write_text("secret")
    (path / "private_keys/a.pem").chmod(0o640)
    (path / "certs/a.pem").write_bytes(b"\x00\xff")
    (path / "empty").touch()
    (path / "link").symlink_to("certs/a.pem")
    (path / "nowhere").symlink_to("/nonexistent/there")
    (path / os.fsdecode(b"odd \xff name")).write_text("x")
    os.utime(path / "certs/a.pem", (1, 1))
    return path


def state(path: Path) -> dict[str, str]:
    """Return what is in a directory, with modes and times."""
    return {
        str(each.relative_to(path)): f"{tree.describe(each)} {each.lstat().st_mtime}"
        for each in [path, *path.rglob("*")]
    }


def test_what_is_backed_up_can_be_put_back(run: Path, ssl: Path) -> None:
    before, inode = state(ssl), ssl.stat().st_ino
    extra = ssl.parent / "crl.pem"
    extra.write_text("list")
    missing = ssl.parent / "missing.pem"
    told = back_up(run, [ssl, extra, missing])
    assert told["entries"] == len(before) + 1
    assert stat.S_IMODE((run / "manifest").stat().st_mode) == 0o600
    assert not (run / "scratch").exists()

    tree.remove(ssl / "certs")
    (ssl / "certs").write_text("a file where a directory was")
    (ssl / "private_keys/a.pem").write_text("another")
    (ssl / "new").mkdir()
    (ssl / "link").unlink()
    extra.unlink()
    missing.write_text("was not there")
    assert restore(run, [ssl, extra, missing])["entries"] == told["entries"]

    assert state(ssl) == before
    assert ssl.stat().st_ino == inode, "a watch on it survives"
    assert extra.read_text() == "list"
    assert not missing.exists()
    assert restore(run, [ssl, extra, missing])["entries"] == told["entries"]


def test_a_directory_that_is_gone_comes_back(run: Path, ssl: Path) -> None:
    before = state(ssl)
    back_up(run, [ssl])
    tree.remove(ssl)
    restore(run, [ssl])
    assert state(ssl) == before


def test_a_backup_that_was_tampered_with_changes_nothing(run: Path, ssl: Path) -> None:
    back_up(run, [ssl])
    (run / f"tree{ssl}/certs/a.pem").write_text("forged")
    (ssl / "certs/a.pem").write_text("now")
    with pytest.raises(StoreError, match=r"differ from the backup: .*certs/a\.pem"):
        restore(run, [ssl])
    assert (ssl / "certs/a.pem").read_text() == "now"


def test_without_a_manifest_nothing_is_put_back(run: Path, ssl: Path) -> None:
    with pytest.raises(StoreError, match="manifest"):
        restore(run, [ssl])


@pytest.mark.parametrize("sign", ["clearing", "setting-aside"])
def test_what_is_being_replaced_is_not_backed_up(
    run: Path, ssl: Path, sign: str
) -> None:
    back_up(run, [ssl])
    kept = (run / "manifest").read_bytes()
    tree.mark(run, sign)
    with pytest.raises(StoreError, match="is in use"):
        back_up(run, [ssl])
    assert (run / "manifest").read_bytes() == kept


def test_what_changes_meanwhile_is_copied_again(
    run: Path, ssl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, changes = tree.copy, iter(range(10))

    def copy(source: Path, target: Path) -> None:
        real(source, target)
        if source == ssl and (number := next(changes)) < changing:
            (ssl / "empty").write_text(f"changed {number} times")

    monkeypatch.setattr(tree, "copy", copy)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    changing = 3
    with pytest.raises(StoreError, match="the backup differs"):
        back_up(run, [ssl])
    changing = 5
    back_up(run, [ssl])
    changing = 99
    with pytest.raises(StoreError, match=r"the backup differs from .*empty"):
        back_up(run, [ssl])
    assert not (run / "manifest").exists(), "the manifest vouches for a whole copy"


def test_what_could_not_be_replaced_is_refused(
    run: Path, ssl: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(ssl)
    with pytest.raises(StoreError, match="is a link to a directory"):
        back_up(run, [link])
    mounts = tmp_path / "mountinfo"
    inside = str(ssl / "certs").replace("/certs", "/a\\040b")
    mounts.write_text(f"1 2 0:1 / / rw\n36 35 98:0 / {inside} rw - ext3 /dev/x rw\n")
    monkeypatch.setattr(backups, "_MOUNTS", mounts)
    with pytest.raises(StoreError, match=r"ssl/a b is a mount point inside"):
        back_up(run, [ssl])


def test_what_no_manifest_can_tell_is_refused(run: Path, ssl: Path) -> None:
    """A line is an entry: with a line feed in it, nothing could be compared later."""
    odd = ssl / "certs/a\nb"
    odd.touch()
    with pytest.raises(StoreError, match=r"a\\nb' has a line feed in its name"):
        back_up(run, [ssl])
    odd.unlink()
    (ssl / "odd").symlink_to("to\nnowhere")
    with pytest.raises(StoreError, match="has a line feed"):
        back_up(run, [ssl])
    assert not (run / "manifest").exists()


def test_what_a_killed_restoration_left_is_a_file_as_any_other(
    run: Path, ssl: Path
) -> None:
    for name in (".reseal-restore", ".reseal-restore-another-run"):
        (ssl / name).mkdir()
        (ssl / name / "a.pem").write_text("left")
    before = state(ssl)
    back_up(run, [ssl])
    tree.remove(ssl / "certs")
    restore(run, [ssl])
    assert state(ssl) == before


def test_a_link_in_place_of_a_directory_is_not_followed(
    run: Path, ssl: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever owns the directory above may exchange it at any moment."""
    back_up(run, [ssl])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    rmdir = Path.rmdir

    def exchanging(path: Path) -> None:
        rmdir(path)
        ssl.rename(tmp_path / "away")
        ssl.symlink_to(elsewhere)

    monkeypatch.setattr(Path, "rmdir", exchanging)
    with pytest.raises(OSError, match="ssl"):
        restore(run, [ssl])
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o700


def test_sockets_and_pipes_are_part_of_a_backup(run: Path, ssl: Path) -> None:
    os.mkfifo(ssl / "pipe")
    with socket.socket(socket.AF_UNIX) as held:
        held.bind(os.path.relpath(ssl / "socket"))
    back_up(run, [ssl])
    text = (run / "manifest").read_text(errors="replace")
    assert f" fifo {ssl}/pipe\n" in text
    assert f" socket {ssl}/socket\n" in text


# -- install --------------------------------------------------------------------------


@pytest.fixture
def prepared(run: Path, ssl: Path, tmp_path: Path) -> list[tuple[Path, Path]]:
    """An SSL directory and a CA's, which it links to, with what is to come."""
    cadir = tmp_path / "puppetserver/ca"
    cadir.mkdir(parents=True)
    (cadir / "ca_key.pem").write_text("old ca")
    (ssl / "ca").symlink_to(cadir)
    for name in ("ssl", "ca"):
        (run / "new" / name / "deep").mkdir(parents=True)
        (run / "new" / name / "deep/file").write_text(f"new {name}")
    return [(ssl, run / "new/ssl"), (cadir, run / "new/ca")]


def names(path: Path) -> set[str]:
    return {str(each.relative_to(path)) for each in path.rglob("*")}


def installed(run: Path, pairs: list[tuple[Path, Path]]) -> None:
    """Hold that the new is in place, whole, and the old aside, whole."""
    ssl, cadir = (directory for directory, _ in pairs)
    assert {"deep", "deep/file", "ca"} == names(ssl) - {"ca/deep", "ca/deep/file"}
    assert (ssl / "ca").readlink() == cadir
    assert (ssl / "deep/file").read_text() == "new ssl"
    assert (cadir / "deep/file").read_text() == "new ca"
    assert (run / "aside/0/private_keys/a.pem").read_text() == "secret"
    assert (run / "aside/1/ca_key.pem").read_text() == "old ca"
    assert not [each for each in names(run) if each.endswith(installs._FRESH)]


def test_the_old_goes_aside_and_the_new_comes(
    run: Path, prepared: list[tuple[Path, Path]]
) -> None:
    directories = [str(directory) for directory, _ in prepared]
    assert install(run, prepared) == {"installed": directories}
    installed(run, prepared)
    (prepared[0][0] / "deep/file").write_text("in use")
    assert install(run, prepared) == {"installed": directories}
    assert (prepared[0][0] / "deep/file").read_text() == "in use", "once is enough"


class Killed(BaseException):
    """The process ends here."""


def steps() -> Iterator[str]:
    yield from ("mark", "remove", "copy")


@pytest.mark.parametrize("deed", [*steps()])
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_anywhere_it_is_begun_again(
    run: Path,
    prepared: list[tuple[Path, Path]],
    monkeypatch: pytest.MonkeyPatch,
    deed: str,
    when: str,
) -> None:
    real, left = getattr(tree, deed), 0

    def killing(*args: object) -> None:
        nonlocal left
        left -= 1
        if left == 0 and when == "before":
            raise Killed
        real(*args)
        if left == 0:
            raise Killed

    monkeypatch.setattr(tree, deed, killing)
    kills = 0
    for number in range(1, 40):
        left = number
        try:
            install(run, prepared)
        except Killed:
            kills += 1
        else:
            break
    assert kills >= 2
    installed(run, prepared)


@pytest.mark.parametrize(
    "deed", ["tree.copy", "tree.remove", "Path.rename", "Path.rmdir"]
)
def test_a_restoration_killed_anywhere_is_begun_again(
    run: Path, ssl: Path, monkeypatch: pytest.MonkeyPatch, deed: str
) -> None:
    before = state(ssl)
    back_up(run, [ssl])
    place, name = {"tree": tree, "Path": Path}[deed.split(".")[0]], deed.split(".")[1]
    real, left, kills = getattr(place, name), 0, 0

    def killing(*args: object) -> object:
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed
        return real(*args)

    for number in range(1, 60):
        monkeypatch.setattr(place, name, real)
        tree.remove(ssl / "certs")
        (ssl / "certs").write_text("a file where a directory was")
        (ssl / "empty").unlink(missing_ok=True)
        (ssl / "new").mkdir(exist_ok=True)
        monkeypatch.setattr(place, name, killing)
        left = number
        try:
            restore(run, [ssl])
        except Killed:
            kills += 1
        else:
            break
        left = -1
        restore(run, [ssl])
        assert state(ssl) == before
    assert kills >= 1
    assert state(ssl) == before


def test_a_directory_that_is_missing_is_told_before_anything_changes(
    run: Path, prepared: list[tuple[Path, Path]], ssl: Path
) -> None:
    before = state(ssl)
    tree.remove(prepared[1][0])
    with pytest.raises(FileNotFoundError):
        install(run, prepared)
    assert state(ssl) == before
    assert not tree.marked(run, "setting-aside")


def test_what_is_gone_is_told_before_anything_changes(
    run: Path, prepared: list[tuple[Path, Path]], ssl: Path
) -> None:
    before = state(ssl)
    tree.remove(run / "new/ca")
    with pytest.raises(StoreError, match="is gone; nothing was changed"):
        install(run, prepared)
    assert state(ssl) == before


def test_from_another_file_system_it_is_copied(
    run: Path, prepared: list[tuple[Path, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.rename

    def rename(path: Path, target: Path) -> Path:
        if path.parent != target.parent:
            raise OSError(18, "Invalid cross-device link")
        return real(path, target)

    monkeypatch.setattr(Path, "rename", rename)
    install(run, prepared)
    installed(run, prepared)


# -- stage ----------------------------------------------------------------------------


def test_a_tree_is_made_anew_with_its_modes(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("secret")
    (tmp_path / "new/left").mkdir(parents=True)
    entries = json.loads(
        json.dumps(
            [
                {"path": "certs", "mode": "0755"},
                {
                    "path": "certs/a.pem",
                    "mode": "0644",
                    "content": base64.b64encode(b"\xff\x00").decode(),
                },
                {"path": "key.pem", "mode": "0640", "from": str(tmp_path / "key")},
            ]
        )
    )
    base, me = tmp_path / "new", f"{os.getuid()}:{os.getgid()}"
    assert stage(base, me, entries) == {"staged": str(base)}
    modes = {
        str(each.relative_to(base)): f"{stat.S_IMODE(each.stat().st_mode):04o}"
        for each in base.rglob("*")
    }
    assert modes == {"certs": "0755", "certs/a.pem": "0644", "key.pem": "0640"}
    assert (base / "certs/a.pem").read_bytes() == b"\xff\x00"
    assert (base / "key.pem").read_text() == "secret"
    assert (tmp_path / "key").exists(), "an interrupted run goes on with it"
    with pytest.raises(StoreError, match="nobody-at-all:x: no such user and group"):
        stage(base, "nobody-at-all:x", entries)
