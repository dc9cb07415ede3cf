"""The service managers of other systems, by what their programs print.

OpenRC: `tests/data/resource/openrc.txt`, which `openrc.sh` made.  launchd and Windows:
made as launchctl(1), launchd.plist(5) and Microsoft's pages of `sc.exe query`, `qc` and
`config` show it; no such machine is at hand.
"""

from __future__ import annotations

import plistlib
from pathlib import Path

import pytest
from fakehosts import SystemdHost, SysvHost, TableHost, transcript

from reseal.agent.host import Done
from reseal.agent.services.choose import choose, suitable
from reseal.agent.services.provider import ServiceFailed

DATA = Path(__file__).parent.parent / "data/resource"


def openrc() -> TableHost:
    files = {"/sbin/rc-service": "", "/proc/1/comm": "init\n"}
    files["/etc/os-release"] = "ID=gentoo\n"
    return TableHost(transcript(DATA / "openrc.txt"), files)


def test_openrc_lists_starts_and_enables() -> None:
    services = choose(openrc())
    assert services.name == "openrc"
    assert {"t-bad", "t-good", "hostname.sh"} <= set(services.instances())
    assert services.status("t-good") == "stopped"
    services.start("t-good")
    assert services.status("t-good") == "running"
    assert services.enabled("t-good") == "false"
    services.enable("t-good", "true")
    assert services.enabled("t-good") == "true"
    assert services.enabled("killprocs") == "true"
    services.stop("t-good")
    services.enable("t-good", "false")
    assert services.status("t-nosuch") == "stopped"


def test_openrc_tells_what_a_script_says() -> None:
    services = choose(openrc())
    with pytest.raises(ServiceFailed) as caught:
        services.start("t-bad")
    assert str(caught.value) == (
        "Could not start Service[t-bad]: Execution of '/sbin/rc-service t-bad start' "
        "returned 1:  * no way\n * ERROR: t-bad failed to start"
    )
    with pytest.raises(ServiceFailed, match="`t-nosuch' does not exist"):
        services.enable("t-nosuch", "true")


def launchd(disabled: str = "") -> TableHost:
    job = plistlib.dumps({"Label": "com.example.good"}).decode()
    off = plistlib.dumps({"Label": "com.example.off", "Disabled": True}).decode()
    path = "/Library/LaunchDaemons/good.plist"
    off_path = "/System/Library/LaunchDaemons/off.plist"
    listed = "PID\tStatus\tLabel\n-\t0\tcom.apple.x\n412\t0\tcom.example.good\n"
    none = "PID\tStatus\tLabel\n-\t0\tcom.apple.x\n"
    overrides = f"disabled services = {{\n{disabled}}}\n"
    answers = {
        "/bin/launchctl list": [Done(0, none), Done(0, listed)],
        "/bin/launchctl print-disabled system": [Done(0, overrides)],
        f"/bin/launchctl load -w {path}": [Done(0, "")],
        f"/bin/launchctl unload -w {path}": [Done(0, "")],
        "/bin/launchctl enable system/com.example.good": [Done(0, "")],
        "/bin/launchctl disable system/com.example.good": [Done(0, "")],
    }
    files = {path: job, off_path: off, "/Library/LaunchDaemons/x.plist": "no plist"}
    return TableHost(answers, files, platform="darwin")


def test_launchd_knows_jobs_by_their_labels() -> None:
    host = launchd()
    services = choose(host)
    assert services.name == "launchd"
    assert services.instances() == ["com.example.good", "com.example.off"]
    assert services.status("com.example.good") == "stopped"
    services.start("com.example.good")
    assert services.status("com.example.good") == "running"
    assert services.enabled("com.example.good") == "true"
    assert services.enabled("com.example.off") == "false"
    assert services.enabled("com.example.nosuch") == "false"
    services.enable("com.example.good", "false")
    assert host.ran[-1] == "/bin/launchctl disable system/com.example.good"
    with pytest.raises(ServiceFailed, match="Unable to find launchd plist for job: x"):
        services.start("x")


@pytest.mark.parametrize("said", ["true", "disabled"])
def test_launchd_believes_overrides_before_plists(said: str) -> None:
    services = choose(launchd(f'\t"com.example.good" => {said}\n'))
    assert services.enabled("com.example.good") == "false"


QUERY = """
SERVICE_NAME: {name}
DISPLAY_NAME: Puppet Agent
        TYPE               : 10  WIN32_OWN_PROCESS
        STATE              : {state}
                                (STOPPABLE, NOT_PAUSABLE, ACCEPTS_SHUTDOWN)
        WIN32_EXIT_CODE    : 0  (0x0)
"""
QC = """[SC] QueryServiceConfig SUCCESS

SERVICE_NAME: {name}
        TYPE               : 10  WIN32_OWN_PROCESS
        START_TYPE         : {kind}
        ERROR_CONTROL      : 1   NORMAL
"""
NONE = (
    "[SC] EnumQueryServicesStatus:OpenService FAILED 1060:\n\n"
    "The specified service does not exist as an installed service.\n"
)


