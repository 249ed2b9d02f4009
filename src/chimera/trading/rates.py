"""How fast a venue lets us ask: lanes of urgency, its limits, and what is used of them."""

from enum import StrEnum

from chimera.trading.value import Value


class Lane(StrEnum):
    """What a request is for, the most urgent first. A lower lane never takes what a higher one needs."""

    PROTECT = "PROTECT"  # a stop
    CANCEL = "CANCEL"
    CLOSE = "CLOSE"  # reduce-only, at once
    TARGET = "TARGET"  # takes a profit; a close must not wait behind it
    SIGHT = "SIGHT"  # what protection sees by: what became of an order, of a position; the stream, the clock, the rules
    QUERY = "QUERY"  # what the books are compared with: the account as a whole, its money, what was placed lately
    OPEN = "OPEN"  # an entry, and what is asked for the sake of entries alone


class Metered(StrEnum):
    """What a limit counts."""

    WEIGHT = "WEIGHT"  # of requests, per address
    ORDERS = "ORDERS"  # placements, per account


class RateLimit(Value):
    """At most so much in each ``span_ms``."""

    counts: Metered
    span_ms: int
    most: int


class RateUse(Value):
    """One limit at this moment. ``ours`` and ``ceiling`` are by lane: what it sent, and up to where it may go."""

    limit: RateLimit
    used: int  # ours in the window, or more where the venue has told of more
    ours: dict[Lane, int]
    ceiling: dict[Lane, int]
