"""How long a thousand agents take to enrol again after a regeneration.

Each agent is a process of its own with its key made beforehand; it fetches the new CA
and its lists, sends its request and waits, as `reseal agent` does.  When all wait,
everything is signed, and the clock runs until the last one has its certificate.  Beside
it stands what the signatures alone take, measured on the same machine.

    python bench/enrol.py [AGENTS]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from reseal.agent.acts import Ready
from reseal.agent.enrolment import Enrolment
from reseal.agent.settings import AgentSettings, load_agent_settings
from reseal.clock import SystemClock
from reseal.settings import flavour_for
from reseal.x509 import keys

PORT = 18141
PATIENCE = 1800.0
CONF = """[main]
certname = localhost
ssldir = {root}/server/ssl
cadir = {root}/server/ca
keylength = 4096
"""
TOML = """[listener]
host = "127.0.0.1"
port = {port}
anonymous_rate = 0
connections = 4000
"""


def settings_of(root: Path, number: int) -> AgentSettings:
    """Return the settings of one agent."""
    home = root / "nodes" / str(number)
    told = {
        "confdir": str(home),
        "ssldir": str(home / "ssl"),
        "server": "localhost",
        "serverport": str(PORT),
    }
    name = f"node{number:05}.example.com"
    return load_agent_settings(flavour_for(None), certname=name, overrides=told)


def prepare(root: Path, agents: int) -> None:
    """Make every agent's key, as it has one when it asks."""
    for number in range(agents):
        settings = settings_of(root, number)
        settings.hostprivkey.parent.mkdir(parents=True)
        key = keys.dump_private(keys.generate("ec:secp256r1"))
        settings.hostprivkey.write_bytes(key)


def agent(root: Path, number: int) -> int:
    """Enrol one agent and return the exit code of its process."""
    node = Enrolment(settings_of(root, number), lambda *_: None, SystemClock())
    found = node.until(onetime=False, waitforcert=timedelta(seconds=120))
    return 0 if isinstance(found, Ready) else 1


def start(root: Path, agents: int) -> list[int]:
    """Start every agent and return the processes' ids."""
    pids = []
    for number in range(agents):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                code = agent(root, number)
            finally:
                os._exit(code)
        pids.append(pid)
    return pids


def waiting(root: Path) -> int:
    """Return how many requests wait."""
    return len(list((root / "server/ca/requests").glob("*.pem")))


def until(what: str, done: bool, limit: float) -> bool:
    """Say whether to go on waiting; SystemExit when it takes too long."""
    if time.monotonic() > limit:
        raise SystemExit(f"{what}: took longer than {PATIENCE:g} s")
    return not done


def signatures(count: int) -> float:
    """Return how long the signatures alone take, on one core."""
    signer = keys.LocalSigner(keys.generate("rsa:4096"))
    begun = time.monotonic()
    for _ in range(count):
        signer.sign(b"x" * 900)
    return time.monotonic() - begun


def main(agents: int) -> None:
    """Measure, and print a table."""
    with tempfile.TemporaryDirectory(prefix="reseal-bench-") as name:
        root = Path(name)
        (root / "server").mkdir()
        (root / "server/puppet.conf").write_text(CONF.format(root=root))
        (root / "server/reseal.toml").write_text(TOML.format(port=PORT))
        prepare(root, agents)
        config = ["--config", str(root / "server/puppet.conf")]
        reseal = [sys.executable, "-m", "reseal"]
        log = (root / "log").open("wb")
        server = subprocess.Popen([*reseal, "server", *config], stdout=log, stderr=log)
        try:
            limit = time.monotonic() + PATIENCE
            said = root / "log"
            while until("start", b"Starting Puppet" in said.read_bytes(), limit):
                time.sleep(0.05)
            begun = time.monotonic()
            pids = start(root, agents)
            while until("requests", waiting(root) == agents, limit):
                time.sleep(0.1)
            asked = time.monotonic() - begun
            begun = time.monotonic()
            sign = [*reseal, "cert", "sign", "--all", *config]
            subprocess.run(sign, check=True, stdout=subprocess.DEVNULL)
            signed = time.monotonic() - begun
            codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
            fetched = time.monotonic() - begun
        finally:
            server.terminate()
            server.wait(60)
        print(
            f"{agents} agents, {os.cpu_count()} cores; failed: {sum(map(bool, codes))}"
        )
        print(f"all requests there          {asked:8.1f} s")
        print(f"sign --all                  {signed:8.1f} s")
        print(f"the last has its certificate {fetched:7.1f} s after signing began")
        print(f"signatures alone, one core  {signatures(agents):8.1f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
