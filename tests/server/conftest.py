"""Where a server's files are."""

from __future__ import annotations

from pathlib import Path

import pytest
from serverconf import Place, place_in


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return place_in(tmp_path)
