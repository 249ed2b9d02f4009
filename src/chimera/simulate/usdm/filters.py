"""A symbol's trading rules as the futures venue refuses them: specific -4xxx codes, precision before filters.

Order of checks: precision (-1111), quantity, price, percent price, notional. Pure; raises ``Refusal``, changes nothing.
What passes is told by few comparisons; only what does not is looked at one rule after the other.
"""

from decimal import Decimal
from typing import Final

from chimera.simulate.door.refusals import Refusal
from chimera.simulate.usdm.perpetual import Perpetual, SymbolStatus
from chimera.simulate.venue.listing import places
from chimera.trading.market import Side
from chimera.trading.money import ZERO, text

_CLOSED: Final = frozenset({SymbolStatus.CLOSE, SymbolStatus.DELIVERING, SymbolStatus.DELIVERED, SymbolStatus.SETTLING})
_SHUT: Final = frozenset({SymbolStatus.PENDING_TRADING, SymbolStatus.TRADING_HALT})


def check_status(listing: Perpetual, reduces: bool) -> None:
    """Whether the symbol takes orders. Which code belongs to which status is not documented; the texts decided it."""
    if listing.takes_orders:
        return
    if listing.status in _CLOSED:
        raise Refusal(-4141)
    raise Refusal(-1122 if reduces or listing.status in _SHUT else -4140)  # -4140 speaks of opening


def check_qty(listing: Perpetual, qty: Decimal, market: bool) -> None:
    """LOT_SIZE, or MARKET_LOT_SIZE for ``market``."""
    rules = listing.instrument
    least, most = rules.min_qty, rules.market_max_qty if market else rules.max_qty
    if least <= qty <= most and not (qty - least) % rules.step:
        return
    if places(qty) > listing.qty_places:
        raise Refusal(-1111)
    if qty <= ZERO:
        raise Refusal(-4003)
    if qty < least:
        raise Refusal(-4004)
    raise Refusal(-4005 if qty > most else -4023)


def check_tick(listing: Perpetual, price: Decimal, nothing: int = -4001, too_high: int = -4002) -> None:
    """PRICE_FILTER; the codes for a price of zero and one above the maximum differ for triggers."""
    rules = listing.instrument
    if rules.min_price <= price <= rules.max_price and not (price - rules.min_price) % rules.tick:
        return
    if places(price) > listing.price_places:
        raise Refusal(-1111)
    if price <= ZERO:
        raise Refusal(nothing)
    if price > rules.max_price:
        raise Refusal(too_high)
    raise Refusal(-4013 if price < rules.min_price else -4014)


def check_price(listing: Perpetual, price: Decimal, side: Side) -> None:
    """PRICE_FILTER and PERCENT_PRICE of a limit price."""
    check_tick(listing, price)
    check_band(listing, price, side)


def check_band(listing: Perpetual, price: Decimal, side: Side) -> None:
    """PERCENT_PRICE of a limit price, against the mark."""
    if listing.mark is None:
        return
    band = listing.band(side)
    if side is Side.BUY and price > band:
        raise Refusal(-4016, listing.p(listing.instrument.price_at_or_below(band)))
    if side is Side.SELL and price < band:
        raise Refusal(-4024, listing.p(listing.instrument.price_at_or_above(band)))


def check_trigger(listing: Perpetual, price: Decimal, side: Side) -> None:
    """PRICE_FILTER and PERCENT_PRICE of a trigger price."""
    check_tick(listing, price, -4006, -4007)
    if listing.mark is None:
        return
    if side is Side.BUY and price > listing.band(side):
        raise Refusal(-4210)
    if side is Side.SELL and price < listing.band(side):
        raise Refusal(-4211)


def check_beside_trigger(listing: Perpetual, price: Decimal, trigger: Decimal, side: Side) -> None:
    """PERCENT_PRICE of a conditional order's limit price, against its own trigger."""
    rules = listing.instrument
    if side is Side.BUY and price > trigger * rules.price_up:
        raise Refusal(-4183, listing.p(rules.price_at_or_below(trigger * rules.price_up)))
    if side is Side.SELL and price < trigger * rules.price_down:
        raise Refusal(-4184, listing.p(rules.price_at_or_above(trigger * rules.price_down)))


def check_notional(listing: Perpetual, price: Decimal, qty: Decimal, exempt: bool, code: int = -4164) -> None:
    """MIN_NOTIONAL; exits are exempt. ``code`` is another for a change of a resting order."""
    least = listing.instrument.min_notional
    if not exempt and price * qty < least:
        raise Refusal(code, text(least))
