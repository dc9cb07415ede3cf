"""What a resource is to whoever applies it: properties with a state and a wanted one.

Sources: Puppet, `type.rb`, `property.rb` (retrieve, insync?, sync, change_to_s).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from reseal.errors import ResealError

Level = Literal["debug", "info", "notice", "warning", "err", "hint"]
Log = Callable[[Level, str, str], None]
"""Takes level, source (empty for the program itself) and message."""

ABSENT = "absent"


class ResourceFailed(ResealError):
    """A resource could not be looked at or changed."""


class BadResource(ResealError):
    """A resource makes no sense: an unknown parameter, a value there is not."""


class UnusableProvider(BadResource):
    """A provider is known, and not of this host."""


@dataclass(frozen=True, slots=True)
class Name:
    """A resource's type, capitalised, and title."""

    kind: str
    title: str

    def __str__(self) -> str:
        return f"{self.kind}[{self.title}]"


class Property(ABC):
    """One property of a resource that shall have a value.

    Attributes:
        name: Of the property.
        should: The value it shall have, as people read it.
    """

    def __init__(self, name: str, should: str) -> None:
        self.name, self.should = name, should

    @abstractmethod
    def retrieve(self) -> str:
        """Return the value it has; ResourceFailed if that cannot be told."""

    def in_sync(self, current: str) -> bool:
        """Say whether a value is the one it shall have."""
        return current == self.should

    @abstractmethod
    def sync(self) -> None:
        """Give it the value it shall have; ResourceFailed."""

    def told(self, current: str) -> str:
        """Return what a change from a value is called."""
        return f"{self.name} changed '{current}' to '{self.should}'"

    def failed(self, current: str) -> str:
        """Return what a change that failed is called."""
        return f"change from '{current}' to '{self.should}' failed"

    def details(self, current: str) -> str:
        """Return what is shown before a change, a diff for one; nothing by default."""
        return ""


class Resource(ABC):
    """A resource that can be applied.

    Attributes:
        name: Its reference.
    """

    def __init__(self, name: Name) -> None:
        self.name = name

    @abstractmethod
    def properties(self) -> Sequence[Property]:
        """Return what shall have values; `ensure` first.

        `ensure` brings the others with it when it changes.
        """

    def skipped(self) -> str:
        """Return why it need not be looked at; nothing if it must be."""
        return ""

    def refresh(self) -> str:
        """Do what another's change calls for, and return what it is called.

        Nothing for a type that does nothing then; ResourceFailed.
        """
        return ""


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a property.

    Attributes:
        name: Of the property; `refresh` and the like are no property's.
        before: The value that was there.
        wanted: The value there shall be.
        message: As it is told.
        status: What came of it.
    """

    name: str
    before: str
    wanted: str
    message: str
    status: Literal["success", "failure", "noop"]


def text_of(value: object) -> str:
    """Return a value as Puppet's types have it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def truth_of(value: object) -> bool:
    """Return whether a parameter says yes."""
    return text_of(value).lower() in ("true", "yes")
