"""The compiler as a program: what it is given, what it fails with.

A script stands in for Puppet, for faults and for speed; `tests/real` has the real one.
"""

from __future__ import annotations

import json
import os
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from reseal.errors import CatalogError, UnknownEnvironment
from reseal.primary.compiler import Compiler
from reseal.primary.protocol import Wanted

WEB = "web01.example.com"
CONFIG = """
if [ "$1" = config ]; then
    echo "x" >>"$LOG"
    echo "modulepath = $CODE/environments/$6/modules:/usr/share/puppet/modules"
    echo "node_terminus = exec"
    echo "environmentpath = $CODE/environments"
    exit 0
fi
while [ "$1" != --vardir ]; do shift; done
vardir=$2
"""


class Puppet:
    """A script in the place of Puppet."""

    def __init__(self, root: Path) -> None:
        self.root, self.program = root, root / "puppet"
        (root / "code/environments/production").mkdir(parents=True)

    def does(self, script: str) -> Compiler:
        head = f"#!/bin/sh\nCODE={self.root}/code LOG={self.root}/log\n"
        self.program.write_text(f"{head}{CONFIG}{script}\n")
        self.program.chmod(0o755)
        return Compiler(
            str(self.program),
            self.root / "conf",
            self.root / "code",
            timedelta(seconds=2),
            1,
        )

    def told(self, name: str) -> str:
        return (self.root / name).read_text()


@pytest.fixture
def puppet(tmp_path: Path) -> Puppet:
    return Puppet(tmp_path)


def wanted(**facts: object) -> Wanted:
    document = {"name": WEB, "values": facts, "timestamp": "2026-01-01T00:00:00Z"}
    return Wanted(WEB, "production", document, {"pp_role": "web"})


def test_the_compiler_is_told_facts_and_what_is_trusted(puppet: Puppet) -> None:
    script = f"""
cp $vardir/yaml/facts/{WEB}.yaml $vardir/trusted.json {puppet.root}
cp $vardir/lib/puppet/indirector/node/reseal.rb {puppet.root}
echo "Notice: compiled"; echo '{{"name":"x"}}'"""
    compiler = puppet.does(script)
    assert compiler.catalog(wanted(demo="1e3")) == b'{"name":"x"}'
    facts = puppet.told(f"{WEB}.yaml")
    assert facts.startswith("--- !ruby/object:Puppet::Node::Facts\n{")
    assert json.loads(facts.partition("\n")[2])["values"] == {"demo": "1e3"}
    trusted = json.loads(puppet.told("trusted.json"))
    assert trusted["extensions"] == {"pp_role": "web"}
    assert trusted["terminus"] == "exec"
    assert "class Puppet::Node::Reseal" in puppet.told("reseal.rb")


def test_hostile_facts_stay_values(puppet: Puppet) -> None:
    compiler = puppet.does(
        f"cp $vardir/yaml/facts/{WEB}.yaml {puppet.root}; echo '{{}}'"
    )
    hostile = '"} \n--- !ruby/object:Gem::Installer\n\x7f\x85\u2028\ufeff\ud83d\ude00'
    compiler.catalog(wanted(demo=hostile, **{"!ruby/object:Kernel": "$(reboot)"}))
    text = puppet.told(f"{WEB}.yaml")
    assert len(text.splitlines()) == 2
    assert text.count("\n") == 2
    assert json.loads(text.partition("\n")[2])["values"]["demo"][:5] == '"} \n-'


def test_nothing_of_a_compilation_stays(puppet: Puppet, tmp_path: Path) -> None:
    compiler = puppet.does(f"echo $vardir >{puppet.root}/where; echo '{{}}'")
    compiler.catalog(wanted())
    assert not Path(puppet.told("where").strip()).exists()


@pytest.mark.parametrize(
    ("sentence", "script", "said"),
    [
        (
            "the first error is told",
            "echo 'Error: Evaluation Error: no' >&2; echo 'Error: Try' >&2; exit 1",
            "^Evaluation Error: no$",
        ),
        ("a failure without a word", "exit 1", "failed without a word"),
        ("no catalog", "echo hello", "printed no catalog"),
        ("too long", "sleep 60 & sleep 60", "took longer than 2 s"),
    ],
)
def test_what_a_compiler_fails_with(
    puppet: Puppet, sentence: str, script: str, said: str
) -> None:
    with pytest.raises(CatalogError, match=said):
        puppet.does(script).catalog(wanted())


def test_a_compiler_that_is_not_there(puppet: Puppet) -> None:
    compiler = puppet.does("exit 0")
    puppet.program.unlink()
    with pytest.raises(CatalogError, match="cannot be run") as caught:
        compiler.catalog(wanted())
    assert "Puppet 6 or later" in str(caught.value.hint)


def test_a_compiler_that_is_too_slow_ends_with_its_children(puppet: Puppet) -> None:
    compiler = puppet.does(f"sleep 60 & echo $! >{puppet.root}/pid; sleep 60")
    with pytest.raises(CatalogError):
        compiler.catalog(wanted())
    pid = int(puppet.told("pid"))
    limit = time.monotonic() + 5
    while Path(f"/proc/{pid}/stat").exists() and time.monotonic() < limit:
        if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
            break
        time.sleep(0.02)
    else:
        assert not Path(f"/proc/{pid}").exists()


def test_only_so_many_compile_at_once(puppet: Puppet) -> None:
    script = f"test -e {puppet.root}/busy && exit 1; touch {puppet.root}/busy"
    compiler = puppet.does(f"{script}; sleep 0.2; rm {puppet.root}/busy; echo '{{}}'")
    done: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: done.append(compiler.catalog(wanted())))
        for _ in range(4)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join(20)
    assert done == [b"{}"] * 4


def test_an_environment_that_is_not_there(puppet: Puppet) -> None:
    compiler = puppet.does("exit 0")
    with pytest.raises(UnknownEnvironment, match="Could not find environment 'nosuch'"):
        compiler.modulepath("nosuch")
    assert compiler.environments() == ("production",)


def test_settings_are_asked_for_once_until_a_file_changes(puppet: Puppet) -> None:
    compiler = puppet.does("exit 0")
    own = puppet.root / "code/environments/production/modules"
    for _ in range(3):
        assert compiler.modulepath("production")[0] == own
    assert len(puppet.told("log").splitlines()) == 1
    (own.parent / "environment.conf").write_text("modulepath = x\n")
    compiler.modulepath("production")
    assert len(puppet.told("log").splitlines()) == 2


def test_a_name_that_looks_like_an_option_is_none(puppet: Puppet) -> None:
    compiler = puppet.does("echo '{}'")
    with pytest.raises(CatalogError, match="taken for an option"):
        compiler.catalog(Wanted("--help", "production"))


def test_secrets_of_the_environment_do_not_reach_the_compiler(
    puppet: Puppet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "SECRET", "x")
    compiler = puppet.does(f"env >{puppet.root}/env; echo '{{}}'")
    compiler.catalog(wanted())
    assert "SECRET" not in puppet.told("env")
