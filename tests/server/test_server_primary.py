"""The primary's side beside a real Puppet Server's answers to the same requests.

Golden files: `tests/data/primary/7.txt` and `8.txt`; `record.sh` beside them made
them on Puppet Server 7.9 and 8.7, on the module that `prepare.sh` makes.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from listening import pair_of, serving
from serverscene import WEB, Scene

from reseal.errors import UnknownEnvironment
from reseal.primary.endpoints import Compiling
from reseal.primary.mounts import Mounts
from reseal.primary.protocol import Asked, Wanted
from reseal.primary.records import Records
from reseal.server import access
from reseal.server.caller import Caller
from reseal.server.handlers import Api
from reseal.wire import Request, Response

DATA = Path(__file__).parent.parent / "data/primary"
NAME = "agent1.lab.test"
NODE = Caller(NAME)
_OPTION = re.compile(r" (?=-(?:H|d|I|-data-binary) ?)")
_MODULES = "/etc/puppet/code/environments/production/modules"


@dataclass(frozen=True)
class Exchange:
    """A request and what a real server answered."""

    request: Request
    status: int
    media_type: str
    body: str


def exchanges(version: int) -> Iterator[Exchange]:
    text = (DATA / f"{version}.txt").read_text()
    for block in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        asked, _, answered = block.partition("\nHTTP/1.1 ")
        head, _, body = answered.partition("\n\n")
        told = dict(line.split(": ", 1) for line in head.splitlines()[1:])
        media_type = told.get("Content-Type", "")
        yield Exchange(request_of(asked), int(head[:3]), media_type, body.strip("\n"))


def request_of(asked: str) -> Request:
    first, *options = _OPTION.split(asked)
    method, path = first.split(" ", 1)
    headers: dict[str, str] = {}
    body = ""
    for option in options:
        kind, _, value = option.partition(" ")
        if kind == "-H":
            name, _, said = value.partition(": ")
            headers[name.lower()] = said
        elif kind != "-I":
            body = value
            form = "application/x-www-form-urlencoded"
            headers.setdefault("content-type", form)
    return Request(method, f"/puppet/v3/{path}", body.encode(), headers)


class Fixed:
    """One environment with one catalog, and a broken one."""

    def __init__(self, modules: Path) -> None:
        self.modules = modules
        self.wanted: list[Wanted] = []

    def catalog(self, wanted: Wanted) -> bytes:
        self.wanted.append(wanted)
        return json.dumps({"name": wanted.certname}).encode()

    def modulepath(self, environment: str) -> Sequence[Path]:
        if environment not in self.environments():
            raise UnknownEnvironment(f"Could not find environment '{environment}'")
        return (self.modules,)

    def environments(self) -> Sequence[str]:
        return ("production", "broken")


@dataclass
class Served:
    """A primary on the module of the golden files."""

    scene: Scene
    root: Path
    catalogs: Fixed

    def ask(self, request: Request, caller: Caller = NODE) -> Response:
        records = Records(self.root / "data", 3, 0, self.scene.clock)
        mounts = Mounts(self.catalogs, {})
        primary = Compiling(self.catalogs, mounts, records, "puppet.lab.test")
        return Api(self.scene.office, access.DEFAULT, primary).answer(request, caller)

    def get(self, path: str, accept: str = "application/json") -> Response:
        found = Request("GET", f"/puppet/v3/{path}", b"", {"accept": accept})
        return self.ask(found)


@pytest.fixture
def served(scene: Scene, tmp_path: Path) -> Served:
    code = tmp_path / "code"
    script = (DATA / "prepare.sh").read_text()
    script = script.replace("/etc/puppet/code", shlex.quote(str(code)))
    script = re.sub(r"^chown .*$", "", script, flags=re.MULTILINE)
    subprocess.run(["sh", "-c", script], check=True)
    return Served(scene, tmp_path, Fixed(code / "environments/production/modules"))


BETTER: tuple[tuple[str, int, str], ...] = (
    (r"file_metadatas/nosuch\?", 404, "a mount there is not is not found"),
    (r"file_metadatas/tasks\?", 404, "tasks are for an orchestrator; there is none"),
    (r"checksum_type=foo", 400, "the request is at fault, not the server"),
    (r"checksum_type=md5lite", 200, "a link that leads nowhere is passed over"),
    (r"file_metadata/modules\?", 400, "the request is at fault"),
    (r"file_(metadata|content)/(nosuch|files)/x", 404, "there is no such mount"),
    (r"file_content/modules/demo/dir\?", 404, "a directory has no bytes"),
    (r"^POST \S+file_content", 200, "a form is read, as of file_metadata"),
    (r"file_content/modules/demo/hello.txt appl", 400, "as 8 says it, in JSON"),
    (r"facts_format=yaml", 400, "the request is at fault"),
    (r"facts=x", 400, "the request is at fault"),
    (r"^POST \S+catalog/agent1.lab.test appl", 400, "the error is JSON like any other"),
    (r"environment=broken", 200, "the fixed catalogs of this test have no errors"),
    (r"^POST \S+nosuch", 200, "the usual environment's catalog, of another compiler"),
    (r"text/pson", 200, "PSON for whoever takes nothing else, as 7 does"),
    (
        r"^PUT \S+file_bucket_file\S+ \S+ \S+ other",
        400,
        "what is kept has its checksum",
    ),
    (r"^GET \S+bucket_file/md5", 404, "it is not there, but could be"),
    (r"^PUT \S+bucket_file/md5", 200, "agents of Puppet 5 have no other checksum"),
    (r"file_bucket_file/sha1", 400, "the request is at fault"),
    (r"file_bucket_file/sha256/x", 400, "the request is at fault"),
    (r"^DELETE", 403, "no rule allows it"),
    (
        r"v3/nosuch/x\?",
        403,
        "what no rule names is forbidden, whether it exists or not",
    ),
    (r"static_file_content", 404, "there are no static catalogs of code"),
    (r"environments", 200, "only what a client needs of an environment's settings"),
)
"""Where ours answers otherwise: what the request looks like, its status, and why."""

WRONG_NODE = "agent9"
"""In the body of a request about another node than asks."""


def said(exchange: Exchange) -> str:
    """Return a request in a line: method, path, what is accepted, body."""
    request = exchange.request
    kinds = [request.headers.get(n, "") for n in ("accept", "content-type")]
    sent = request.body.decode()
    return f"{request.method} {request.path} {' '.join(kinds)} {sent}"


def better(exchange: Exchange) -> int | None:
    """Return our status where ours is better than the original."""
    line = said(exchange)
    if WRONG_NODE in line:
        return 400
    return next((status for sign, status, _ in BETTER if re.search(sign, line)), None)


def plain(body: str) -> Any:
    """Return a document without what no two hosts have in common."""
    try:
        found = json.loads(body)
    except ValueError:
        return body.rstrip("\n")
    if isinstance(found, list) and found and isinstance(found[0], dict):
        return sorted(map(_alike, found), key=lambda each: each["relative_path"])
    return _alike(found) if isinstance(found, dict) else found


def _alike(told: dict[str, Any]) -> dict[str, Any]:
    if "checksum" not in told:
        said = re.sub(r"The .* invalid: .*", "invalid", str(told.get("message")))
        return {**told, "message": said} if "message" in told else told
    checksum = told["checksum"]
    if checksum["type"] == "ctime":
        checksum = "a time"
    path = re.sub(r".*/modules/", f"{_MODULES}/", told["path"])
    return {**told, "owner": 0, "group": 0, "checksum": checksum, "path": path}


@pytest.mark.parametrize("version", [7, 8])
def test_every_answer_is_a_real_servers_or_better(served: Served, version: int) -> None:
    found = list(exchanges(version))
    assert len(found) > 80
    for each in found:
        ours = served.ask(each.request)
        wanted = better(each)
        if wanted is not None:
            assert ours.status == wanted, f"{said(each)}: {ours.body!r}"
            continue
        assert ours.status == each.status, f"{said(each)}: {ours.body!r}"
        if each.status == 403:
            assert ours.body.decode() == each.body
            continue
        if each.request.method == "HEAD":
            continue
        kind, real = ours.media_type.lower(), each.media_type.lower()
        assert kind.replace(" ", "") == real.replace(" ", ""), said(each)
        if "/catalog/" in each.request.path and each.status == 200:
            continue
        if each.body == "[]" and "/report/" in each.request.path:
            assert json.loads(ours.body) == ["store"]
            continue
        mine = plain(ours.body.decode())
        if isinstance(mine, dict) and "classes" in mine:
            mine = {k: v for k, v in mine.items() if k != "classes"}
        assert mine == plain(each.body), said(each)


@pytest.mark.parametrize(("sign", "status", "why"), BETTER)
def test_every_betterment_has_its_case(sign: str, status: int, why: str) -> None:
    assert why
    lines = [said(each) for version in (7, 8) for each in exchanges(version)]
    first = [
        next((s for s, _, _ in BETTER if re.search(s, line)), "") for line in lines
    ]
    assert sign in first


def test_a_node_gets_its_own_and_nothing_without_a_certificate(served: Served) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    own = Request("POST", f"/puppet/v3/catalog/{NAME}", b"environment=production", form)
    assert served.ask(own).status == 200
    assert served.ask(own, Caller("other.lab.test")).status == 403
    assert served.ask(own, Caller()).status == 403
    also = Caller("other.lab.test", alt_names=(NAME,))
    assert served.ask(own, also).status == 403
    assert [each.certname for each in served.catalogs.wanted] == [NAME]
    assert not (served.root / "data/facts").exists()


def test_what_the_certificate_says_is_trusted(served: Served) -> None:
    caller = Caller(NAME, extensions={"1.3.6.1.4.1.34380.1.1.13": "web"})
    path = f"/puppet/v3/catalog/{NAME}?environment=production"
    accept = {"accept": "application/vnd.puppet.rich+json, application/json"}
    assert served.ask(Request("GET", path, b"", accept), caller).status == 200
    wanted = served.catalogs.wanted[-1]
    assert (wanted.extensions, wanted.rich) == ({"pp_role": "web"}, True)


def test_without_a_source_of_catalogs_only_the_ca_is_served(scene: Scene) -> None:
    found = scene.ask("GET", f"/puppet/v3/node/{NAME}?environment=production")
    assert (found.status, found.body) == (404, b"<h1>Not Found</h1>\n")


def test_a_file_that_cannot_be_read_is_told(served: Served) -> None:
    secret = served.catalogs.modules / "demo/files/pipe"
    subprocess.run(["mkfifo", str(secret)], check=True)
    found = served.get("file_metadata/modules/demo/pipe?environment=production")
    assert found.status == 500
    assert str(secret) in found.text
    assert "neither file, directory nor link" in found.text


@pytest.mark.parametrize(
    "path",
    [
        "modules/demo/../../secret",
        "modules/demo/%2e%2e/%2e%2e/secret",
        "modules/../secret",
        "modules/demo/%00",
        "modules/Demo/hello.txt",
        "modules//etc/passwd",
        "plugins/%2e%2e/%2e%2e/secret",
        "plugins//etc/passwd",
    ],
)
def test_nothing_outside_the_modules_is_served(served: Served, path: str) -> None:
    (served.catalogs.modules.parent / "secret").write_text("CONTENT")
    (served.catalogs.modules / "secret").write_text("CONTENT")
    for noun in ("file_metadata", "file_metadatas", "file_content"):
        accept = "application/octet-stream" if noun == "file_content" else ""
        found = served.get(f"{noun}/{path}?environment=production&recurse=true", accept)
        assert found.status in (400, 404), noun
        assert b"CONTENT" not in found.body


def test_a_directory_that_contains_itself_ends(served: Served) -> None:
    files = served.catalogs.modules / "demo/files/dir"
    (files / "again").symlink_to(files)
    path = "file_metadatas/modules/demo/dir?recurse=true&links=follow"
    found = json.loads(served.get(f"{path}&environment=production").body)
    names = [each["relative_path"] for each in found]
    assert names == [".", "a.txt", "again", "deep", "deep/b.txt"]


def test_reports_are_kept_the_newest_of_each_node(served: Served) -> None:
    def send(number: int) -> int:
        report = {"host": NAME, "status": "unchanged", "number": number}
        headers = {"content-type": "application/json"}
        path = f"/puppet/v3/report/{NAME}?environment=production"
        body = json.dumps(report).encode()
        return served.ask(Request("PUT", path, body, headers)).status

    assert [send(number) for number in range(5)] == [200] * 5
    records = Records(served.root / "data", 3, 0, served.scene.clock)
    assert records.nodes() == [NAME]
    node = records.nodes()[0]
    kept = [records.report(node, name) for name in records.reports(node)]
    assert [each["number"] for each in kept] == [2, 3, 4]


def test_a_disk_that_is_nearly_full_takes_nothing_more(served: Served) -> None:
    records = Records(served.root / "data", 3, 1 << 60, served.scene.clock)
    primary = Compiling(served.catalogs, Mounts(served.catalogs, {}), records, "x")
    api = Api(served.scene.office, access.DEFAULT, primary)
    digest = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
    facts = json.dumps({"name": NAME, "values": {}}).encode()
    report = json.dumps({"host": NAME, "status": "failed"}).encode()
    for path, body in (
        (f"facts/{NAME}", facts),
        (f"report/{NAME}", report),
        (f"file_bucket_file/sha256/{digest}/etc/hello", b"hello\n"),
    ):
        target = f"/puppet/v3/{path}?environment=production"
        headers = {"content-type": "application/json"}
        found = api.answer(Request("PUT", target, body, headers), NODE)
        assert found.status == 507, path
    assert not [each for each in records.root.rglob("*.json") if each.is_file()]
    assert not list(records.root.rglob("contents"))


class Slow:
    """A primary whose catalogs take until they are let go."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def answer(self, asked: Asked) -> Response:
        if "/catalog/" in asked.path:
            self.go.wait(20)
        return Response(200, "text/plain", b"x")


def test_files_do_not_wait_for_catalogs(today: Scene, tmp_path: Path) -> None:
    slow = Slow()
    today.api = Api(today.office, access.DEFAULT, slow)
    pair = pair_of(today.certificate(WEB), tmp_path / "web.pem")
    statuses: list[int] = []
    with serving(today) as served:

        def ask() -> None:
            path = f"/puppet/v3/catalog/{WEB}?environment=production"
            statuses.append(served.ask("GET", path, pair=pair).status)

        threads = [threading.Thread(target=ask) for _ in range(24)]
        for each in threads:
            each.start()
        time.sleep(1)
        begun = time.monotonic()
        path = "/puppet/v3/file_content/modules/x/y?environment=production"
        assert served.ask("GET", path, pair=pair).status == 200
        assert served.ask("GET", "/puppet-ca/v1/certificate/ca").status == 200
        assert time.monotonic() - begun < 10
        assert not statuses
        slow.go.set()
        for each in threads:
            each.join(30)
    assert statuses == [200] * 24
