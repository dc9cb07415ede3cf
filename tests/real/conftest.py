"""Real sites for tests: raised once per shape, never more than one for each worker.

    from labsite import PUPPET7, PUPPET8, Site, on_sites

    @on_sites(PUPPET7, PUPPET8)
    def test_something(site: Site) -> None: ...

`site` is a site as `lab up` leaves it: after a test that took it, it is put back
by a snapshot before the next one sees it.  A test that only looks takes
`untouched_site` and spares the next one the wait.  pytest sorts tests by shape,
since the fixture beneath both has the session's scope.

Sources: lab/README.md (snapshot, restore); pytest, "higher-scoped fixtures are
executed first" and the grouping of parametrized tests.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from labsite import EXTENSIONS, Shape, Site, clear_leftovers, lab, raise_site

LIMIT = 1800
"""Seconds a test may take, with the raising of its site on a busy machine."""


@dataclass(slots=True)
class Raised:
    """A site that is up and whether a test may have changed it."""

    site: Site
    changed: bool = False

    def clean(self) -> Site:
        """Return the site as it was when it came up."""
        if self.changed:
            self.site.restore("fresh")
            self.changed = False
        return self.site


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(
    items: list[pytest.Item],
) -> Generator[None, None, None]:
    """Mark everything here as `real`, give it time, and keep a shape together.

    The last is for `pytest -n 2 --dist loadgroup`: each worker has one site, in a
    network of its own.  A wrapper comes before what looks at the marks.
    """
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.real)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(LIMIT))
            if name := _shape_of(item):
                item.add_marker(pytest.mark.xdist_group(name))
    # What takes longest is not to be what a worker does at the end, alone.
    items.sort(key=lambda item: _shape_of(item) != EXTENSIONS.name)
    yield


def _shape_of(item: pytest.Item) -> str:
    """Return the name of the shape of a test's site; empty without one."""
    params = item.callspec.params if hasattr(item, "callspec") else {}
    return str(getattr(params.get("raised"), "name", ""))


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
def untouched_site(raised: Raised) -> Site:
    """A site as `lab up` leaves it, for tests that change nothing on it."""
    return raised.clean()
