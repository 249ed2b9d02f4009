"""Payload to domain value, by pure functions; each may raise ``Unreadable`` and nothing else.

Three readings keep money safe:
- A status word we do not know becomes ``IN_DOUBT``, with the word as reason: ask again, never guess.
- A conditional order is ``NEW`` only while it waits: in the Algo service, or with its own type in the order endpoint
  (the only place before 2025-12; a child there has the type LIMIT or MARKET). TRIGGERING, TRIGGERED and FINISHED there,
  and its child standing NEW in the engine, are all ``TRIGGERING``: it guards nothing any more, and only the child's own
  word may say how much it filled. FINISHED alone is never FILLED (the child may have been cancelled).
- Quantities of a triggered conditional order are its child's; the Algo service's ``aq`` is not read.
"""

from decimal import Decimal
from typing import Final

from chimera.adapters.binance import payloads
from chimera.adapters.binance.payloads import Unreadable, amount, decoded
from chimera.trading.fill import Fill
from chimera.trading.ids import ClientOrderId, Symbol, TradeId, VenueOrderId
from chimera.trading.instrument import Instrument, MarginStep
from chimera.trading.market import Market, Touch
from chimera.trading.money import ZERO, Millis, Price, Qty, Quote
from chimera.trading.order import OrderType, Status
from chimera.trading.venue import AccountModes, FeeRates, Funds, Income, VenueOrder, VenuePosition

_ORDER_STATUS: Final = {
    "NEW": Status.NEW,
    "PARTIALLY_FILLED": Status.PARTIALLY_FILLED,
    "FILLED": Status.FILLED,
    "CANCELED": Status.CANCELED,
    "REJECTED": Status.REJECTED,
    "EXPIRED": Status.EXPIRED,
    "EXPIRED_IN_MATCH": Status.EXPIRED,  # self-trade prevention
}
_ALGO_STATUS: Final = {
    "NEW": Status.NEW,
    "TRIGGERING": Status.TRIGGERING,
    "TRIGGERED": Status.TRIGGERING,
    "FINISHED": Status.TRIGGERING,
    "CANCELED": Status.CANCELED,
    "EXPIRED": Status.EXPIRED,
    "REJECTED": Status.REJECTED,
}
_CONDITIONAL: Final = frozenset({"STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"})
_EXPIRY: Final = {
    "1": "self-trade prevention",
    "2": "rest of an IOC order",
    "3": "rest of an IOC order and self-trade prevention",
    "4": "knocked out by another reduce-only order, or would reverse",
    "5": "liquidation",
    "6": "position-bound condition ended",
    "7": "delisting",
    "8": "its stop triggered",
    "9": "rest of a market order",
}
BURNT: Final = "BNB"  # the one asset in which fees are paid at a discount
_UNBOUNDED: Final = Decimal(10) ** 12  # a bound that the venue has switched off
_TRADES: Final = frozenset({"TRADE", "CALCULATED"})  # CALCULATED is liquidation


def order(row: payloads.OrderRow) -> VenueOrder:
    """An order of the regular service, or a conditional order's child."""
    kind = row.orig_type or row.type
    conditional = kind in _CONDITIONAL and row.type not in _CONDITIONAL
    return VenueOrder(
        symbol=Symbol(row.symbol),
        ref=ClientOrderId(row.client_order_id),
        conditional=conditional,
        venue_id=VenueOrderId(str(row.order_id)),
        side=row.side,
        type=_type(kind),
        status=_status(row.status, child=conditional),
        qty=_qty(row.orig_qty),
        cum_qty=_qty(row.executed_qty),
        updated_ms=Millis(row.update_time),
        price=_price(row.price),
        trigger_price=_price(row.stop_price),
        reduce_only=row.reduce_only,
        close_position=row.close_position,
        reason=_strange(row.status, _ORDER_STATUS),
    )


def algo(row: payloads.AlgoRow) -> VenueOrder:
    """A conditional order by the Algo service's word alone; see ``child_id_of`` and ``triggered``."""
    return VenueOrder(
        symbol=Symbol(row.symbol),
        ref=ClientOrderId(row.client_algo_id),
        conditional=True,
        venue_id=VenueOrderId(child_id_of(row) or str(row.algo_id)),
        side=row.side,
        type=_type(row.order_type),
        status=_ALGO_STATUS.get(row.algo_status, Status.IN_DOUBT),
        qty=_qty(amount(row.quantity)),
        updated_ms=Millis(row.update_time or row.create_time or 0),
        trigger_price=_price(amount(row.trigger_price)),
        reduce_only=bool(row.reduce_only or row.close_position),
        close_position=bool(row.close_position),
        reason=_strange(row.algo_status, _ALGO_STATUS),
    )


def child_id_of(row: payloads.AlgoRow) -> str | None:
    """The order id of the child in the matching engine, once there is one."""
    return str(row.actual_order_id) if row.actual_order_id not in ("", "0", 0, None) else None


