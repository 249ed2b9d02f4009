"""Closes of a part: what S4 began to close, and whether its exits traded more than that.

Invariants of the check: quantities are the venue's alone; what was begun is told by ``watched``, which looks at the
state of each owner as it hears a fact and changes nothing. A part gives its quantity, once; a close of everything is
no bound until S4 has let it go and the position is flat (it waits for entries that may still fill), nor afterwards for
exits that the venue had taken by then. That exits neither open
nor flip is I4's and I12's: they are no entries of any parent, and reduce only.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from functools import wraps
from typing import Any

from chimera.services.router.owner import Owner
from chimera.simulate.venue.audit import ASKED, AuditRecord, Kind
from chimera.trading.execution import Exit
from chimera.trading.facts import Restarted
from chimera.trading.ids import ClientOrderId, child_of
from chimera.trading.market import Market
from chimera.trading.money import ZERO, text
from chimera.trading.order import Role
from chimera.trading.value import Value
from world.oracle import Violation
from world.seams import replaced
from world.workload import WORKLOAD


class Begun(Value):
    """S4 began to close: so much, or all of it (None), us of the run. ``over``: it has let its last close go."""

    at_us: int
    symbol: str
    reason: str = ""
    qty: Decimal | None = None
    over: bool = False
    market: Market = Market.FUT


@contextmanager
def watched(begun: list[Begun], now_us: Callable[[], int]) -> Iterator[None]:
    """While this is open, every close that any owner begins is put down."""

    def around(real: Callable[[Owner, Any], None]) -> Callable[[Owner, Any], None]:
        @wraps(real)
        def hear(self: Owner, fact: Any) -> None:
            before = self.holding.exit
            real(self, fact)
            after = self.holding.exit
            symbol, market = str(self.holding.key.symbol), self.holding.key.market
            if after is None and (before is not None or isinstance(fact, Restarted)):
                begun.append(Begun(at_us=now_us(), symbol=symbol, market=market, over=True))
            elif after is not None and (before is None or _meant(before) != _meant(after)):
                begun.append(Begun(at_us=now_us(), symbol=symbol, market=market, reason=after.reason, qty=after.qty))

        return hear

    with replaced((Owner, "hear", around)):
        yield


def _meant(wanted: Exit) -> tuple[object, ...]:
    """Its moment is left out: a clock that was set back moves it."""
    return wanted.reason, wanted.qty, wanted.lots


def no_more_than_asked(audit: Sequence[AuditRecord], begun: Sequence[Begun], asked: Decimal) -> list[Violation]:
    """What exits of ours traded is no more than the closes that had begun by then, and callers' parts no more than
    ``asked``, the sum over every one of their calls that reached S4."""
    at_us = audit[-1].at_us if audit else 0
    parts = sum((each.qty for each in begun if each.reason == WORKLOAD and each.qty is not None), ZERO)
    found = []
    if parts > asked:
        story = f"parts of {text(parts)} were begun for callers who asked for {text(asked)}"
        found.append(Violation(invariant="CLOSED", at_us=at_us, text=story))
    return [*found, *_beyond(audit, begun)]


def _beyond(audit: Iterable[AuditRecord], begun: Iterable[Begun]) -> list[Violation]:
    left: dict[str, Decimal] = defaultdict(Decimal)  # of the parts begun
    positions: dict[str, Decimal] = defaultdict(Decimal)
    whole: set[str] = set()  # symbols of which everything is to go
    over: set[str] = set()  # of these, once they are flat
    free: set[str] = set()  # exits taken while that was so
    coming = deque(begun)
    found = []
    for record in audit:
        if record.kind in ASKED:  # stamped by the door's clock, which the fault clock_skew sets wrong
            continue
        while coming and coming[0].at_us <= record.at_us:
            close = coming.popleft()
            if close.over:
                over.add(close.symbol)
            elif close.qty is None:
                whole.add(close.symbol)
                over.discard(close.symbol)
            else:
                left[close.symbol] += close.qty
        whole -= {each for each in over if not positions[each]}
        symbol, ref = record.symbol, record.client_order_id
        ours = _is_exit(ref)
        if record.kind is Kind.ACCEPT and ours and symbol in whole:
            free.add(ref)
        elif record.kind is Kind.FILL:
            qty = record.qty or ZERO
            positions[symbol] += qty if record.side == "BUY" else -qty
            if ours and ref not in free:
                left[symbol] -= qty
                if left[symbol] < 0:
                    story = f"{ref} closed {text(-left[symbol])} of {symbol} more than was begun"
                    found.append(Violation(invariant="CLOSED", at_us=record.at_us, text=story))
                    left[symbol] = ZERO
    return found


def _is_exit(ref: str) -> bool:
    child = child_of(ClientOrderId(ref))
    return child is not None and child[1] == Role.EXIT.value
