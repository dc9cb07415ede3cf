"""Hand the command line to `reseal.cli` and exit with what it returns."""

from __future__ import annotations

import sys

from reseal.cli.main import main as run


def main() -> None:
    """Run reseal as a program."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
