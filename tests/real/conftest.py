"""Real sites for tests: raised once per shape, never more than one for each worker.

    from labsite import PUPPET7, PUPPET8, Site, on_sites

    @on_sites(PUPPET7, PUPPET8)
    def test_something(site: Site) -> None: ...

`site` is a site as `lab up` leaves it: after a test that took it, it is put back
by a snapshot before the next one sees it.  A test that only looks takes
`untouched_site` and spares the next one the wait; one that would stop the server first
takes `serverless_site`, and spares itself the start.  pytest sorts tests by shape,
since the fixture beneath both has the session's scope.

Sources: lab/README.md (snapshot, restore); pytest, "higher-scoped fixtures are
executed first" and the grouping of parametrized tests.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from labsite import (
    EXTENSIONS,
    MIXED,
    PUPPET7,
    Shape,
    Site,
    clear_leftovers,
    lab,
    raise_site,
)
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

_LONGEST = {EXTENSIONS.name: 0, MIXED.name: 1, PUPPET7.name: 2}
"""The shapes whose tests take longest, in this order."""

LIMIT = 1800
"""Seconds a test may take, with the raising of its site on a busy machine."""


@dataclass(slots=True)
class Raised:
    """A site that is up and whether a test may have changed it."""

    site: Site
    changed: bool = False

    def clean(self, *, server: bool = True) -> Site:
        """Return the site as it was when it came up, or so but for its server."""
        if self.changed:
            self.site.restore("fresh", server=server)
            self.changed = False
        elif not server:
            self.changed = True
            self.site.on("puppet", f"systemctl stop {self.site.server_unit}")
        return self.site


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything here as `real`, give it time, and begin with what takes longest.

    That is not to be what a worker does at the end, alone.
    """
    here = Path(__file__).parent
    own = [item for item in items if here in item.path.parents]
    for item in own:
        item.add_marker(pytest.mark.real)
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(LIMIT))
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        shape = parameters.get("raised")
        named = _shape_of(item.nodeid)
        assert shape is None or named == shape.name, f"{item}: put on_sites highest"
    items.sort(key=lambda item: _LONGEST.get(_shape_of(item.nodeid), len(_LONGEST)))


class _BySite(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Keeps the tests of a shape with one worker, which has one site at a time."""

    def _split_scope(self, nodeid: str) -> str:
        return _shape_of(nodeid) or nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(
    config: pytest.Config, log: Producer
) -> LoadScopeScheduling:
    """Share tests among the workers of `pytest -n 2 tests/real`, in their order."""
    config.option.loadscopereorder = False
    return _BySite(config, log)


def _shape_of(nodeid: str) -> str:
    """Return the name of a test's shape, the last of its parameters; empty without."""
    parameters = nodeid.partition("[")[2].removesuffix("]")
    return parameters.rpartition("-")[2]


@pytest.fixture(scope="session")
def real_machine() -> None:
    """Hold that the lab can work here; say how it could, if not."""
    if os.geteuid() != 0 or not Path("/etc/debian_version").exists():
        pytest.fail("the lab needs root on Debian: make test-real")
    clear_leftovers()


@pytest.fixture(scope="session")
def raised(real_machine: None, request: pytest.FixtureRequest) -> Iterator[Raised]:
    """Raise the site of the shape given by `on_sites`; take it down at the end."""
    shape: Shape = request.param
    name = f"real{os.getpid()}-{shape.name}"
    try:
        site = raise_site(name, shape)
        site.snapshot("fresh")
        yield Raised(site)
    finally:
        lab(name, "down")


@pytest.fixture
def site(raised: Raised) -> Site:
    """A site as `lab up` leaves it, to be changed at will."""
    clean = raised.clean()
    raised.changed = True
    return clean


@pytest.fixture
def serverless_site(raised: Raised) -> Site:
    """A site as `lab up` leaves it, to be changed at will; its server is stopped."""
    clean = raised.clean(server=False)
    raised.changed = True
    return clean


@pytest.fixture
def untouched_site(raised: Raised) -> Site:
    """A site as `lab up` leaves it, for tests that change nothing on it."""
    return raised.clean()
