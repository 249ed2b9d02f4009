"""What orders lock, and what a taker would find: the arithmetic that admission and clearing share.

A hold belongs to one order or to both legs of an OCO. What it should hold is the most that any of its live orders
needs: of a SELL the base asset left to sell; of a BUY what is left at ``lock_price``. An order that takes any price
locks nothing while it does: it is paid for as it trades. Invariant: ``relock`` leaves exactly that locked.
"""

from collections.abc import Iterator
from decimal import Decimal

from chimera.simulate.spot.accounts import Hold
from chimera.simulate.spot.floor import SpotFloor
from chimera.simulate.spot.orders import SpotOrder
from chimera.simulate.venue.matching import Matcher
from chimera.simulate.venue.orders import Stp
from chimera.trading.market import Side
from chimera.trading.money import ZERO


def need(order: SpotOrder, *, live: bool = False) -> Decimal:
    """What it must have locked, in the asset it pays with; ``live``: as if it had gone live."""
    if not live and (not order.is_open or order.pending):
        return ZERO
    if order.side is Side.SELL:
        return order.leaves
    if order.takes_any and (order.working or not order.type.is_conditional):
        return ZERO
    return order.leaves * order.lock_price


def wanted(hold: Hold) -> Decimal:
    """What should be locked in it."""
    return max((need(order) for order in hold.orders), default=ZERO)


def relock(hold: Hold, floor: SpotFloor) -> None:
    """Lock what its orders need and free the rest."""
    more = wanted(hold) - hold.amount
    if not more:
        return
    account = hold.orders[0].account
    balance = account.balance(hold.asset)
    balance.free -= more
    balance.locked += more
    hold.amount += more
    floor.touch(account, hold.asset)


def share(order: SpotOrder, matcher: Matcher[SpotOrder]) -> Iterator[tuple[Decimal, Decimal]]:
    """Prices and sizes a taker would trade at, best first; not those that self-trade prevention keeps from it."""
    for price, size, facing in matcher.against(order.listing, order.side):
        if facing is not None and facing.account is order.account and order.stp is not Stp.NONE:
            if order.stp in (Stp.EXPIRE_TAKER, Stp.EXPIRE_BOTH):
                return
            continue
        yield price, size
