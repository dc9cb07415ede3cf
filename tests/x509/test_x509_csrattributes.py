"""csr_attributes.yaml: what Puppet would ask for, or an error with its line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from x509_world import calmly

from reseal.errors import SettingsError
from reseal.x509 import certexts, oids
from reseal.x509.csrattributes import CsrAttributes, read_csr_attributes

SAMPLE = """\
---
# What this node is.
custom_attributes:
    1.2.840.113549.1.9.7: 342thbjkt82094y0uthhor289jnqthpc2290   # the password
extension_requests:
  pp_uuid: ED803750-E3C7-44F5-BB08-41A04433FE2E
  pp_image_name: "my: \\"ami\\" # one"
  'pp_role': it's#here

  "1.3.6.1.4.1.34380.1.2.1": 'don''t'
  pp_zone: yes
  pp_cost_center: 42
  pp_network: http://example.com/
  pp_service: -x
  pp_region:
"""

EXTENSIONS = {
    "pp_uuid": "ED803750-E3C7-44F5-BB08-41A04433FE2E",
    "pp_image_name": 'my: "ami" # one',
    "pp_role": "it's#here",
    "1.3.6.1.4.1.34380.1.2.1": "don't",
    "pp_zone": "true",
    "pp_cost_center": "42",
    "pp_network": "http://example.com/",
    "pp_service": "-x",
    "pp_region": "",
}

plain = st.from_regex(r"[A-Za-z_][A-Za-z0-9_./ -]*[A-Za-z0-9]", fullmatch=True)
quotable = st.text(st.characters(min_codepoint=32, max_codepoint=0xFFFF, codec="utf-8"))
WORDS = {"true", "false", "yes", "no", "on", "off", "null"}


def values(text: str) -> dict[str, str]:
    found = read_csr_attributes(text, "csr_attributes.yaml")
    return {each.name: certexts.read_text(each.value) for each in found.extensions}


def one(written: str) -> str:
    return f"extension_requests:\n  pp_role: {written}\n"


def test_a_file_is_read_in_its_order() -> None:
    found = read_csr_attributes(SAMPLE, "csr_attributes.yaml")
    assert found.attributes == (
        (oids.CHALLENGE, "342thbjkt82094y0uthhor289jnqthpc2290"),
    )
    assert list(values(SAMPLE).items()) == list(EXTENSIONS.items())


@pytest.mark.parametrize(
    "text",
    [
        *("", "---\n", "# nothing\n", "--- {}\n", "{}\n"),
        "custom_attributes:\nextension_requests: {}\n",
        "custom_attributes: ~\n",
    ],
)
def test_empty_files_ask_for_nothing(text: str) -> None:
    assert read_csr_attributes(text, "x") == CsrAttributes()


@calmly
@given(plain.filter(lambda text: text.lower() not in WORDS))
def test_plain_text_is_itself(text: str) -> None:
    assert values(one(text)) == {"pp_role": text}


@calmly
@given(quotable.filter(lambda text: text.splitlines() in ([], [text])))
def test_quoted_text_is_itself(text: str) -> None:
    single = "'" + text.replace("'", "''") + "'"
    double = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    assert values(one(single)) == values(one(double)) == {"pp_role": text}


@pytest.mark.parametrize(
    "written",
    [
        *("[a, b]", "{a: b}", "&a", "*a", "!x y", "|", ">", "%x", "@x", "`x`"),
        *("0123", "0x1F", "1_000", "1.50", "1.", ".5", "+1", "1e3", "1:30", ".inf"),
        *("2026-01-01 10:00:00", "a: b", "a:", '"\\x41"', "'a' b", "- a", "? a"),
    ],
)
def test_what_yaml_would_change_is_refused(written: str) -> None:
    with pytest.raises(SettingsError, match=r"csr_attributes\.yaml: line 2: "):
        values(one(written))


@pytest.mark.parametrize("written", ["42", "-7", "1.5", "1.2.3", "2026-01-01", "0"])
def test_numbers_whose_text_stays_are_taken(written: str) -> None:
    assert values(one(written)) == {"pp_role": written}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("other:\n  a: b\n", "line 1: unexpected attribute 'other'"),
        ("custom_attributes: text\n", "line 1: custom_attributes is not a mapping"),
        (one("a").replace("pp_role", "pp_nothing"), "line 2: 'pp_nothing' is not"),
        (one("a").replace("pp_role", "subjectAltName"), "conflicts with one used"),
        (one("a").replace("pp_role", "2.5.29.17"), "conflicts with one used"),
        ("custom_attributes:\n  extReq: a\n", "CSR attribute extReq conflicts"),
        (one("a") + "    pp_zone: b\n", "line 3: is indented unlike"),
        ("  pp_zone: b\n", "line 1: is indented unlike"),
        (one("a") + "  - b\n", "line 3: is not `name: value`"),
        ("text\n", "line 1: is not `name: value`"),
    ],
)
def test_faults_name_their_line(text: str, fault: str) -> None:
    with pytest.raises(SettingsError, match=fault):
        values(text)


def test_every_fault_is_listed_at_once() -> None:
    text = "other:\n  x: y\nextension_requests:\n  foo: a\n  pp_role: [a]\n"
    with pytest.raises(SettingsError) as caught:
        values(text)
    lines = [fault.split(":")[0] for fault in caught.value.faults]
    assert lines == ["line 1", "line 4", "line 5"]


def test_a_site_may_have_names_of_its_own() -> None:
    own = {"rack": f"{oids.PRIVATE}.5"}
    text = one("a").replace("pp_role", "rack")
    found = read_csr_attributes(text, "x", own)
    assert found.extensions == (certexts.text_extension(f"{oids.PRIVATE}.5", "a"),)


@calmly
@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = read_csr_attributes(text, "x")
    except SettingsError:
        return
    assert isinstance(found, CsrAttributes)
