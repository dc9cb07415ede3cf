r"""Names of nodes.

Guarantee: a `Certname` is safe as a file name and is one that Puppet's agents can
have: printable ASCII without `/`, lower case, no path segment of dots, not too long.

Sources: Puppet, `ssl/base.rb` (VALID_CERTNAME, `\A[ -.0-~]+\Z`); Puppet Server,
`certificate_authority.clj` (`validate-subject!`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reseal.errors import InvalidCertname

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

_VALID = re.compile(r"[ -.0-~]+", re.ASCII)
LONGEST = 251
"""Characters of the longest name that a file `NAME.pem` can have."""

_HINT = "certnames are printable ASCII in lower case, without / and *"


class Certname(str):
    """A node's name in a certificate, checked once when it is made.

    Raises:
        InvalidCertname: Puppet does not allow the name, or it is no file name.
    """

    __slots__ = ()

    def __new__(cls, name: str) -> Certname:
        if not _VALID.fullmatch(name) or name.strip(".") == "":
            raise InvalidCertname(f"{name!r}: not a certname", hint=_HINT)
        if len(name) > LONGEST:
            text = f"{name[:20]}…: has more than {LONGEST} characters"
            raise InvalidCertname(text, hint=_HINT)
        if name != name.lower():
            raise InvalidCertname(f"{name!r}: has upper-case letters", hint=_HINT)
        if "*" in name:
            raise InvalidCertname(f"{name!r}: has a wildcard", hint=_HINT)
        return super().__new__(cls, name)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Let files that hold certnames be read with the same check."""
        from pydantic_core import core_schema  # whoever asks has loaded it

        text = core_schema.str_schema()
        return core_schema.no_info_after_validator_function(cls, text)
