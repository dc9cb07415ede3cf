"""A site's own names for OIDs are read, and nothing is guessed."""

from __future__ import annotations

import pytest

from reseal.errors import SettingsError
from reseal.x509.oidmapping import read_oid_mapping

GOOD = """\
---
# our own
oid_mapping:
  1.3.6.1.4.1.34380.1.2.1.1:
    shortname: 'myshortname'
    longname: "My Long Name"   # for people
  "1.3.6.1.4.1.34380.1.2.1.2":
    longname: Other name
    shortname: other
"""


def test_short_names_stand_for_oids() -> None:
    assert read_oid_mapping(GOOD, "f") == {
        "myshortname": "1.3.6.1.4.1.34380.1.2.1.1",
        "other": "1.3.6.1.4.1.34380.1.2.1.2",
    }


@pytest.mark.parametrize("text", ["", "---\n", "oid_mapping:\n", "# nothing\n"])
def test_a_file_may_name_nothing(text: str) -> None:
    assert read_oid_mapping(text, "f") == {}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("mapping:\n", "line 1: mapping is not the mapping oid_mapping"),
        ("oid_mapping: {}\n", "line 1: is not `name: value`"),
        ("oid_mapping:\n  web:\n", "line 2: web is not a dotted OID"),
        ("oid_mapping:\n  1.2.3: web\n", "line 2: 1.2.3 has no mapping of names"),
        (
            "oid_mapping:\n  1.2.3:\n    shortname: a\n",
            "line 2: 1.2.3 has no longname",
        ),
        ("oid_mapping:\n  1.2.3:\n", "line 2: 1.2.3 has no shortname and no longname"),
        (
            "oid_mapping:\n  1.2.3:\n    name: a\n",
            "line 3: name is not one of shortname and longname",
        ),
        (
            "oid_mapping:\n    1.2.3:\n   1.2.4:\n",
            "line 3: is indented unlike the lines before",
        ),
        ("oid_mapping:\n  - 1.2.3\n", "line 2: is not `name: value`"),
        (
            GOOD + "  1.2.3:\n    shortname: other\n    longname: x\n",
            "line 10: other stands here twice",
        ),
    ],
)
def test_what_is_refused(text: str, fault: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_oid_mapping(text, "f")
    assert any(each.startswith(fault) for each in caught.value.faults)
    assert "f: " in str(caught.value)


def test_every_fault_is_told() -> None:
    text = "oid_mapping:\n  web:\n  1.2.3:\n    shortname: [a]\n"
    with pytest.raises(SettingsError) as caught:
        read_oid_mapping(text, "f")
    assert caught.value.faults == (
        "line 2: web is not a dotted OID",
        "line 4: is not `name: value`",
        "line 3: 1.2.3 has no shortname and no longname",
    )
