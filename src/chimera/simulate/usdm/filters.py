"""A symbol's trading rules as the futures venue refuses them: specific -4xxx codes, precision before filters.

Order of checks: precision (-1111), quantity, price, percent price, notional. Pure; raises ``Refusal``, changes nothing.
"""

from decimal import Decimal

from chimera.simulate.door.refusals import Refusal
from chimera.simulate.usdm.perpetual import Perpetual
from chimera.simulate.venue.listing import places
from chimera.trading.market import Side
from chimera.trading.money import ZERO, text


def check_qty(listing: Perpetual, qty: Decimal, market: bool) -> None:
    """LOT_SIZE, or MARKET_LOT_SIZE for ``market``."""
    rules = listing.instrument
    if places(qty) > listing.qty_places:
        raise Refusal(-1111)
    if qty <= ZERO:
        raise Refusal(-4003)
    if qty < rules.min_qty:
        raise Refusal(-4004)
    if qty > (rules.market_max_qty if market else rules.max_qty):
        raise Refusal(-4005)
    if (qty - rules.min_qty) % rules.step:
        raise Refusal(-4023)


def check_price(listing: Perpetual, price: Decimal, side: Side) -> None:
    """PRICE_FILTER and PERCENT_PRICE of a limit price."""
    rules = listing.instrument
    if places(price) > listing.price_places:
        raise Refusal(-1111)
    if price <= ZERO:
        raise Refusal(-4001)
    if price > rules.max_price:
        raise Refusal(-4002)
    if price < rules.min_price:
        raise Refusal(-4013)
    if not rules.on_tick(price):
        raise Refusal(-4014)
    if listing.mark is None:
        return
    band = listing.band(side)
    if side is Side.BUY and price > band:
        raise Refusal(-4016, listing.p(rules.price_at_or_below(band)))
    if side is Side.SELL and price < band:
        raise Refusal(-4024, listing.p(rules.price_at_or_above(band)))


def check_trigger(listing: Perpetual, price: Decimal, side: Side) -> None:
    """PRICE_FILTER and PERCENT_PRICE of a trigger price."""
    rules = listing.instrument
    if places(price) > listing.price_places:
        raise Refusal(-1111)
    if price <= ZERO:
        raise Refusal(-4006)
    if price > rules.max_price:
        raise Refusal(-4007)
    if price < rules.min_price:
        raise Refusal(-4013)
    if not rules.on_tick(price):
        raise Refusal(-4014)
    if listing.mark is None:
        return
    if side is Side.BUY and price > listing.band(side):
        raise Refusal(-4210)
    if side is Side.SELL and price < listing.band(side):
        raise Refusal(-4211)


def check_notional(listing: Perpetual, price: Decimal, qty: Decimal, reduce_only: bool) -> None:
    """MIN_NOTIONAL; exits are exempt."""
    least = listing.instrument.min_notional
    if not reduce_only and price * qty < least:
        raise Refusal(-4164, text(least))
