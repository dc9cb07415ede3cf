"""Files on a node: replaced whole, with owner and mode from the start."""

from __future__ import annotations

import asyncio
import grp
import os
import pwd
import stat
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sshnode import SUDO, program

from reseal.errors import AccessDenied, CommandFailed, NotFound, TimedOut
from reseal.site.local import LocalTransport
from reseal.site.transport import Result, check, exists, read, remove, replace

T = TypeVar("T")
OWNER = f"{pwd.getpwuid(os.getuid()).pw_name}:{grp.getgrgid(os.getgid()).gr_name}"


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalTransport:
    program(tmp_path / "bin", "sudo", SUDO)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return LocalTransport("web01")


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def left(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir() if path.name != "bin")


def test_a_script_runs_with_arguments_and_input(node: LocalTransport) -> None:
    result = run(node.run('echo "$1"; cat; exit 5', "a b", stdin=b"\xff"))
    assert result == Result(5, b"a b\n\xff", b"")


def test_a_signal_is_an_exit_status_as_in_a_shell(node: LocalTransport) -> None:
    assert run(node.run("kill -TERM $$")).exit == 143


def test_a_command_out_of_time_ends_with_its_children(
    node: LocalTransport, tmp_path: Path
) -> None:
    late = tmp_path / "late"
    with pytest.raises(TimedOut, match="web01: a command took over 1 s"):
        run(node.run('(sleep 2; echo >"$1") & wait', str(late), timeout=1))
    time.sleep(1.5)
    assert not late.exists()


def test_without_sudo_a_user_is_denied(node: LocalTransport, tmp_path: Path) -> None:
    program(tmp_path / "bin", "id", "#!/bin/sh\necho 1000\n")
    program(tmp_path / "bin", "sudo", "#!/bin/sh\necho no >&2; exit 1\n")
    with pytest.raises(AccessDenied, match="web01: cannot become root: no"):
        run(node.run("true"))


def test_nobody_has_to_be_root_in_a_directory(
    node: LocalTransport, tmp_path: Path
) -> None:
    program(tmp_path / "bin", "id", "#!/bin/sh\necho 1000\n")
    program(tmp_path / "bin", "sudo", "#!/bin/sh\necho no >&2; exit 1\n")
    home = tmp_path / "it's home"
    home.mkdir()
    program(home / "bin", "hello", '#!/bin/sh\necho hello from "$0"\n')
    inside = LocalTransport("web01", str(home))
    assert run(inside.run('echo "$node_home"; hello')).stdout.decode() == (
        f"{home}\nhello from {home}/bin/hello\n"
    )


def test_a_machine_has_no_home_whatever_the_environment_says(
    node: LocalTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("node_home", "/tmp/elsewhere")
    assert run(node.run('echo "<$node_home> $PATH"')).stdout.startswith(b"<> ")
    assert b"elsewhere" not in run(node.run('echo "$PATH"')).stdout


@pytest.mark.parametrize(
    ("program_text", "why"),
    [
        (
            "echo Welcome; PATH=/usr/bin:/bin exec sh",
            "prints text of its own: 'Welcome'",
        ),
        ("echo no login >&2; exit 1; :", "no POSIX shell answers: no login"),
        ("exit 1; :", "no POSIX shell answers: it said nothing"),
    ],
)
def test_a_shell_that_is_none_is_told(
    node: LocalTransport, tmp_path: Path, program_text: str, why: str
) -> None:
    program(tmp_path / "bin", "sh", f'#!/bin/sh\n{program_text} "$@"\n')
    with pytest.raises(AccessDenied, match=f"web01: .*{why}"):
        run(node.run("true"))


def test_a_file_is_replaced_with_owner_and_mode(
    node: LocalTransport, tmp_path: Path
) -> None:
    path = tmp_path / "it's a key.pem"
    path.write_text("old")
    path.chmod(0o666)
    run(replace(node, str(path), b"new\0\n", mode=0o640, owner=OWNER))
    assert path.read_bytes() == b"new\0\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert run(read(node, str(path))) == b"new\0\n"
    assert left(tmp_path) == [path.name]


def test_the_mode_is_right_before_the_first_byte(
    node: LocalTransport, tmp_path: Path
) -> None:
    # `cat` fills the file; this one notes what it may be read by just before.
    note = (
        f'#!/bin/sh\nls -l {tmp_path}/.reseal-* >{tmp_path}/note\nexec /bin/cat "$@"\n'
    )
    program(tmp_path / "bin", "cat", note)
    run(replace(node, str(tmp_path / "key"), b"secret", mode=0o600, owner=OWNER))
    mode, _, owner, group, size, *_ = (tmp_path / "note").read_text().split()
    assert (mode[:10], f"{owner}:{group}", size) == ("-rw-------", OWNER, "0")


def test_a_link_is_followed(node: LocalTransport, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there/file")
    run(replace(node, str(tmp_path / "link"), b"x", mode=0o644, owner=OWNER))
    assert (tmp_path / "there" / "file").read_bytes() == b"x"
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize(
    ("target", "owner", "why"),
    [
        ("missing/file", OWNER, "missing"),
        ("directory", OWNER, "is a directory"),
        ("old", "nobody-here:nobody-here", "nobody-here"),
    ],
)
def test_a_failure_leaves_everything_as_it_was(
    node: LocalTransport, tmp_path: Path, target: str, owner: str, why: str
) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "old").write_text("old")
    path = str(tmp_path / target)
    with pytest.raises(CommandFailed, match=why) as caught:
        run(replace(node, path, b"new", mode=0o600, owner=owner))
    assert str(caught.value).startswith("web01: exit status 1: ")
    assert left(tmp_path) == ["directory", "old"]
    assert (tmp_path / "old").read_text() == "old"
    assert left(tmp_path / "directory") == []


def test_input_that_is_cut_short_replaces_nothing(
    node: LocalTransport, tmp_path: Path
) -> None:
    path = tmp_path / "key"
    path.write_text("old")
    program(tmp_path / "bin", "cat", "#!/bin/sh\nexec head -c 2\n")
    with pytest.raises(CommandFailed, match="input was cut short"):
        run(replace(node, str(path), b"secret", mode=0o600, owner=OWNER))
    assert path.read_text() == "old"
    assert left(tmp_path) == ["key"]


def test_reading_what_is_not_there(node: LocalTransport, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"web01: .*nothing: no such file"):
        run(read(node, str(tmp_path / "nothing")))


def test_removing_twice(node: LocalTransport, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.symlink_to("nowhere")
    assert run(exists(node, str(path)))
    run(remove(node, str(path)))
    run(remove(node, str(path)))
    assert not run(exists(node, str(path)))


def test_a_failed_command_tells_the_end_of_its_complaint(node: LocalTransport) -> None:
    with pytest.raises(CommandFailed) as caught:
        run(
            check(
                node,
                "i=0; while [ $i -lt 300 ]; do echo no $i; i=$((i+1)); done; exit 2",
            )
        )
    assert str(caught.value).startswith("web01: exit status 2: …")
    assert str(caught.value).endswith("no 299")
    with pytest.raises(CommandFailed, match="web01: exit status 1 and said nothing"):
        run(check(node, "false"))
