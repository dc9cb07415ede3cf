"""Fuzz the request parser and the rules: nothing but the errors they promise.

Run: python fuzz/request_parser.py -max_total_time=60
"""

from __future__ import annotations

import atheris

with atheris.instrument_imports(include=["reseal"]):
    from common import NAME, fuzz, mutate_pem, seeds, signed_again

    from reseal.ca.policy import admit, judge
    from reseal.ca.rules import Rules
    from reseal.errors import InvalidRequest, ParseError, PolicyError
    from reseal.x509 import pem
    from reseal.x509.csr import LABEL, Request, parse_request

RULES = (Rules(), Rules(ruby=True), Rules(allow_subject_alt_names=True))


def one(data: bytes) -> None:
    """Read a request, as it is and signed anew, and judge it."""
    try:
        request = parse_request(data)
        consider(request)
        again = pem.encode(LABEL, signed_again(request.der))
        consider(parse_request(again))
    except (InvalidRequest, ParseError):
        return


def consider(request: Request) -> None:
    """Judge a request by several sets of rules, for its own name and another."""
    for rules in RULES:
        for name in (NAME, request.certname):
            try:
                admit(request, name, rules)
                approved = judge(request, name, rules)
            except PolicyError:
                continue
            assert approved.certname == name


if __name__ == "__main__":
    fuzz(one, seeds(), mutate_pem)
