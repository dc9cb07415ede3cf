"""The types of resources on this machine's own files, and what they refuse."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from fakehosts import TableHost

from reseal.agent.clientbucket import ClientBucket
from reseal.agent.host import Done
from reseal.agent.resources.exec import Exec
from reseal.agent.resources.file import File
from reseal.agent.resources.harness import apply
from reseal.agent.resources.model import (
    BadResource,
    Event,
    Level,
    Resource,
    ResourceFailed,
)
from reseal.agent.resources.notify import Notify
from reseal.agent.resources.package import Package
from reseal.agent.sources import Found


class Told:
    """A log."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, level: Level, source: str, message: str) -> None:
        self.lines.append(
            f"{level} {source}: {message}" if source else f"{level} {message}"
        )


class FixedSources:
    """Sources with one file, one directory."""

    def find(self, source: str) -> Found | None:
        from reseal.agent.sources import _local

        if source.endswith("/dir"):
            return Found("", True, source)
        return None if source.endswith("/nosuch") else _local(Path(source))

    def fetch(self, found: Found) -> bytes:
        return Path(found.path).read_bytes()


def file(title: Path | str, log: Told | None = None, **parameters: object) -> File:
    show = bool(parameters.pop("showing", False))
    bucket = ClientBucket(Path(str(parameters.pop("bucket", "/nosuch"))))
    return File(
        str(title),
        parameters,
        FixedSources(),
        bucket=bucket,
        log=log or Told(),
        show_diff=show,
    )


def brought(resource: Resource, *, noop: bool = False) -> tuple[list[Event], list[str]]:
    log = Told()
    return apply(resource, f"/{resource.name}", log, noop=noop), log.lines


def messages(resource: Resource) -> list[str]:
    events, _ = brought(resource)
    return [each.message for each in events]


A = "{sha256}ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"


def test_a_file_is_made_with_everything_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a"
    wanted = file(path, content="a", mode="0600")
    assert messages(wanted) == [f"defined content as '{A}'"]
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("a", 0o600)
    assert messages(wanted) == []


