"""`reseal node VERB -- ARG...`, as a run has it done hundreds of times on its nodes.

Guarantee: the answer, the errors and the exit codes are those of the whole program.
The library of the command line, which takes longer to load than a deed takes, is not.

Sources: docs/reference/node.md.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from reseal.cli.exits import DONE, INTERRUPTED, exit_code
from reseal.cli.output import print_error
from reseal.errors import ResealError
from reseal.node.verbs import carry_out


def deed(verb: str, args: Sequence[str]) -> int:
    """Carry out a verb, print its answer and return the exit code."""
    try:
        print(json.dumps(carry_out(verb, args, sys.stdin.buffer.read)))
    except ResealError as error:
        print_error(error)
        return exit_code(error)
    except KeyboardInterrupt:
        print("reseal: error: interrupted", file=sys.stderr)
        return INTERRUPTED
    return DONE
