"""I22, by the venue's log: no entry fill leaves more than a ceiling allows, of one position or of all together.

Invariants of the oracle itself: those of ``oracle``.
"""

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from chimera.simulate.venue.audit import AuditRecord, Kind
from chimera.trading.money import ZERO, text
from world.oracle import Violation, is_entry, signed

LIMIT_SLACK: Final = Decimal("0.01")
GROSS_SLACK: Final = Decimal("0.03")


def within_limits(audit: Iterable[AuditRecord], limit: Decimal, slack: Decimal = LIMIT_SLACK) -> list[Violation]:
    """No entry fill leaves a position of more than ``limit``, quote asset, at the price of that fill.

    ``slack`` is the fraction by which the market may move between the check at the last hop and the fill.
    """
    positions: dict[str, Decimal] = defaultdict(Decimal)
    found = []
    for record in audit:
        if record.kind is not Kind.FILL or record.price is None:
            continue
        positions[record.symbol] += signed(record)
        notional = abs(positions[record.symbol]) * record.price
        if is_entry(record) and notional > limit * (1 + slack):
            story = f"{record.client_order_id} makes {record.symbol} {notional:.0f}, allowed {text(limit)}"
            found.append(Violation(invariant="I22", at_us=record.at_us, text=story))
    return found


def within_gross(audit: Iterable[AuditRecord], limit: Decimal, slack: Decimal = GROSS_SLACK) -> list[Violation]:
    """No entry fill leaves all positions together above ``limit``, each at the price of its own last fill.

    ``audit``: of every market of the account. ``slack``: as for one position; the others may have filled a while ago.
    """
    held: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    prices: dict[tuple[str, str], Decimal] = {}
    found = []
    for record in audit:
        if record.kind is not Kind.FILL or record.price is None:
            continue
        name = record.market, record.symbol
        held[name] += signed(record)
        prices[name] = record.price
        gross = sum((abs(qty) * prices[each] for each, qty in held.items()), ZERO)
        if is_entry(record) and gross > limit * (1 + slack):
            story = f"{record.client_order_id} makes all positions {gross:.0f}, allowed {text(limit)}"
            found.append(Violation(invariant="I22", at_us=record.at_us, text=story))
    return found