def test_a_files_content_and_mode_are_brought_back(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old\n")
    path.chmod(0o644)
    wanted = file(path, content="a", mode="0600", showing=True)
    events, lines = brought(wanted)
    assert [each.name for each in events] == ["content"]
    assert lines[0].endswith("@@ -1 +1 @@\n-old\n+a")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600, "from its first byte"
    assert messages(wanted) == []
    path.chmod(0o644)
    assert messages(wanted) == ["mode changed '0644' to '0600'"]


def test_noop_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a"
    events, lines = brought(file(path, content="a"), noop=True)
    assert [each.status for each in events] == ["noop"]
    assert lines == [f"notice /File[{path}]/ensure: defined content as '{A}' (noop)"]
    assert not path.exists()


def test_directories_links_and_nothing(tmp_path: Path) -> None:
    directory, link = tmp_path / "d", tmp_path / "l"
    assert messages(file(directory, ensure="directory", mode="0700")) == ["created"]
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert messages(file(link, ensure="link", target=str(directory))) == ["created"]
    assert messages(file(link, ensure=str(directory))) == []
    assert messages(file(link, ensure=str(tmp_path))) == [
        "ensure changed 'link' to 'link'"
    ]
    assert link.readlink() == tmp_path
    assert messages(file(link, ensure="absent")) == ["removed"]
    assert tmp_path.is_dir(), "a link is not followed to what it leads to"
    assert messages(file(link, ensure="absent")) == []


def test_a_directory_is_removed_by_force_only(tmp_path: Path) -> None:
    directory = tmp_path / "d"
    directory.mkdir()
    (directory / "x").write_text("x")
    events, _ = brought(file(directory, ensure="absent"))
    assert [each.status for each in events] == ["failure"]
    assert "use 'force' to override" in events[0].message
    assert (directory / "x").exists()
    events, _ = brought(file(directory, content="x"))
    assert [each.status for each in events] == ["failure"]
    assert messages(file(directory, ensure="absent", force=True)) == ["removed"]
    assert not directory.exists()


def test_a_link_that_shall_be_a_file_is_replaced_not_followed(tmp_path: Path) -> None:
    secret, link = tmp_path / "secret", tmp_path / "l"
    secret.write_text("secret")
    link.symlink_to(secret)
    assert messages(file(link, ensure="file", content="a")) == [
        f"defined content as '{A}'"
    ]
    assert (secret.read_text(), link.is_symlink()) == ("secret", False)


def test_content_from_a_source_the_first_there_is(tmp_path: Path) -> None:
    source, path = tmp_path / "s", tmp_path / "p"
    source.write_text("a")
    wanted = file(path, source=["/nosuch", str(source)])
    assert messages(wanted) == [f"defined content as '{A}'"]
    assert path.read_text() == "a"
    events, lines = brought(file(tmp_path / "q", source="/x/nosuch"))
    assert events[0].status == "failure"
    assert "Could not retrieve information from environment source(s)" in lines[0]
    events, _ = brought(file(tmp_path / "q", source="puppet:///x/dir"))
    assert "needs recurse; reseal does not have it" in events[0].message


def test_replace_false_leaves_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("mine")
    assert messages(file(path, content="a", replace=False)) == []


def test_an_owner_there_is_not_fails_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    events, lines = brought(file(path, content="a", owner="no-such-user"))
    assert events[0].status == "failure"
    assert "Could not find user no-such-user" in lines[0]
    assert not path.exists()


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"ensure": "x"}, 'Invalid value "x". Valid values are absent, false, file'),
        ({"mode": "u+x"}, "octal digits only"),
        ({"mode": "99"}, "octal digits only"),
        ({"content": "a", "source": "/b"}, "more than one of content, source"),
        ({"recurse": True}, "parameter 'recurse' is not supported by reseal"),
        ({"path": "relative"}, "must be fully qualified"),
        ({"backup": ".bak/x"}, "an ending cannot have a directory: '.bak/x'"),
    ],
)
def test_files_that_make_no_sense(parameters: Mapping[str, object], said: str) -> None:
    with pytest.raises(BadResource) as caught:
        file("/tmp/x", None, **parameters)
    assert said in str(caught.value)


def test_what_a_file_held_is_kept_in_puppets_bucket(tmp_path: Path) -> None:
    path, gone, bucket, log = (
        tmp_path / "a",
        tmp_path / "b",
        tmp_path / "bucket",
        Told(),
    )
    for each in (path, gone):
        each.write_text("old\n")
    assert (
        len(messages(file(path, log, content="a", bucket=bucket, backup="puppet"))) == 1
    )
    assert messages(file(gone, ensure="absent", bucket=bucket, backup="puppet")) == [
        "removed"
    ]
    total = "01d09d19c2139a46aebfb577780d123d7396e97201bc7ead210a2ebff8239dee"
    kept = bucket / "0/1/d/0/9/d/1/9" / total
    assert (kept / "contents").read_text() == "old\n"
    assert (kept / "paths").read_text() == f"{path}\n{gone}\n"
    assert stat.S_IMODE((kept / "contents").stat().st_mode) == 0o440
    said = f"info File[{path}]: Filebucketed {path} to puppet with sum {total}"
    assert said in log.lines
    path.write_text("old\n")
    assert messages(file(path, content="a"))
    assert not (tmp_path / "nosuch").exists(), "without backup nothing is kept"


def test_a_directory_is_kept_before_it_is_removed(tmp_path: Path) -> None:
    directory, bucket = tmp_path / "d", tmp_path / "bucket"
    (directory / "in").mkdir(parents=True)
    (directory / "in/x").write_text("x")
    wanted = file(directory, ensure="absent", force=True, backup="main", bucket=bucket)
    assert messages(wanted) == ["removed"]
    assert [p.read_text() for p in bucket.rglob("contents")] == ["x"]


