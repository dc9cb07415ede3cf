"""The arguments of `puppet cert`, put in the order that `reseal cert` has them.

`puppet cert` takes every option before and after its action, knows most actions as
options too (`puppet cert --list`), and ignores options that an action has no use
for.  Old scripts use all of that.

Guarantee: what comes out is options, then one action, then names.

Sources: Puppet 5.5, `application/cert.rb`; transcript `usage.txt`.
"""

from __future__ import annotations

from collections.abc import Sequence

from reseal.errors import UsageError

FLAGS = (
    "--all",
    "--signed",
    "--allow-dns-alt-names",
    "--allow-authorization-extensions",
    "--human-readable",
    "--machine-readable",
    "--interactive",
    "--assume-yes",
    "--verbose",
    "--debug",
    "--json",
)
SETTINGS = (
    "ca_name",
    "ca_port",
    "ca_server",
    "ca_ttl",
    "cadir",
    "certname",
    "confdir",
    "csr_attributes",
    "dns_alt_names",
    "hostcert",
    "hostcrl",
    "hostprivkey",
    "keylength",
    "localcacert",
    "server",
    "ssldir",
)
"""Puppet's settings that may be given as options, as `--ssldir DIR`."""

VALUES = ("--digest", "--color")
IGNORED = ("--vardir", "--logdir", "--rundir", "--codedir")
"""Settings of Puppet that are accepted, for scripts, and have no effect."""

ACTIONS = (
    *("list", "sign", "clean", "revoke", "generate"),
    *("print", "verify", "fingerprint", "reinventory"),
)
_SHORT = {
    "-a": "--all",
    "-s": "--signed",
    "-H": "--human-readable",
    "-m": "--machine-readable",
    "-i": "--interactive",
    "-y": "--assume-yes",
    "-v": "--verbose",
    "-d": "--debug",
    "-h": "--help",
}
_SHORT_ACTIONS = {
    "-l": "list",
    "-c": "clean",
    "-r": "revoke",
    "-g": "generate",
    "-p": "print",
    "-f": "fingerprint",
}
_OTHER_SPELLINGS = {
    "--dns-alt-names": "--dns_alt_names",
    "--ca-server": "--ca_server",
}


def arrange(args: Sequence[str]) -> list[str]:
    """Return the arguments as options, action, names.

    Raises:
        UsageError: An option is unknown or lacks its value; in Puppet's words.
    """
    options: list[str] = []
    words: list[str] = []
    action: str | None = None
    rest = list(args)
    while rest:
        word = rest.pop(0)
        if word == "--":
            words += rest
            break
        if not word.startswith("-") or word == "-":
            words.append(word)
            continue
        name, equals, value = _long(word).partition("=")
        if found := _action(name):
            action = found
        elif name in FLAGS or (name == "--help" and not equals):
            options.append(name)
        else:
            options += _with_value(name, value if equals else None, rest)
    if action is None and words:
        action = words.pop(0)
    return _ordered(options, action, words)


def _ordered(options: list[str], action: str | None, words: list[str]) -> list[str]:
    if "--help" in options and action in ACTIONS:
        return [str(action), "--help"]
    if action is None:
        return options
    known = [action] if action in ACTIONS else ["apply", "--", action]
    return [*options, *known, *(["--", *words] if words else [])]


def _long(word: str) -> str:
    name, equals, value = word.partition("=")
    name = _SHORT.get(name, _OTHER_SPELLINGS.get(name, name))
    return f"{name}{equals}{value}"


def _action(name: str) -> str | None:
    if name in _SHORT_ACTIONS:
        return _SHORT_ACTIONS[name]
    return name[2:] if name.startswith("--") and name[2:] in ACTIONS else None


def _with_value(name: str, value: str | None, rest: list[str]) -> list[str]:
    """Return an option and its value, which may be the next word."""
    setting = name.removeprefix("--")
    if name not in (*VALUES, *IGNORED) and setting not in (*SETTINGS, "config"):
        fault = f"invalid option: {name}"
        raise UsageError(f"Could not parse application options: {fault}")
    if value is None:
        if not rest:
            fault = f"missing argument: {name}"
            raise UsageError(f"Could not parse application options: {fault}")
        value = rest.pop(0)
    if name in IGNORED:
        return []
    return [f"{name}={value}" if name in VALUES else f"--setting={setting}={value}"]
