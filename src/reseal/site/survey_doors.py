"""Do services answer today?  What does not work before a run is told before it.

Guarantee: a service is asked as its node, with the node's own certificate, and what
is asked changes nothing.

Sources: docs/reference/extensions.md.
"""

from __future__ import annotations

from reseal.errors import ResealError
from reseal.site.extension_steps import fault_of_door, is_answering
from reseal.site.facts import Fault, NodeFacts
from reseal.site.target import UNREADABLE, Target
from reseal.site.transport import Transport

_REMEDY = "put it right first, or a run ends there without proof"


async def closed_doors(node: NodeFacts, transport: Transport) -> list[Fault]:
    """Return a warning for every service that runs and does not answer as it should."""
    at, faults = Target(node, transport, ""), []
    for extension in filter(is_answering, node.extensions):
        try:
            fault = await fault_of_door(at, extension.door)
        except ResealError as error:
            fault = str(error)
        except UNREADABLE:
            fault = "what was seen cannot be read"
        if fault is not None:
            message = f"{extension.title}: does not answer as it should: {fault}"
            faults.append(Fault("warning", message, _REMEDY))
    return faults