def test_a_copy_may_stay_beside(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    path.chmod(0o600)
    assert messages(file(path, content="a", backup=".bak"))
    beside = tmp_path / "a.bak"
    assert (beside.read_text(), stat.S_IMODE(beside.stat().st_mode)) == ("old", 0o600)


def test_a_copy_is_no_program_of_somebody_elses(tmp_path: Path) -> None:
    path = tmp_path / "tool"
    path.write_text("old")
    if os.geteuid() == 0:
        os.chown(path, 1234, 1234)
    path.chmod(0o4755)
    owner = path.stat().st_uid
    assert messages(file(path, content="a", backup=True))
    beside = (tmp_path / "tool.puppet-bak").stat()
    assert (stat.S_IMODE(beside.st_mode), beside.st_uid) == (0o755, owner)


def test_a_directory_has_no_copy_beside(tmp_path: Path) -> None:
    directory = tmp_path / "d"
    directory.mkdir()
    gone = file(directory, ensure="absent", force=True, backup=".bak")
    events, _ = brought(gone)
    assert "a directory is kept in a bucket only" in events[0].message
    assert directory.is_dir()
    assert [each.name for each in tmp_path.iterdir()] == ["d"]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    path, bucket = tmp_path / "pipe", tmp_path / "bucket"
    os.mkfifo(path)
    log = Told()

    def piped(ensure: str) -> File:
        return file(
            path, log, ensure=ensure, content="a", backup="puppet", bucket=bucket
        )

    assert messages(piped("present")) == []
    said = "Ensure set to :present but file type is fifo so no content will be synced"
    assert f"warning File[{path}]: {said}" in log.lines
    assert messages(piped("file")) == [f"defined content as '{A}'"]
    assert path.read_text() == "a"
    path.unlink()
    os.mkfifo(path)
    assert messages(piped("absent")) == ["removed"]
    assert not bucket.exists()


def test_what_a_link_leads_to_is_left_alone(tmp_path: Path) -> None:
    path, precious, log = tmp_path / "link", tmp_path / "precious", Told()
    precious.write_text("kept")
    path.symlink_to(precious)
    assert messages(file(path, log, ensure="present", content="a")) == []
    assert "file type is link so no content will be synced" in "".join(log.lines)
    assert precious.read_text() == "kept"


@pytest.mark.parametrize("ensure", ["file", "absent", "directory"])
def test_a_device_is_never_replaced(
    ensure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "disk"
    path.write_text("kept")
    resource = file(path, ensure=ensure)
    device = Path("/dev/null").stat()
    monkeypatch.setattr(resource, "status", lambda: device)
    events, _ = brought(resource)
    assert "Could not back up files of type characterSpecial" in events[0].message
    assert path.read_text() == "kept"


def test_a_bucket_is_the_agents_alone(tmp_path: Path) -> None:
    path, bucket = tmp_path / os.fsdecode(b"\xff"), tmp_path / "var/bucket"
    bucket.parent.mkdir()
    if os.geteuid() == 0:
        os.chown(bucket.parent, 1234, 1234)
    path.write_text("old")
    path.chmod(0o600)
    total = ClientBucket(bucket).keep(path)
    (contents,) = bucket.rglob("contents")
    paths = contents.with_name("paths")
    assert contents.parent.name == total
    assert paths.read_bytes() == os.fsencode(path) + b"\n"
    ours = {each.lstat().st_uid for each in (bucket, *bucket.rglob("*"))}
    assert ours == {os.geteuid()}

    victim = tmp_path / "victim"
    victim.write_text("kept")
    contents.unlink()
    contents.write_text("planted")
    paths.unlink()
    paths.symlink_to(victim)
    with pytest.raises(ResourceFailed, match="Could not back up"):
        ClientBucket(bucket).keep(path)
    paths.unlink()
    ClientBucket(bucket).keep(path)
    assert (victim.read_text(), contents.read_text()) == ("kept", "old")

    elsewhere = tmp_path / "var/other"
    elsewhere.symlink_to(bucket)
    with pytest.raises(ResourceFailed, match="is not a directory of this user"):
        ClientBucket(elsewhere).keep(path)


def test_what_cannot_be_kept_is_not_replaced(tmp_path: Path) -> None:
    path, bucket = tmp_path / "a", tmp_path / "bucket"
    path.write_text("old")
    bucket.write_text("no directory")
    events, _ = brought(file(path, content="a", backup="puppet", bucket=bucket))
    assert events[0].status == "failure"
    assert "Could not back up" in events[0].message
    assert path.read_text() == "old"


def command(title: str, **parameters: object) -> tuple[Exec, Told]:
    log = Told()
    return Exec(title, parameters, log), log


def test_a_command_is_run_unless_a_check_says_no(tmp_path: Path) -> None:
    out = tmp_path / "out"
    touch = f"/bin/sh -c 'echo x >>{out}'"
    for checks, runs in (
        ({"creates": str(out)}, True),
        ({"creates": str(out)}, False),
        ({"onlyif": "/bin/true"}, True),
        ({"onlyif": ["/bin/true", "/bin/false"]}, False),
        ({"unless": "/bin/false"}, True),
        ({"unless": "/bin/true"}, False),
        ({"refreshonly": True}, False),
    ):
        resource, _ = command(touch, **checks)
        assert messages(resource) == (["executed successfully"] if runs else []), checks


def test_a_command_that_fails_is_told_with_what_it_said() -> None:
    resource, log = command("/bin/sh -c 'echo why; exit 3'")
    events, lines = brought(resource)
    said = "'/bin/sh -c 'echo why; exit 3'' returned 3 instead of one of [0]"
    assert events[0].message == f"change from 'notrun' to ['0'] failed: {said}"
    assert lines[0] == f"err {said}"
    assert log.lines == ["notice Exec[/bin/sh -c 'echo why; exit 3']/returns: why"]
    fine, _ = command("/bin/sh -c 'exit 3'", returns=[0, 3])
    assert messages(fine) == ["executed successfully"]


def test_a_command_is_tried_again_and_ends_with_its_time(tmp_path: Path) -> None:
    count = tmp_path / "n"
    script = f"echo x >>{count}; test $(wc -l <{count}) -ge 3"
    resource, _ = command(script, provider="shell", tries=3)
    assert messages(resource) == ["executed successfully"]
    slow, _ = command("/bin/sleep 60", timeout=1)
    begun = time.monotonic()
    assert "took longer than 1 seconds" in messages(slow)[0]
    assert time.monotonic() - begun < 20


def test_a_command_has_its_own_surroundings(tmp_path: Path) -> None:
    resource, _ = command(
        "env >out; umask >>out; pwd >>out",
        path=["/bin", "/usr/bin"],
        cwd=str(tmp_path),
        environment=["A=b"],
        umask="0077",
    )
    assert messages(resource) == ["executed successfully"]
    said = (tmp_path / "out").read_text().splitlines()
    assert {"A=b", "PATH=/bin:/usr/bin", "0077", str(tmp_path)} <= set(said)
    assert not [line for line in said if line.startswith("PYTEST")]


def test_a_refresh_runs_its_own_command(tmp_path: Path) -> None:
    out = tmp_path / "out"
    resource, _ = command(
        f"echo command >>{out}", provider="shell", refresh=f"echo refresh >>{out}"
    )
    assert resource.refresh() == "Triggered 'refresh' from 1 event"
    assert out.read_text() == "refresh\n"


@pytest.mark.parametrize(
    ("title", "parameters", "said"),
    [
        ("foo", {}, "'foo' is not qualified and no path was specified"),
        ("/bin/true", {"unless": "foo"}, "'foo' is not qualified"),
        ("/bin/true", {"timeout": "x"}, "timeout must be a number"),
        ("/bin/true", {"nosuch": 1}, "no parameter named 'nosuch'"),
    ],
)
def test_commands_that_make_no_sense(
    title: str, parameters: Mapping[str, object], said: str
) -> None:
    with pytest.raises(BadResource, match=said):
        Exec(title, parameters, Told())


def test_a_message_is_told_in_every_run() -> None:
    log = Told()
    notify = Notify("hi", {"message": "hello"}, log)
    for _ in range(2):
        assert messages(notify) == ["defined 'message' as 'hello'"]
    assert log.lines == ["notice hello"] * 2
    with pytest.raises(BadResource, match="no parameter named 'x'"):
        Notify("hi", {"x": 1}, log)


QUERY = "/usr/bin/dpkg-query -W --showformat ${Status} ${Version}\\n less"
GET = "/usr/bin/apt-get -q -y -o DPkg::Options::=--force-confold"
IS, WAS = (
    Done(0, "install ok installed 1.0\n"),
    Done(0, "deinstall ok config-files 1.0\n"),
)
NONE = Done(1, "dpkg-query: no packages found matching less\n")


def apt(**answers: Done | list[Done]) -> TableHost:
    lines = {
        "query": QUERY,
        "install": f"{GET} install less",
        "version": f"{GET} install less=2.0",
        "remove": f"{GET} remove less",
        "purge": f"{GET} purge less",
        "policy": "/usr/bin/apt-cache policy less",
    }
    table = {
        lines[key]: each if isinstance(each, list) else [each]
        for key, each in answers.items()
    }
    return TableHost(table, {"/usr/bin/apt-get": ""})


POLICY = Done(0, "less:\n  Installed: 1.0\n  Candidate: 2.0\n")


@pytest.mark.parametrize(
    ("ensure", "host", "told"),
    [
        ("present", apt(query=IS), []),
        ("installed", apt(query=NONE, install=Done(0, "")), ["created"]),
        ("present", apt(query=WAS, install=Done(0, "")), ["created"]),
        ("absent", apt(query=IS, remove=Done(0, "")), ["removed"]),
        ("purged", apt(query=IS, purge=Done(0, "")), ["removed"]),
        ("absent", apt(query=WAS), []),
        ("1.0", apt(query=IS), []),
        (
            "2.0",
            apt(query=IS, version=Done(0, "")),
            ["ensure changed '1.0' to '2.0'"],
        ),
        (
            "latest",
            apt(query=IS, policy=POLICY, install=Done(0, "")),
            ["ensure changed '1.0' to '2.0'"],
        ),
    ],
)
def test_packages_of_debian(ensure: str, host: TableHost, told: list[str]) -> None:
    assert messages(Package("less", {"ensure": ensure}, host)) == told


def test_a_package_that_cannot_be_had_is_told_in_apts_words() -> None:
    host = apt(query=NONE, install=Done(100, "E: Unable to locate package less\n"))
    events, _ = brought(Package("less", {}, host))
    assert events[0].status == "failure"
    assert "returned 100: E: Unable to locate package less" in events[0].message


RPM = "/usr/bin/rpm -q --qf %{VERSION}-%{RELEASE}\\n less"
DNF = "/usr/bin/dnf -d 0 -e 1"
CHECK = f"{DNF} -q check-update less"


def dnf(**more: Done) -> TableHost:
    table = {RPM: [Done(0, "590-1.el9\n")], CHECK: [Done(0, "")]}
    table |= {f"{DNF} -y {key} less": [each] for key, each in more.items()}
    return TableHost(table, {"/usr/bin/dnf": ""})


def test_packages_of_red_hat() -> None:
    assert messages(Package("less", {"ensure": "latest"}, dnf())) == []
    host = dnf(install=Done(0, ""))
    host.answers[CHECK] = [Done(100, "\nless.x86_64   590-2.el9   baseos\n")]
    told = ["ensure changed '590-1.el9' to '590-2.el9'"]
    assert messages(Package("less", {"ensure": "latest"}, host)) == told
    assert messages(Package("less", {"ensure": "absent"}, dnf(remove=Done(0, "")))) == [
        "removed"
    ]


@pytest.mark.parametrize(
    ("title", "parameters", "said"),
    [
        ("less", {"provider": "gem"}, "Invalid package provider 'gem'"),
        ("less", {"provider": "dnf"}, "Provider dnf is not functional on this host"),
        ("less", {"source": "/x"}, "parameter 'source' is not supported by reseal"),
        ("--purge", {}, "is no name of a package"),
        ("a b", {}, "is no name of a package"),
    ],
)
def test_packages_that_make_no_sense(
    title: str, parameters: Mapping[str, object], said: str
) -> None:
    with pytest.raises(BadResource) as caught:
        Package(title, parameters, apt())
    assert said in str(caught.value)
