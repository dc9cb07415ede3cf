"""The type `notify`.

Sources: Puppet 8, `type/notify.rb`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reseal.agent.resources.model import (
    BadResource,
    Log,
    Name,
    Property,
    Resource,
    text_of,
)


class Notify(Resource):
    """A message in the log of each run."""

    def __init__(self, title: str, parameters: Mapping[str, object], log: Log) -> None:
        """Read what shall be said; BadResource for unknown parameters."""
        super().__init__(Name("Notify", title))
        for name in parameters:
            if name not in ("name", "message", "withpath"):
                raise BadResource(f"no parameter named '{name}'")
        self.message = text_of(parameters.get("message", parameters.get("name", title)))
        self.log = log

    def properties(self) -> Sequence[Property]:
        return [_Message(self)]


class _Message(Property):
    def __init__(self, notify: Notify) -> None:
        super().__init__("message", notify.message)
        self.notify = notify

    def retrieve(self) -> str:
        return "absent"

    def in_sync(self, current: str) -> bool:
        return False

    def sync(self) -> None:
        self.notify.log("notice", "", self.should)

    def told(self, current: str) -> str:
        return f"defined 'message' as '{self.should}'"
