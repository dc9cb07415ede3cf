"""Hand the command line to `reseal.cli` and exit with what it returns."""

from __future__ import annotations

import sys
from importlib import import_module


def main() -> None:
    """Run reseal as a program.

    A deed of `reseal site` on this node does not load the library of the command line.
    """
    match sys.argv[1:]:
        case ["node", verb, "--", *args] if not verb.startswith("-"):
            sys.exit(import_module("reseal.cli.deed").deed(verb, args))
        case words:
            sys.exit(import_module("reseal.cli.main").main(words))


if __name__ == "__main__":
    main()
