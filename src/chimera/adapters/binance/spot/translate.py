"""Spot payload to domain value, by pure functions; each may raise ``Unreadable`` and nothing else.

- LIMIT_MAKER is a LIMIT here: what it was placed with (GTX) is the asker's to know.
- A STOP_LOSS_LIMIT is ``NEW`` while it waits for its price. Once it is on the book it is ``TRIGGERING``: it guards no
  more, it sells. That is believed only where the venue says both that it works and since when.
- A status word we do not know becomes ``IN_DOUBT``, with the word as reason. PENDING_NEW is one of these: it is of
  lists that we do not place, and guards nothing.
- A balance is no position that we opened: all of it may be the user's own. It has no entry price.
"""

from decimal import Decimal
from typing import Final

from chimera.adapters.binance.payloads import Unreadable, decoded
from chimera.adapters.binance.spot import payloads
from chimera.trading.fill import Fill
from chimera.trading.ids import ClientOrderId, Symbol, TradeId, VenueOrderId
from chimera.trading.instrument import Instrument
from chimera.trading.market import Market, Side
from chimera.trading.money import ZERO, Millis, Price, Qty, Quote
from chimera.trading.order import OrderType, Status
from chimera.trading.venue import AccountModes, FeeRates, Funds, VenueOrder, VenuePosition

_STATUS: Final = {
    "NEW": Status.NEW,
    "PARTIALLY_FILLED": Status.PARTIALLY_FILLED,
    "FILLED": Status.FILLED,
    "CANCELED": Status.CANCELED,
    "REJECTED": Status.REJECTED,
    "EXPIRED": Status.EXPIRED,
    "EXPIRED_IN_MATCH": Status.EXPIRED,  # self-trade prevention
}
_TYPES: Final = {
    "LIMIT": OrderType.LIMIT,
    "LIMIT_MAKER": OrderType.LIMIT,
    "MARKET": OrderType.MARKET,
    "STOP_LOSS_LIMIT": OrderType.STOP_LOSS_LIMIT,
}
_CANCELED: Final = "CANCELED"
_NO_REF: Final = frozenset({"", "null"})  # "null" in events of old
_UNBOUNDED: Final = Decimal(10) ** 12  # a bound that the venue has switched off


def order(row: payloads.OrderRow) -> VenueOrder:
    """An order by any of the answers; see ``OrderRow`` for which id is whose."""
    works = row.is_working and row.working_time > 0
    return VenueOrder(
        symbol=Symbol(row.symbol),
        ref=ClientOrderId(row.orig_client_order_id or row.client_order_id),
        conditional=False,
        venue_id=VenueOrderId(str(row.order_id)),
        side=row.side,
        type=_TYPES.get(row.type),
        status=_status(row.type, row.status, works=works),
        qty=_qty(row.orig_qty),
        cum_qty=_qty(row.executed_qty),
        updated_ms=Millis(row.update_time or row.transact_time),
        price=_price(row.price),
        trigger_price=_price(row.stop_price),
        reason=_strange(row.status) or row.expiry_reason,
        list_id=_list_id(row.order_list_id),
    )


def order_event(event: payloads.ExecutionReport) -> tuple[VenueOrder, Fill | None]:
    """``executionReport``: the order after the event, and its trade where it was one."""
    canceled = event.execution == _CANCELED and event.former_ref not in _NO_REF
    refused = "" if event.reject == "NONE" else event.reject
    word = VenueOrder(
        symbol=Symbol(event.symbol),
        ref=ClientOrderId(event.former_ref if canceled else event.ref),
        conditional=False,
        venue_id=VenueOrderId(str(event.order_id)),
        side=event.side,
        type=_TYPES.get(event.type),
        status=_status(event.type, event.status, works=event.working and event.working_ms > 0),
        qty=_qty(event.qty),
        cum_qty=_qty(event.cum_qty),
        updated_ms=Millis(event.at_ms),
        price=_price(event.price),
        trigger_price=_price(event.stop_price),
        reason=_strange(event.status) or event.expiry or refused,
        list_id=_list_id(event.list_id),
    )
    is_trade = event.execution == "TRADE" and event.trade_id >= 0 and event.last_qty > 0
    return word, _streamed_fill(event, word.ref) if is_trade else None


def _streamed_fill(event: payloads.ExecutionReport, ref: ClientOrderId) -> Fill:
    if event.last_price <= 0:
        raise Unreadable("a trade without a price")
    return Fill(
        trade_id=TradeId(str(event.trade_id)),
        ref=ref,
        venue_id=VenueOrderId(str(event.order_id)),
        market=Market.SPOT,
        symbol=Symbol(event.symbol),
        side=event.side,
        price=Price(event.last_price),
        qty=Qty(event.last_qty),
        fee=event.fee or ZERO,
        fee_asset=(event.fee_asset or "") if event.fee else "",  # absent where nothing was charged
        realized_pnl=Quote(ZERO),  # spot knows no position
        maker=event.maker,
        at_ms=Millis(event.at_ms),
    )


