"""Exit codes, the same for every verb, and one way to end with a sentence instead of a traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum


class Exit(IntEnum):
    """What a verb's exit code says. 2 is the command line's own: wrong usage."""

    OK = 0
    FAILED = 1
    USAGE = 2
    MARKET_ENDED = 3
    REFUSED = 4
    UNREACHABLE = 5
    UNKNOWN = 6
    CANNOT_START = 7
    DEPOSED = 8


MEANING = {
    Exit.OK: "done",
    Exit.FAILED: "something failed; the message says what",
    Exit.USAGE: "the command line was not understood",
    Exit.MARKET_ENDED: "up: the market ended before --exit-after was reached",
    Exit.REFUSED: "a service said no, with its reason",
    Exit.UNREACHABLE: "a service could not be reached, or took nothing: safe to try again",
    Exit.UNKNOWN: "it may have happened: look before trying again",
    Exit.CANNOT_START: "settings, a port, a store or a file stand in the way",
    Exit.DEPOSED: "another instance took over these positions",
}


class Stop(Exception):
    """End this program with a sentence on stderr."""

    def __init__(self, code: Exit, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@contextmanager
def ended_well() -> Iterator[None]:
    """Turn every error of ours into its exit code; what nobody foresaw keeps its traceback."""
    try:
        yield
    except Stop as stop:
        print(f"chimera: {stop}", file=sys.stderr)
        sys.exit(stop.code)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        from chimera.cli.failures import stop_for

        told = stop_for(error)
        if told is None:
            raise
        print(f"chimera: {told}", file=sys.stderr)
        sys.exit(told.code)
