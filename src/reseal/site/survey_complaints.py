"""Whether the agent of a node can be asked at all.

Sources: `node/survey_agent.sh`; docs/reference/node.md (the contract).
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from reseal.site.facts import Fault
from reseal.site.survey_script import Sections

CONTRACT = '{"contract": 3}'
"""What a reseal says that does what we ask as we ask it (`reseal node contract`)."""


def complaints(sections: Sections) -> list[Fault]:
    """Return faults of Puppet itself: not there, or not able to tell its settings."""
    if not sections.text("puppet"):
        hint = "install an agent, or take the node out of the site file"
        return [Fault("fault", "puppet: is not installed, nor is reseal", hint)]
    if sections.has("config-error"):
        last = (sections.lines("config-error") or ("no answer",))[-1]
        program = posixpath.basename(sections.text("puppet"))
        hint = f"run there: {program} config print --section agent"
        return [Fault("fault", f"{program} config print: fails: {last}", hint)]
    if sections.has("contract"):
        return list(_strangeness(sections))
    if not sections.text("ruby"):
        hint = "reseal uses the Ruby that Puppet runs on; put it on root's PATH"
        return [Fault("fault", "ruby: is not found", hint)]
    return []


def _strangeness(sections: Sections) -> Iterator[Fault]:
    """Find a reseal on the node that we cannot work with."""
    told = sections.text("contract")
    if told != CONTRACT:
        message = f"reseal {sections.text('version')}: does not speak our contract"
        remedy = f"install the reseal there that is here; it answers: {told[:80]}"
        yield Fault("fault", message, remedy)