def windows(kind: str = "2   AUTO_START") -> TableHost:
    stopped = Done(0, QUERY.format(name="puppet", state="1  STOPPED"))
    pending = Done(0, QUERY.format(name="puppet", state="3  STOP_PENDING"))
    running = Done(0, QUERY.format(name="puppet", state="4  RUNNING"))
    answers = {
        "sc.exe query puppet": [stopped, pending, running],
        "sc.exe query nosuch": [Done(1060, NONE)],
        "sc.exe qc nosuch": [Done(1060, NONE)],
        "sc.exe qc puppet": [Done(0, QC.format(name="puppet", kind=kind))],
        "sc.exe start puppet": [running],
        "sc.exe start nosuch": [Done(1060, NONE)],
        "sc.exe config puppet start= demand": [Done(0, "[SC] ChangeServiceConfig")],
        "sc.exe query state= all": [
            Done(0, stopped.output + QUERY.format(name="Spooler", state="4  RUNNING"))
        ],
    }
    return TableHost(answers, platform="win32")


def test_windows_waits_until_a_service_runs() -> None:
    services = choose(windows())
    assert services.name == "windows"
    assert services.instances() == ["puppet", "Spooler"]
    assert services.status("puppet") == "stopped"
    services.start("puppet")
    assert services.status("puppet") == "running"
    assert services.status("nosuch") == "stopped"
    assert services.enabled("nosuch") == "false"
    services.enable("puppet", "manual")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("2   AUTO_START", "true"),
        ("2   AUTO_START  (DELAYED)", "delayed"),
        ("3   DEMAND_START", "manual"),
        ("4   DISABLED", "false"),
        ("0   BOOT_START", "true"),
    ],
)
def test_windows_start_types(kind: str, value: str) -> None:
    assert choose(windows(kind)).enabled("puppet") == value


def test_windows_does_not_start_what_is_disabled() -> None:
    with pytest.raises(ServiceFailed, match="Will not start disabled service puppet"):
        choose(windows("4   DISABLED")).start("puppet")


def redhat(status: int = 0, said: str = "") -> TableHost:
    answers = {
        "/sbin/service puppet status": [Done(3, ""), Done(0, "")],
        "/sbin/service puppet start": [Done(0, "")],
        "/sbin/service puppet stop": [Done(1, "no")],
        "/sbin/chkconfig puppet": [Done(status, said)],
        "/sbin/chkconfig --add puppet": [Done(0, "")],
        "/sbin/chkconfig puppet on": [Done(0, "")],
        "/sbin/chkconfig --level 0123456 puppet off": [Done(1, "denied")],
    }
    files = {
        "/etc/os-release": 'ID="centos"\nID_LIKE="rhel fedora"\n',
        "/sbin/chkconfig": "",
        "/proc/1/comm": "init",
        "/etc/init.d/functions": "",
        "/etc/init.d/puppet": "",
    }
    return TableHost(answers, files)


def test_red_hats_scripts() -> None:
    services = choose(redhat())
    assert services.name == "redhat"
    assert services.instances() == ["puppet"]
    assert services.status("puppet") == "stopped"
    services.start("puppet")
    assert services.status("puppet") == "running"
    services.enable("puppet", "true")
    with pytest.raises(ServiceFailed, match=r"Could not stop Service.puppet.: Exec"):
        services.stop("puppet")
    with pytest.raises(ServiceFailed, match="Could not disable puppet: Execution of"):
        services.enable("puppet", "false")


@pytest.mark.parametrize(
    ("status", "said", "value"),
    [
        (0, "", "true"),
        (1, "", "false"),
        (0, "puppet  on\n", "true"),
        (0, "puppet  off\n", "false"),
        (0, "puppet  B\n", "true"),
    ],
)
def test_what_chkconfig_says(status: int, said: str, value: str) -> None:
    assert choose(redhat(status, said)).enabled("puppet") == value


@pytest.mark.parametrize(
    ("sentence", "host", "names"),
    [
        ("systemd where it is the first process", SystemdHost(), ["systemd"]),
        ("Debian's without it", SysvHost(), ["debian"]),
        (
            "anybody's where nothing else is",
            TableHost({}, {"/proc/1/comm": "init", "/etc/init.d/x": ""}),
            ["init"],
        ),
        (
            "OpenRC where it is, before scripts",
            TableHost({}, {"/sbin/rc-service": ""}),
            ["openrc", "init"],
        ),
    ],
)
def test_which_service_manager_a_host_has(
    sentence: str, host: TableHost, names: list[str]
) -> None:
    assert [each.name for each in suitable(host)] == names, sentence
