"""An answer of the venue as what was asked for, on either market.

One that cannot be read, or is about something else, raises ``OutcomeUnknown``: the request was accepted, and what came
back tells nothing of ours (reliability B33).
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

from chimera.adapters.binance.payloads import Unreadable, decoded
from chimera.trading.errors import OutcomeUnknown
from chimera.trading.ids import ClientOrderId, Symbol
from chimera.trading.venue import VenueOrder


class Named(Protocol):
    """A row that says which symbol it is of."""

    @property
    def symbol(self) -> str: ...


N = TypeVar("N", bound=Named)
R = TypeVar("R")
V = TypeVar("V")


def answer(body: bytes, kind: type[V]) -> V:
    """A 2xx body as ``kind``."""
    try:
        return decoded(body, kind)
    except Unreadable as error:
        raise OutcomeUnknown(f"unreadable answer: {error}") from error


def understood(translate: Callable[[R], V], row: R) -> V:
    """``translate(row)``, if the row makes sense."""
    try:
        return translate(row)
    except Unreadable as error:
        raise OutcomeUnknown(f"unreadable answer: {error}") from error


def about(row: N, asked: Symbol) -> N:
    """The row, if it is of that symbol."""
    if row.symbol != asked:
        raise OutcomeUnknown(f"asked for {asked}, heard of {row.symbol}")
    return row


def meant(found: VenueOrder, symbol: Symbol, ref: ClientOrderId) -> VenueOrder:
    """The order, if it is that one."""
    if (found.symbol, found.ref) != (symbol, ref):
        raise OutcomeUnknown(f"asked for {ref} of {symbol}, heard of {found.ref} of {found.symbol}")
    return found
