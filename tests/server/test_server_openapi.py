"""The OpenAPI document has every route and no other.

That every answer is one of the document is held in test_server_differential.py.
"""

from __future__ import annotations

import pytest
from openapi import Operation, operations
from serverscene import Scene

from reseal.server.autosign import Autosign
from reseal.server.handlers import routes
from reseal.server.statuses import Statuses


def samples(operation: Operation) -> str:
    """Return a path of the operation."""
    return operation.template.replace("{", "").replace("}", "")


def test_every_route_is_an_operation(scene: Scene) -> None:
    table = routes(Autosign(scene.options), Statuses(scene.office))
    paths = [(each.method, samples(each)) for each in operations()]
    for route in table:
        assert any(
            method == route.method and route.pattern.fullmatch(path)
            for method, path in paths
        ), route


@pytest.mark.parametrize(
    "operation", operations(), ids=lambda each: f"{each.method} {each.template}"
)
def test_every_operation_is_a_route(scene: Scene, operation: Operation) -> None:
    table = routes(Autosign(scene.options), Statuses(scene.office))
    assert [
        route
        for route in table
        if route.method == operation.method
        and route.pattern.fullmatch(samples(operation))
    ]


def test_an_answer_that_is_not_documented_is_found() -> None:
    operation = next(each for each in operations() if "expirations" in each.template)
    assert operation.fault(200, "application/json") is None
    assert operation.fault(200, "application/json;charset=utf-8") is None
    assert "200 with text/plain" in str(operation.fault(200, "text/plain"))
    assert "418 is not documented" in str(operation.fault(418, "text/plain"))
