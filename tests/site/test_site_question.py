"""A question across nodes: asked once, and held against what was heard before."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import pytest
from site_samples import site

from reseal.errors import Unreachable
from reseal.extensions.protocol import QuestionRule
from reseal.site import question
from reseal.site.copyfacts import ExtensionFacts
from reseal.site.facts import NodeFacts
from reseal.site.material import ServiceFacts
from reseal.site.question import hear_again, listen
from reseal.site.transport import Result, Transport

CA, ONE, TWO = (node.name for node in site(2))
PING = QuestionRule(("mco", "ping"), "mcollective")


@dataclass
class Asked:
    """Nodes that print what they hear; each question is noted."""

    answers: dict[str, Result]
    asked: list[str]

    async def connect(self, name: str) -> Transport:
        self.asked.append(name)
        if name not in self.answers:
            raise Unreachable(f"{name}: nobody there")
        return Way(name, self.answers[name])


@dataclass
class Way:
    name: str
    answer: Result

    async def run(
        self,
        script: str,
        *args: str,
        stdin: bytes = b"",
        timeout: float | None = None,
    ) -> Result:
        assert args == ("60", "mco", "ping")
        return self.answer

    async def close(self) -> None:
        """Nothing is open."""


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(question, "_PAUSE", 0)


def hearing(*names: str) -> Result:
    lines = "".join(f"{name}   time=25.10 ms\n" for name in names)
    return Result(0, f"\n{lines}\n---- ping statistics ----\n".encode(), b"")


def facts(clients: tuple[str, ...] = (CA, ONE)) -> tuple[NodeFacts, ...]:
    """Return a site whose nodes are all servers; agent1 has a name of its own."""
    service = ServiceFacts("mcollective", active=True, enabled=True)
    found = []
    for node in site(2):
        identity = "one" if node.name == ONE else ""
        server = ExtensionFacts(
            "mcollective", "MCollective", (service,), (), identity=identity
        )
        client = ExtensionFacts("client", "Client", (), (), question=PING)
        more = (client,) if node.name in clients else ()
        found.append(replace(node, extensions=(server, *more)))
    return tuple(found)


def told(nodes: tuple[NodeFacts, ...]) -> dict[str, list[bool | None]]:
    return {node.name: [each.heard for each in node.extensions] for node in nodes}


def faults(nodes: tuple[NodeFacts, ...]) -> list[str]:
    return [f"{node.name}: {each.message}" for node in nodes for each in node.faults]


def test_one_node_is_asked_and_whoever_is_heard_is_noted() -> None:
    way = Asked({CA: hearing(CA, "one", TWO), ONE: hearing()}, [])
    found = asyncio.run(listen(facts(), way.connect))
    assert told(found) == {CA: [True, True], ONE: [True, None], TWO: [True]}
    assert (way.asked, faults(found)) == ([CA], [])


def test_whoever_is_not_heard_is_told_and_need_not_be_after() -> None:
    way = Asked({CA: hearing(CA, TWO)}, [])
    found = asyncio.run(listen(facts(), way.connect))
    assert told(found)[ONE] == [False, None]
    assert faults(found) == [f"{ONE}: mcollective: is not heard by mco ping on {CA}"]
    checks = asyncio.run(hear_again(found, way.connect))
    assert [(check.node, check.ok) for check in checks] == [(TWO, True), (CA, True)]


@pytest.mark.parametrize("first", [Result(4, b"", b""), hearing(), None])
def test_the_next_one_is_asked_where_the_first_hears_nobody(
    first: Result | None,
) -> None:
    answers = {ONE: hearing("one")} | ({CA: first} if first else {})
    way = Asked(answers, [])
    found = asyncio.run(listen(facts(), way.connect))
    assert told(found) == {CA: [False, None], ONE: [True, True], TWO: [False]}
    assert way.asked == [CA, ONE]


def test_where_nobody_is_heard_there_is_nothing_to_prove() -> None:
    way = Asked({CA: hearing()}, [])
    found = asyncio.run(listen(facts((CA,)), way.connect))
    assert faults(found) == [f"{CA}: mco ping: hears nobody"]
    assert asyncio.run(hear_again(found, way.connect)) == []


def test_whoever_was_heard_and_is_not_any_more_is_not_proven() -> None:
    way = Asked({CA: hearing(CA, "one", TWO)}, [])
    found = asyncio.run(listen(facts(), way.connect))
    way.answers[CA] = hearing(CA, TWO)
    checks = asyncio.run(hear_again(found, way.connect))
    assert [(check.node, check.ok) for check in checks] == [
        *((ONE, False), (TWO, True), (CA, True)),
    ]
    assert checks[0].note == f"not by mco ping on {CA}"
    way.answers[CA] = Result(1, b"", b"")
    (check,) = asyncio.run(hear_again(found, way.connect))
    assert (check.ok, check.note) == (False, f"mco ping on {CA}: fails")
    del way.answers[CA]
    (check,) = asyncio.run(hear_again(found, way.connect))
    assert (check.ok, check.note) == (False, f"{CA}: nobody there")


def test_whoever_comes_back_late_is_waited_for() -> None:
    way = Asked({CA: hearing(CA, "one", TWO)}, [])
    found = asyncio.run(listen(facts(), way.connect))
    answers = [hearing(), hearing(CA), hearing(CA, "one", TWO)]

    async def connect(name: str) -> Transport:
        return Way(name, answers.pop(0))

    checks = asyncio.run(hear_again(found, connect))
    assert all(check.ok for check in checks)
    assert not answers
