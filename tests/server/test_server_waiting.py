"""A node that waits for its certificate has it as soon as it is signed."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest
from listening import QUIET, Answer, Served, serving
from serverscene import NEW, WEB, Scene

from reseal.ca.profile import Profile
from reseal.ca.sign import sign
from reseal.server.waiting import wish
from reseal.wire import Request

PATH = f"/puppet-ca/v1/certificate/{NEW}"
WAIT = {"Prefer": "wait=20"}


def signed(scene: Scene) -> None:
    sign(
        scene.authority,
        NEW,
        rules=scene.office.rules,
        profile=Profile(scene.options.ca_ttl),
        clock=scene.clock,
    )


def ask(served: Served, answers: list[tuple[float, Answer]]) -> threading.Thread:
    def work() -> None:
        begun = time.monotonic()
        found = served.ask("GET", PATH, headers=WAIT)
        answers.append((time.monotonic() - begun, found))

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_a_certificate_is_there_as_soon_as_it_is_signed(today: Scene) -> None:
    today.put(NEW)
    answers: list[tuple[float, Answer]] = []
    with serving(today) as served:
        threads = [ask(served, answers) for _ in range(5)]
        time.sleep(1)
        assert not answers, "nobody is answered before it is signed"
        signed(today)
        for each in threads:
            each.join(10)
        assert [found.status for _, found in answers] == [200] * 5
        assert max(taken for taken, _ in answers) < 15
        told = {found.headers["preference-applied"] for _, found in answers}
        assert told == {"wait=20"}
        begun = time.monotonic()
        assert served.ask("GET", PATH, headers=WAIT).status == 200
        assert time.monotonic() - begun < 15, "what is there is not waited for"


def test_who_waits_in_vain_is_told_after_its_time(today: Scene) -> None:
    with serving(today) as served:
        begun = time.monotonic()
        found = served.ask("GET", PATH, headers={"Prefer": "respond-async, wait=1"})
        assert (found.status, found.headers["preference-applied"]) == (404, "wait=1")
        assert 0.9 < time.monotonic() - begun < 15
        plain = served.ask("GET", PATH)
        assert plain.status == 404
        assert "preference-applied" not in plain.headers


def test_only_so_many_wait(today: Scene) -> None:
    answers: list[tuple[float, Answer]] = []
    with serving(today, replace(QUIET, connections=4)) as served:
        threads = [ask(served, answers) for _ in range(2)]
        time.sleep(0.5)
        begun = time.monotonic()
        assert served.ask("GET", PATH, headers=WAIT).status == 404
        assert time.monotonic() - begun < 15, "there is no room to wait"
        today.put(NEW)
        signed(today)
        for each in threads:
            each.join(10)
    assert [found.status for _, found in answers] == [200, 200]


def test_a_server_that_stops_lets_everybody_go(today: Scene) -> None:
    answers: list[tuple[float, Answer]] = []
    with serving(today) as served:
        thread = ask(served, answers)
        time.sleep(0.5)
    thread.join(10)
    assert [found.status for _, found in answers] == [404]
    assert answers[0][0] < 15


@pytest.mark.parametrize(
    ("method", "path", "prefer", "seconds"),
    [
        ("GET", f"certificate/{WEB}", "wait=5", 5),
        ("GET", f"certificate/{WEB}?environment=x", "wait = 5", 5),
        ("GET", f"certificate/{WEB}", 'return=minimal, wait="7"', 7),
        ("GET", f"certificate/{WEB}", "wait=9999", 60),
        ("GET", f"certificate/{WEB}", "", None),
        ("GET", f"certificate/{WEB}", "await=5", None),
        ("GET", f"certificate/{WEB}", "wait=-5", None),
        ("PUT", f"certificate/{WEB}", "wait=5", None),
        ("GET", "certificate/..", "wait=5", None),
        ("GET", "certificate/A", "wait=5", None),
        ("GET", f"certificate_status/{WEB}", "wait=5", None),
    ],
)
def test_what_is_waited_for(
    method: str, path: str, prefer: str, seconds: float | None
) -> None:
    headers = {"prefer": prefer} if prefer else {}
    found = wish(Request(method, f"/puppet-ca/v1/{path}", b"", headers))
    assert found == (None if seconds is None else (WEB, seconds))
