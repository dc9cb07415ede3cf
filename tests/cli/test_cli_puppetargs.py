"""Arguments come out as options, action, names, however `puppet cert` took them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseal.cli.puppetargs import ACTIONS, FLAGS, arrange
from reseal.errors import UsageError


@pytest.mark.parametrize(
    ("given_", "arranged"),
    [
        ("list -a", "--all list"),
        ("--all list", "--all list"),
        ("-a list --digest SHA1", "--all --digest=SHA1 list"),
        ("--list", "list"),
        ("-l --all", "--all list"),
        ("--sign a b", "sign -- a b"),
        ("a --sign b", "sign -- a b"),
        ("sign a --allow-dns-alt-names b", "--allow-dns-alt-names sign -- a b"),
        ("-f a", "fingerprint -- a"),
        ("--ssldir=/x list", "--setting=ssldir=/x list"),
        ("list --ssldir /x", "--setting=ssldir=/x list"),
        ("list --config /x/puppet.conf", "--setting=config=/x/puppet.conf list"),
        ("generate --dns-alt-names a,b c", "--setting=dns_alt_names=a,b generate -- c"),
        ("list --vardir /x --logdir=/y", "list"),
        ("clean -- -odd", "clean -- -odd"),
        ("sign --help", "sign --help"),
        ("sign a -h", "sign --help"),
        ("foo bar", "apply -- foo -- bar"),
        ("", ""),
        ("--all", "--all"),
        ("--help", "--help"),
    ],
)
def test_arguments_are_put_in_order(given_: str, arranged: str) -> None:
    assert arrange(given_.split()) == arranged.split()


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ("list --nonsense", "invalid option: --nonsense"),
        ("list --nonsense=1", "invalid option: --nonsense"),
        ("list -x", "invalid option: -x"),
        ("list --digest", "missing argument: --digest"),
        ("list --ssldir", "missing argument: --ssldir"),
    ],
)
def test_what_is_unknown_is_refused_in_puppets_words(words: str, fault: str) -> None:
    with pytest.raises(UsageError, match=fault) as caught:
        arrange(words.split())
    assert str(caught.value) == f"Could not parse application options: {fault}"


@given(st.permutations(["list", "--all", "-H", "web01", "web02"]))
def test_order_does_not_matter_but_for_the_action(words: list[str]) -> None:
    rest = [word for word in words if word.startswith("w")]
    first = next(word for word in words if not word.startswith("-"))
    arranged = arrange(words)
    if first == "list":
        assert arranged[-4:] == ["list", "--", *rest]
    else:
        assert "apply" in arranged
    assert set(arranged) >= {"--all", "--human-readable"}


def test_every_action_and_flag_is_its_own_word() -> None:
    assert not {f"--{action}" for action in ACTIONS} & set(FLAGS)
