"""Exit codes, the same for every verb, and one way to end with a sentence instead of a traceback."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import IntEnum
from typing import Any


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
    DIFFERS = 9


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
    Exit.DIFFERS: "replay: some decisions would have been otherwise",
}


class Stop(Exception):
    """End this program with a sentence on stderr; ``answer`` is the refusal that ``--json`` prints."""

    def __init__(self, code: Exit, sentence: str, answer: Mapping[str, Any] | None = None) -> None:
        super().__init__(sentence)
        self.code = code
        self.answer = answer


@contextmanager
def ended_well(*, as_json: bool = False) -> Iterator[None]:
    """Turn every error of ours into its exit code; what nobody foresaw keeps its traceback."""
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # those in the table of ``failures``; any other is raised again
        from chimera.cli.failures import stop_for
        from chimera.services.outlet import say

        told = stop_for(error)
        if told is None:
            raise
        if as_json and told.answer is not None:
            say(json.dumps(told.answer, default=str), aloud=True)
        say(f"chimera: {told}")
        sys.exit(told.code)
