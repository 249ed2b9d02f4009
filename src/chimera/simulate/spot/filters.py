"""A pair's trading rules as spot refuses them: precision (-1111) first, then "Filter failure: NAME" (-1013).

Filters measure by the average price where an order has none of its own. Source: Binance spot filters.md. A STOP_LOSS or
TAKE_PROFIT without a limit price is measured as the MARKET order it becomes (assumption). Raises, changes nothing.
"""

from collections.abc import Callable, Iterable
from decimal import ROUND_CEILING, Decimal

from chimera.simulate.spot.floor import SpotFloor
from chimera.simulate.spot.orders import SpotOrder, rises
from chimera.simulate.spot.pair import PRECISION, Pair
from chimera.simulate.spot.words import filtered, invalid, too_precise
from chimera.simulate.venue.listing import places
from chimera.trading.market import Side
from chimera.trading.money import ZERO


def check_precision(**amounts: Decimal) -> None:
    """-1111 for the first amount, by parameter name, with more decimals than an asset has."""
    for name, amount in amounts.items():
        if places(amount) > PRECISION:
            raise too_precise(name)


def check_price(pair: Pair, price: Decimal) -> None:
    """PRICE_FILTER, of a price or a stop price. Spot counts ticks from zero; a bound of zero is none."""
    rules = pair.instrument
    if price <= ZERO:
        raise invalid("Invalid price.")
    low, high = price < rules.min_price, ZERO < rules.max_price < price
    if low or high or price % rules.tick:
        raise filtered("PRICE_FILTER")


def check_percent(pair: Pair, side: Side, price: Decimal, now_ms: int) -> None:
    """PERCENT_PRICE_BY_SIDE; nothing to measure by before the first price."""
    average, rules = pair.average(now_ms), pair.rules
    if average is None:
        return
    up, down = (rules.bid_up, rules.bid_down) if side is Side.BUY else (rules.ask_up, rules.ask_down)
    if not average * down <= price <= average * up:
        raise filtered("PERCENT_PRICE_BY_SIDE")


def check_lot(pair: Pair, qty: Decimal) -> None:
    """LOT_SIZE, of a quantity or a displayed quantity."""
    rules = pair.instrument
    if qty <= ZERO:
        raise invalid("Invalid quantity.")
    if qty < rules.min_qty or qty > rules.max_qty or qty % rules.step:
        raise filtered("LOT_SIZE")


def check_market_lot(pair: Pair, qty: Decimal) -> None:
    """MARKET_LOT_SIZE: spot's has no minimum and no step of its own, LOT_SIZE decides those."""
    if qty > pair.instrument.market_max_qty:
        raise filtered("MARKET_LOT_SIZE")


def check_notional(pair: Pair, notional: Decimal, market: bool) -> None:
    """NOTIONAL, in quote asset; ``market``: it is an average price's."""
    rules = pair.rules
    too_small = notional < pair.instrument.min_notional and (rules.min_to_market or not market)
    if too_small or (notional > rules.max_notional and (rules.max_to_market or not market)):
        raise filtered("NOTIONAL")


def check_iceberg(pair: Pair, qty: Decimal, iceberg_qty: Decimal) -> None:
    """LOT_SIZE of what is displayed, ICEBERG_PARTS."""
    check_lot(pair, iceberg_qty)
    if (qty / iceberg_qty).to_integral_value(ROUND_CEILING) > pair.rules.iceberg_parts:
        raise filtered("ICEBERG_PARTS")


def check_trailing(order: SpotOrder) -> None:
    """TRAILING_DELTA."""
    rules = order.listing.rules
    above = rises(order.type, order.side)
    low = rules.min_trailing_above if above else rules.min_trailing_below
    high = rules.max_trailing_above if above else rules.max_trailing_below
    if not low <= order.trailing_delta <= high:
        raise filtered("TRAILING_DELTA")


def check_asset(floor: SpotFloor, pair: Pair, qty: Decimal, notional: Decimal) -> None:
    """MAX_ASSET: of the base asset the quantity, of the quote asset the notional."""
    for asset, amount in ((pair.base, qty), (pair.quote, notional)):
        if asset in floor.asset_limits and amount > floor.asset_limits[asset]:
            raise filtered("MAX_ASSET")


def check_counts(floor: SpotFloor, orders: Iterable[SpotOrder], lists: int = 0) -> None:
    """How many of one account may be open on one pair, with these (and ``lists`` of order lists) more."""
    new = list(orders)
    pair, account = new[0].listing, new[0].account
    held = floor.orders.open_of(account, pair.symbol)
    every, rules = held + new, pair.rules
    if len(every) > rules.max_orders:
        raise filtered("MAX_NUM_ORDERS")
    if _more(rules.max_algo_orders, every, new, lambda order: order.type.is_conditional):
        raise filtered("MAX_NUM_ALGO_ORDERS")
    if _more(rules.max_iceberg_orders, every, new, lambda order: order.iceberg_qty > ZERO):
        raise filtered("MAX_NUM_ICEBERG_ORDERS")
    if lists and len(floor.lists.open_of(account, pair.symbol)) + lists > rules.max_order_lists:
        raise filtered("MAX_NUM_ORDER_LISTS")


def _more(limit: int | None, every: list[SpotOrder], new: list[SpotOrder], counts: Callable[[SpotOrder], bool]) -> bool:
    return limit is not None and any(map(counts, new)) and sum(map(counts, every)) > limit


def check_position(floor: SpotFloor, order: SpotOrder) -> None:
    """MAX_POSITION: base asset held, free or locked, with all open BUYs and this one."""
    pair, limit = order.listing, order.listing.rules.max_position
    if limit is None or order.side is not Side.BUY:
        return
    others = [each for each in floor.orders.open_of(order.account, pair.symbol) if each is not order]
    buys = [each.leaves for each in others if each.side is Side.BUY]
    if order.account.balance(pair.base).total + sum(buys, order.leaves) > limit:
        raise filtered("MAX_POSITION")