def triggered(parent: VenueOrder, child: VenueOrder) -> VenueOrder:
    """A conditional order and its child as one: the child's life and quantities, the parent's trigger."""
    return child.but(
        conditional=True,
        ref=parent.ref,
        type=parent.type,
        status=Status.TRIGGERING if child.status is Status.NEW else child.status,
        trigger_price=parent.trigger_price,
        reduce_only=parent.reduce_only or child.reduce_only,
        close_position=parent.close_position,
        reason=child.reason or parent.reason,
    )


def order_event(event: payloads.OrderEvent) -> tuple[VenueOrder, Fill | None]:
    """``ORDER_TRADE_UPDATE``: the order after the event, and its trade where it was one."""
    body = event.order
    kind = body.orig_type or body.type
    conditional = kind in _CONDITIONAL and body.type not in _CONDITIONAL
    reason = _strange(body.status, _ORDER_STATUS) or _EXPIRY.get(str(body.expiry), "")
    word = VenueOrder(
        symbol=Symbol(body.symbol),
        ref=ClientOrderId(body.ref),
        conditional=conditional,
        venue_id=VenueOrderId(str(body.order_id)),
        side=body.side,
        type=_type(kind),
        status=_status(body.status, child=conditional),
        qty=_qty(body.qty),
        cum_qty=_qty(body.cum_qty),
        updated_ms=Millis(body.at_ms),
        price=_price(body.price),
        trigger_price=_price(body.stop_price),
        reduce_only=body.reduce_only,
        close_position=body.close_position,
        reason=reason,
    )
    is_trade = body.execution in _TRADES and body.trade_id > 0 and body.last_qty > 0
    return word, _streamed_fill(body) if is_trade else None


def _streamed_fill(body: payloads.OrderEventBody) -> Fill:
    if body.last_price <= 0:
        raise Unreadable("a trade without a price")
    return Fill(
        trade_id=TradeId(str(body.trade_id)),
        ref=ClientOrderId(body.ref),
        venue_id=VenueOrderId(str(body.order_id)),
        market=Market.FUT,
        symbol=Symbol(body.symbol),
        side=body.side,
        price=Price(body.last_price),
        qty=Qty(body.last_qty),
        fee=body.fee or ZERO,
        fee_asset=body.fee_asset or "",  # absent where nothing was charged
        realized_pnl=Quote(body.realized),
        maker=body.maker,
        at_ms=Millis(body.at_ms),
    )


def algo_event(event: payloads.AlgoEvent) -> VenueOrder:
    """``ALGO_UPDATE``: the conditional order's own life, no quantities of its child."""
    body = event.order
    has_child = body.actual_id not in ("", "0", 0, None)
    return VenueOrder(
        symbol=Symbol(body.symbol),
        ref=ClientOrderId(body.ref),
        conditional=True,
        venue_id=VenueOrderId(str(body.actual_id if has_child else body.algo_id)),
        side=body.side,
        type=_type(body.type),
        status=_ALGO_STATUS.get(body.status, Status.IN_DOUBT),
        qty=_qty(amount(body.qty)),
        updated_ms=Millis(event.at_ms),
        trigger_price=_price(amount(body.trigger_price)),
        reduce_only=bool(body.reduce_only or body.close_position),
        close_position=bool(body.close_position),
        reason=body.reason or _strange(body.status, _ALGO_STATUS),
    )


def fill(row: payloads.TradeRow, ref: ClientOrderId) -> Fill:
    """A row of ``userTrades``, whose order's client id had to be found elsewhere."""
    if row.price <= 0 or row.qty <= 0:
        raise Unreadable("a trade without a price or quantity")
    return Fill(
        trade_id=TradeId(str(row.id)),
        ref=ref,
        venue_id=VenueOrderId(str(row.order_id)),
        market=Market.FUT,
        symbol=Symbol(row.symbol),
        side=row.side,
        price=Price(row.price),
        qty=Qty(row.qty),
        fee=row.commission,
        fee_asset=row.commission_asset,
        realized_pnl=Quote(row.realized_pnl),
        maker=row.maker,
        at_ms=Millis(row.time),
    )


def positions(rows: list[payloads.PositionRow]) -> tuple[VenuePosition, ...]:
    """One per symbol that holds something, in the order given.

    In hedge mode (which we refuse to trade) the two sides are netted and have no entry price.
    """
    held: dict[str, list[payloads.PositionRow]] = {}
    for row in rows:
        if row.position_amt:
            held.setdefault(row.symbol, []).append(row)
    return tuple(_position(sides) for sides in held.values())


def _position(sides: list[payloads.PositionRow]) -> VenuePosition:
    row, single = sides[0], len(sides) == 1
    return VenuePosition(
        symbol=Symbol(row.symbol),
        qty=sum((side.position_amt for side in sides), ZERO),
        entry_px=_price(row.entry_price) if single else None,
        mark_px=_price(row.mark_price),
        liquidation_px=_price(row.liquidation_price) if single else None,
        updated_ms=Millis(max(side.update_time for side in sides)),
    )


