"""The options of `reseal cert`, all of which every verb takes, as `puppet cert` does.

Sources: Puppet 5.5, `application/cert.rb`.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer


def _flag(*names: str, help: str) -> Any:
    return typer.Option(*names, help=help)


Every = Annotated[bool, _flag("--all", "-a", help="Every one.")]
Signed = Annotated[bool, _flag("--signed", "-s", help="List certificates only.")]
AltNames = Annotated[
    bool, _flag("--allow-dns-alt-names", help="Sign further names too.")
]
Authorization = Annotated[
    bool, _flag("--allow-authorization-extensions", help="Sign pp_auth_role and such.")
]
Human = Annotated[bool, _flag("--human-readable", "-H", help="List in blocks.")]
Machine = Annotated[
    bool, _flag("--machine-readable", "-m", help="List without padding.")
]
Ask = Annotated[bool, _flag("--interactive", "-i", help="Ask before signing.")]
Yes = Annotated[bool, _flag("--assume-yes", "-y", help="Answer yes.")]
Digest = Annotated[
    str, typer.Option("--digest", metavar="DIGEST", help="For fingerprints.")
]
Verbose = Annotated[bool, _flag("--verbose", "-v", help="Say more.")]
Debug = Annotated[bool, _flag("--debug", "-d", help="As --verbose.")]
Json = Annotated[bool, _flag("--json", help="Results as JSON.")]
Setting = Annotated[list[str] | None, typer.Option(hidden=True)]