def fill(row: payloads.TradeRow, ref: ClientOrderId) -> Fill:
    """A row of ``myTrades``, whose order's client id had to be found elsewhere."""
    if row.price <= 0 or row.qty <= 0:
        raise Unreadable("a trade without a price or quantity")
    return Fill(
        trade_id=TradeId(str(row.id)),
        ref=ref,
        venue_id=VenueOrderId(str(row.order_id)),
        market=Market.SPOT,
        symbol=Symbol(row.symbol),
        side=Side.BUY if row.is_buyer else Side.SELL,
        price=Price(row.price),
        qty=Qty(row.qty),
        fee=row.commission,
        fee_asset=row.commission_asset if row.commission else "",
        realized_pnl=Quote(ZERO),
        maker=row.is_maker,
        at_ms=Millis(row.time),
    )


def held(account: payloads.Account, base: str, symbol: Symbol, at_ms: Millis) -> VenuePosition:
    """What the wallet has of ``base``, locked in orders or not; an asset that is not listed is none."""
    row = next((each for each in account.balances if each.asset == base), None)
    return VenuePosition(
        symbol=symbol,
        qty=ZERO if row is None else row.free + row.locked,
        entry_px=None,
        mark_px=None,
        liquidation_px=None,
        updated_ms=Millis(account.update_time or at_ms),
    )


def funds(account: payloads.Account, asset: str, at_ms: Millis) -> Funds:
    """One asset: all of it, and what no order has locked."""
    row = next((each for each in account.balances if each.asset == asset), None)
    free, locked = (ZERO, ZERO) if row is None else (row.free, row.locked)
    return Funds(wallet=Quote(free + locked), available=Quote(free), at_ms=at_ms)


def fee_rates(row: payloads.Commission) -> FeeRates:
    """All three commissions together, of the dearer side.

    Without the discount: whether its ``discount`` is the reduction or what is left is unverified (reference 3.6), and
    a fee for which the discount's asset does not suffice is taken in full.
    """
    parts = (row.standard_commission, row.special_commission, row.tax_commission)
    side = max(sum((each.buyer for each in parts), ZERO), sum((each.seller for each in parts), ZERO))
    told = row.discount
    on = told is not None and told.enabled_for_account and told.enabled_for_symbol
    return FeeRates(
        maker=sum((each.maker for each in parts), ZERO) + side,
        taker=sum((each.taker for each in parts), ZERO) + side,
        discount_asset=told.discount_asset if on and told is not None else None,
    )


def modes(account: payloads.Account) -> AccountModes:
    """Spot has neither hedge mode nor margin."""
    return AccountModes(hedge=False, multi_asset=False, can_trade=account.can_trade)


def instrument(body: bytes) -> Instrument | None:
    """One symbol of ``exchangeInfo``; None for one without a price or lot filter.

    ``price_up`` bounds a BUY and ``price_down`` a SELL, by the venue's average price; its two other bounds (a BUY too
    low, a SELL too high) harm nobody and are the venue's to refuse. A market step is rarely given and then the coarser.
    """
    row = decoded(body, payloads.SymbolRow)
    filters = {each.filter_type: each for each in row.filters}
    price, lot = filters.get("PRICE_FILTER"), filters.get("LOT_SIZE")
    if price is None or lot is None or not price.tick_size or not lot.step_size or lot.max_qty is None:
        return None
    blank = payloads.Filter(filter_type="")
    at_market = filters.get("MARKET_LOT_SIZE", blank)
    notional = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL", blank)
    side, both = filters.get("PERCENT_PRICE_BY_SIDE", blank), filters.get("PERCENT_PRICE", blank)
    step = max(lot.step_size, at_market.step_size or ZERO)
    return Instrument(
        symbol=Symbol(row.symbol),
        market=Market.SPOT,
        base=row.base_asset,
        quote=row.quote_asset,
        tick=price.tick_size,
        step=step,
        min_price=Price(price.min_price or ZERO),
        max_price=Price(price.max_price or _UNBOUNDED),  # 0 switches a bound off (Binance filters page)
        min_qty=Qty(max(lot.min_qty or step, at_market.min_qty or ZERO)),
        max_qty=Qty(lot.max_qty),
        market_max_qty=Qty(at_market.max_qty or lot.max_qty),
        min_notional=notional.min_notional or ZERO,
        price_up=side.bid_multiplier_up or both.multiplier_up or _UNBOUNDED,
        price_down=side.ask_multiplier_down or both.multiplier_down or ZERO,
        trading=row.status == "TRADING" and row.is_spot_trading_allowed,
        max_conditional=filters.get("MAX_NUM_ALGO_ORDERS", blank).max_num_algo_orders,
        takes_pairs=row.oco_allowed and {"STOP_LOSS_LIMIT", "LIMIT_MAKER"} <= set(row.order_types),
    )


def _status(kind: str, word: str, *, works: bool) -> Status:
    status = _STATUS.get(word, Status.IN_DOUBT)
    fires = status is Status.NEW and works and _TYPES.get(kind) is OrderType.STOP_LOSS_LIMIT
    return Status.TRIGGERING if fires else status


def _strange(word: str) -> str:
    return "" if word in _STATUS else f"unknown status {word[:40]!r}"


def _list_id(number: int) -> str | None:
    return None if number < 0 else str(number)


def _qty(number: Decimal) -> Qty:
    if number < 0:
        raise Unreadable("a quantity below zero")
    return Qty(number)


def _price(number: Decimal) -> Price | None:
    """0 is Binance's "none"."""
    return Price(number) if number > 0 else None
