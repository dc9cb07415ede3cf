"""Bring one resource into the state it shall have, and tell what was done.

Guarantee: with `noop` nothing is changed; a failure ends the resource and is told
once as what went wrong and once as what it went wrong with.

Sources: Puppet, `transaction/resource_harness.rb` (`perform_changes`, messages).
"""

from __future__ import annotations

from reseal.agent.resources.model import (
    ABSENT,
    Event,
    Log,
    Property,
    Resource,
    ResourceFailed,
)


def apply(resource: Resource, path: str, log: Log, *, noop: bool) -> list[Event]:
    """Return what happened to a resource.

    Args:
        resource: What shall be.
        path: How its place in the catalog is told: `/Stage[main]/Main/File[x]`.
        log: Takes what is told.
        noop: Tell only what would be done.
    """
    events: list[Event] = []
    properties = list(resource.properties())
    first = properties[0] if properties and properties[0].name == "ensure" else None
    if first is not None:
        event, current = _brought(first, path, log, noop=noop)
        if event is not None:
            return [event]
        if current == ABSENT:
            return []
    for each in properties[1:] if first is not None else properties:
        event, _ = _brought(each, path, log, noop=noop)
        if event is not None:
            events.append(event)
            if event.status == "failure":
                break
    return events


def failed(events: list[Event]) -> bool:
    """Say whether something went wrong."""
    return any(each.status == "failure" for each in events)


def _brought(
    each: Property, path: str, log: Log, *, noop: bool
) -> tuple[Event | None, str]:
    """Return what happened to a property, None if nothing had to, and its old value."""
    try:
        current = each.retrieve()
        if each.in_sync(current):
            return None, current
    except ResourceFailed as error:
        text = f"Could not evaluate: {error}"
        log("err", path, text)
        return Event(each.name, "", each.should, text, "failure"), ""
    source = f"{path}/{each.name}"
    if details := each.details(current):
        log("notice", source, f"\n{details}")
    if noop:
        message = f"{each.told(current)} (noop)"
        log("notice", source, message)
        return Event(each.name, current, each.should, message, "noop"), current
    try:
        each.sync()
    except ResourceFailed as error:
        message = f"{each.failed(current)}: {error}"
        log("err", "", str(error))
        log("err", source, message)
        return Event(each.name, current, each.should, message, "failure"), current
    message = each.told(current)
    log("notice", source, message)
    return Event(each.name, current, each.should, message, "success"), current
