"""Funding: at each settlement every position pays or receives ``mark * qty * rate``; a long pays a positive rate.

The moment is the source's own next settlement, else each whole eight hours UTC; the rate is the last one announced
before it. Invariant: each settlement is paid once. A listing remembers the coming one, and keeps it over a restart, so
a moment that passed while the venue was away is paid when it is back, at the mark it comes back with.
"""

from decimal import Decimal

from chimera.simulate.usdm.accounts import Position, money
from chimera.simulate.usdm.cash import CashDesk
from chimera.simulate.usdm.floor import FuturesFloor
from chimera.simulate.usdm.margin import mark_of
from chimera.simulate.usdm.perpetual import Perpetual, Settlement
from chimera.trading.market import next_funding_ms


class FundingDesk:
    """Watches the clock for every listing."""

    def __init__(self, floor: FuturesFloor, cash: CashDesk) -> None:
        self.floor = floor
        self.cash = cash

    def pass_time(self, listing: Perpetual) -> bool:
        """Pay what fell due by now; whether any position did. To be called before a new rate or mark is taken."""
        now, due = self.floor.now_ms, listing.funding_due_ms
        paid = False
        if 0 < due <= now:
            holders = [
                (account, held) for account in self.floor.accounts.values() for held in account.held_now(listing.symbol)
            ]
            while due <= now:
                if listing.mark is not None:
                    listing.settled.append(Settlement(due, listing.funding_rate, listing.mark))
                for account, held in holders:
                    self.cash.fund(account, held, self._amount(listing, held), due)
                paid, due = bool(holders), next_funding_ms(due)
        listing.funding_due_ms = listing.funding_at(now)
        return paid

    def _amount(self, listing: Perpetual, held: Position) -> Decimal:
        return money(-mark_of(self.floor, held) * held.qty * listing.funding_rate)
