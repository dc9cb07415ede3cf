"""Users and groups by name and number.

Sources: Puppet 8, `util/posix.rb`, `provider/file/posix.rb` (messages).
"""

from __future__ import annotations

import grp
import pwd

from reseal.agent.resources.model import ResourceFailed


def user_id(told: str) -> int:
    """Return the number of a user; ResourceFailed for one there is not."""
    if told.isdigit():
        return int(told)
    try:
        return pwd.getpwnam(told).pw_uid
    except KeyError:
        raise ResourceFailed(f"Could not find user {told}") from None


def group_id(told: str) -> int:
    """Return the number of a group; ResourceFailed for one there is not."""
    if told.isdigit():
        return int(told)
    try:
        return grp.getgrnam(told).gr_gid
    except KeyError:
        raise ResourceFailed(f"Could not find group {told}") from None


def user_name(number: int) -> str:
    """Return the name of a user, or the number of one that has none."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def group_name(number: int) -> str:
    """Return the name of a group, or the number of one that has none."""
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
