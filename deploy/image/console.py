"""``console.py SIM|TESTNET|LIVE``: the console, told what its page shall say of the money.

``chimera console`` has no option for it and says SIM; its ``serve`` takes it. This is the command itself, with that one
argument given, until there is an option.
"""

import sys
from functools import partial

from chimera.cli.main import main
from chimera.services.console import main as console


def start(mode: str) -> None:
    """Until told to stop."""
    console.serve = partial(console.serve, mode=mode)  # the command looks it up as it starts
    sys.argv = ["chimera", "console"]
    main()


if __name__ == "__main__":
    start(sys.argv[1])
