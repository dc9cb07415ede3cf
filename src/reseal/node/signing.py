"""Ask the running server on this host to sign, with the host's certificate.

Sources: `site/node/ca_api.rb`, which does the same; Puppet Server, `PUT
/puppet-ca/v1/certificate_status/NAME`.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from reseal.node.probe import context_for

LIMIT = 60.0
"""Seconds to wait for an answer."""


def sign_requests(
    way: Mapping[str, Any], names: Sequence[str]
) -> dict[str, dict[str, object]]:
    """Ask for each of these certnames' requests to be signed.

    Each has a connection of its own: over TLS 1.3 a kept one of Puppet Server stalls.

    Args:
        way: As a probe's: `host`, `port`, `certificate`, `key`, `bundle`, `crls`.
        names: Certnames.

    Returns:
        Status and body of each answer; status 0 with the error when there was none.
    """
    return {name: _sign(way, name) for name in names}


def _sign(way: Mapping[str, Any], name: str) -> dict[str, object]:
    try:
        context = context_for(way)
        connection = http.client.HTTPSConnection(
            way["host"], way["port"], timeout=LIMIT, context=context
        )
        try:
            connection.request(
                "PUT",
                f"/puppet-ca/v1/certificate_status/{quote(name, safe='')}",
                json.dumps({"desired_state": "signed"}),
                {"Content-Type": "application/json", "Accept": "application/json"},
            )
            response = connection.getresponse()
            body = response.read().decode(errors="replace")
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as error:
        return {"status": 0, "body": f"{type(error).__name__}: {error}"}
    return {"status": response.status, "body": body}
