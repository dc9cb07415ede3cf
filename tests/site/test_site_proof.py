"""What counts as proven, and how a run is told afterwards."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from site_samples import NOW, node, site

from reseal.site.check import Check
from reseal.site.journal import Line
from reseal.site.plan import Choices, Plan, make_plan
from reseal.site.report import page_of, report_of
from reseal.site.target import Target
from reseal.site.transport import Transport
from reseal.site.verify import judge

NEW = {"server": "AA", "status": 200}
ALERT = "OpenSSL::SSL::SSLError: SSL_read: state=error: tlsv1 alert unknown ca"


class NoTransport:
    """Nothing here asks the node."""


def checks(*answers: dict[str, Any], **facts: Any) -> dict[str, Check]:
    at = Target(node("web01.lab.test", **facts), _no_transport(), "run1")
    return {check.name: check for check in judge(at, answers)}


def _no_transport() -> Transport:
    transport: Any = NoTransport()
    checked: Transport = transport
    return checked


@pytest.mark.parametrize(
    "error",
    [
        ALERT,
        "EOFError: closed without an answer",
        "Errno::ECONNRESET: Connection reset by peer",
    ],
)
def test_a_server_that_hangs_up_refuses_the_old_certificate(error: str) -> None:
    found = checks(NEW, {"server": "AA", "tried": True, "error": error})
    assert found["handshake"].ok
    assert found["old certificate"].ok


def test_nginx_refuses_with_an_answer() -> None:
    refused = {"server": "AA", "tried": True, "status": 400}
    found = checks(NEW, refused)["old certificate"]
    assert (found.ok, found.note) == (True, "refused: HTTP status 400")
    anybody = {"server": "AA", "status": 400}
    assert not checks(anybody, refused)["old certificate"].ok


@pytest.mark.parametrize(
    ("why", "answers"),
    [
        ("it was accepted", (NEW, {"server": "AA", "status": 200})),
        ("it was answered with an error page", (NEW, {"server": "AA", "status": 403})),
        ("the server is down", ({"error": "refused"}, {"tried": True, "error": ALERT})),
        (
            "the old key does not load",
            (NEW, {"error": "OpenSSL::SSL::SSLError: ee key"}),
        ),
        ("nobody answered", (NEW, {"error": "no answer within 20 seconds"})),
        ("the file is missing", (NEW, {"error": "Errno::ENOENT: no such file"})),
    ],
)
def test_nothing_else_proves_that_it_is_refused(
    why: str, answers: tuple[dict[str, Any], ...]
) -> None:
    assert not checks(*answers)["old certificate"].ok, why


def test_a_node_that_had_no_certificate_has_none_to_refuse() -> None:
    found = checks(NEW, {"server": "AA", "status": 200}, hostcert=None)
    assert list(found) == ["handshake"]


def line(seconds: int, event: Any, step: str, note: str = "", took: float = 0) -> Line:
    return Line(NOW + timedelta(seconds=seconds), event, step, note, took)


def told(*, failed: bool) -> dict[str, Any]:
    plan: Plan = make_plan(site(1), Choices(), run="run1", now=NOW)
    stop = "agent1.lab.test/agent.stop"
    lines = [line(0, "run", ""), line(1, "begun", stop)]
    lines += [
        line(5, "failed", stop, "agent1.lab.test: <no> & 'no'")
        if failed
        else line(5, "done", stop, took=3.5),
        line(9, "end", "", "not proven" if failed else "proven"),
    ]
    proof = [Check("agent1.lab.test", "handshake", not failed, "HTTP status 200")]
    return report_of(plan, lines, proof, None)


def test_a_report_is_json_that_says_what_took_how_long() -> None:
    report = json.loads(json.dumps(told(failed=False)))
    assert report["seconds"] == 9
    assert report["proven"] == ["agent1.lab.test"]
    [bar] = report["timeline"]
    assert (bar["start"], bar["end"], bar["state"]) == (1.5, 5.0, "done")


def test_a_failure_says_which_node_and_why() -> None:
    report = told(failed=True)
    assert report["failures"] == {"agent1.lab.test": "agent1.lab.test: <no> & 'no'"}
    assert report["proven"] == []


def test_what_was_taken_back_is_neither_proven_nor_failed() -> None:
    plan: Plan = make_plan(site(1), Choices(), run="run1", now=NOW)
    lines = [
        line(0, "run", "", "regenerate"),
        line(1, "failed", "agent1.lab.test/agent.stop", "no"),
        line(2, "rollback", "agent1.lab.test"),
        line(3, "undone", "agent1.lab.test"),
        line(4, "end", "", "rolled back"),
    ]
    report = report_of(plan, lines, [], None)
    assert report["failures"] == {}
    assert report["proven"] == []
    page = page_of(report)
    assert "Rolled back" in page
    assert "✓ Proven" not in page


def test_the_page_stands_alone_and_shows_what_nodes_say_as_text() -> None:
    page = page_of(told(failed=True))
    assert "&lt;no&gt; &amp;" in page
    assert "<no>" not in page
    assert "http://" not in page
    assert "https://" not in page
    assert "<script" not in page
    assert page.count("<svg") == 1