def flat(symbol: Symbol, at_ms: Millis) -> VenuePosition:
    """What an absent symbol means: ``positionRisk`` v3 lists only positions and open orders."""
    return VenuePosition(symbol=symbol, qty=ZERO, entry_px=None, mark_px=None, liquidation_px=None, updated_ms=at_ms)


def funds(rows: list[payloads.BalanceRow], asset: str, at_ms: Millis) -> Funds:
    """One asset's wallet; an asset that is not listed is empty."""
    for row in rows:
        if row.asset == asset:
            return Funds(wallet=Quote(row.balance), available=Quote(row.available_balance), at_ms=at_ms)
    return Funds(wallet=Quote(ZERO), available=Quote(ZERO), at_ms=at_ms)


def income(row: payloads.IncomeRow) -> Income:
    return Income(
        id=f"{row.income_type}:{row.tran_id}",
        kind=row.income_type,
        amount=row.income,
        asset=row.asset,
        at_ms=Millis(row.time),
        symbol=Symbol(row.symbol) if row.symbol else None,
        trade_id=TradeId(str(row.trade_id)) if row.trade_id else None,
    )


def fee_rates(row: payloads.CommissionRate, *, burns: bool) -> FeeRates:
    """``burns``: fees are taken in BNB, and a tenth less, while the futures wallet has enough of it."""
    return FeeRates(
        maker=row.maker_commission_rate, taker=row.taker_commission_rate, discount_asset=BURNT if burns else None
    )


def modes(row: payloads.AccountConfig) -> AccountModes:
    return AccountModes(hedge=row.dual_side_position, multi_asset=row.multi_assets_margin, can_trade=row.can_trade)


def touch(row: payloads.BookTicker, at_ms: Millis) -> Touch:
    if not 0 < row.bid_price < row.ask_price:
        raise Unreadable("an empty or crossed book")
    return Touch(
        bid=Price(row.bid_price),
        bid_qty=Qty(row.bid_qty),
        ask=Price(row.ask_price),
        ask_qty=Qty(row.ask_qty),
        at_ms=Millis(row.time or at_ms),
    )


def instrument(body: bytes) -> Instrument | None:
    """One symbol of ``exchangeInfo``; None for one of no contract (delivered), or without a price or lot filter."""
    row = decoded(body, payloads.SymbolRow)
    if not row.contract_type:
        return None
    filters = {each.filter_type: each for each in row.filters}
    price, lot = filters.get("PRICE_FILTER"), filters.get("LOT_SIZE")
    if price is None or lot is None or not price.tick_size or not lot.step_size or lot.max_qty is None:
        return None
    blank = payloads.Filter(filter_type="")
    at_market, notional = filters.get("MARKET_LOT_SIZE", blank), filters.get("MIN_NOTIONAL", blank)
    percent = filters.get("PERCENT_PRICE", blank)
    conditional = filters.get("MAX_NUM_ALGO_ORDERS", blank)  # gone from exchangeInfo on 2025-12-29
    return Instrument(
        symbol=Symbol(row.symbol),
        market=Market.FUT,
        base=row.base_asset,
        quote=row.quote_asset,
        tick=price.tick_size,
        step=lot.step_size,
        min_price=Price(price.min_price or ZERO),
        max_price=Price(price.max_price or _UNBOUNDED),  # 0 switches a bound off (Binance filters page)
        min_qty=Qty(lot.min_qty or lot.step_size),
        max_qty=Qty(lot.max_qty),
        market_max_qty=Qty(at_market.max_qty or lot.max_qty),
        min_notional=notional.notional or ZERO,
        price_up=percent.multiplier_up or _UNBOUNDED,
        price_down=percent.multiplier_down or ZERO,
        trading=row.status == "TRADING",
        dated="PERPETUAL" not in row.contract_type,  # TRADIFI_PERPETUAL; PERPETUAL_DELIVERING is being delisted
        max_conditional=conditional.limit,
    )


def margin_steps(row: payloads.Brackets) -> tuple[MarginStep, ...]:
    """Ascending by notional."""
    steps = (
        MarginStep(
            cap=each.notional_cap, max_leverage=each.initial_leverage, rate=each.maint_margin_ratio, amount=each.cum
        )
        for each in row.brackets
    )
    return tuple(sorted(steps, key=lambda step: step.cap))


def _status(word: str, *, child: bool) -> Status:
    status = _ORDER_STATUS.get(word, Status.IN_DOUBT)
    return Status.TRIGGERING if child and status is Status.NEW else status


def _strange(word: str, known: dict[str, Status]) -> str:
    return "" if word in known else f"unknown status {word[:40]!r}"


def _type(word: str) -> OrderType | None:
    return OrderType(word) if word in OrderType.__members__ else None


def _qty(number: Decimal) -> Qty:
    if number < 0:
        raise Unreadable("a quantity below zero")
    return Qty(number)


def _price(number: Decimal) -> Price | None:
    """0 is Binance's "none"."""
    return Price(number) if number > 0 else None
