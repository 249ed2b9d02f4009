"""Binance Spot as ``ports.Venue`` and ``ports.Pairs``: placing, cancelling and finding orders, and their reports.

Decisions, with their reasons:
- Nothing is reduce-only here and nothing says so on the wire: that a sale takes no coins of the user's is the asker's.
- Post-only (LIMIT with GTX) is LIMIT_MAKER, which is refused where it would take, so nothing is left to cancel.
- ``newOrderRespType=RESULT`` and ``selfTradePreventionMode=EXPIRE_MAKER`` for the reasons that futures have.
- A pair is one native OCO, its legs named by us: each is found, reported and cancelled by its own id. A leg's cancel is
  answered by its list, and ends the other leg.
- Nothing is ever sent twice here. What to do after an error is the core's to decide.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from chimera.adapters.binance.answers import answer, meant, understood
from chimera.adapters.binance.order_names import OrderNames
from chimera.adapters.binance.order_socket import kept_open
from chimera.adapters.binance.outcomes import NO_SUCH_ORDER
from chimera.adapters.binance.placing import SELF_TRADE, in_time, lane_of
from chimera.adapters.binance.signed import SignedAccount
from chimera.adapters.binance.spot import payloads, translate
from chimera.adapters.binance.spot.outcomes import ARCHIVED
from chimera.adapters.binance.spot.raw import (
    CANCEL_ORDER,
    GET_ORDER,
    PLACE_OCO,
    PLACE_ORDER,
    TEST_ORDER,
)
from chimera.adapters.binance.spot.stream import SpotUserStream
from chimera.ports.venue import Report
from chimera.trading.errors import OutcomeUnknown, VenueRejected
from chimera.trading.market import Side
from chimera.trading.money import Millis, Price, text
from chimera.trading.order import NewOrder, OrderType, Status, TimeInForce
from chimera.trading.venue import OrderRef, VenueOrder

_UNKNOWN_HERE: Final = frozenset({NO_SUCH_ORDER, ARCHIVED})


class SpotVenue:
    """``ports.Venue`` and ``ports.Pairs``."""

    def __init__(self, raw: SignedAccount, names: OrderNames, stream: SpotUserStream) -> None:
        self._raw = raw
        self._names = names
        self._stream = stream

    async def place(self, order: NewOrder, *, timeout_ms: int) -> VenueOrder:
        """The order as accepted. An answer about another order, or in a state we do not know, is ``OutcomeUnknown``."""
        if order.group is not None:
            raise ValueError(f"{order.ref}: a leg of {order.group} goes with the other leg")
        in_time(order, self._raw.clock.now_ms())
        body = await self._raw.call(PLACE_ORDER, order_params(order), timeout_ms=timeout_ms, lane=lane_of(order))
        return _accepted(self._names.note(_order(body)), order)

    async def rehearse(self, order: NewOrder, *, timeout_ms: int) -> None:
        """``POST order/test``, of any single order."""
        await self._raw.call(TEST_ORDER, order_params(order), timeout_ms=timeout_ms)

    async def cancel(self, ref: OrderRef, *, timeout_ms: int) -> VenueOrder:
        """The order as it ended; of a leg, its list has ended with it.

        ``VenueRejected(-2011)``: it is not open (filled, cancelled, expired): ask.
        """
        params = {"symbol": ref.symbol, "origClientOrderId": ref.ref}
        body = await self._raw.call(CANCEL_ORDER, params, timeout_ms=timeout_ms)
        if not answer(body, payloads.Canceled).contingency_type:
            return meant(self._names.note(_order(body)), ref.symbol, ref.ref)
        for leg in self._legs(answer(body, payloads.ListAnswer)):
            if leg.ref == ref.ref:
                return meant(leg, ref.symbol, ref.ref)
        raise OutcomeUnknown(f"the list of {ref.ref} was cancelled, and nothing was said of {ref.ref} itself")

    async def place_pair(self, target: NewOrder, stop: NewOrder, *, timeout_ms: int) -> tuple[VenueOrder, VenueOrder]:
        """Target and stop as accepted."""
        params = pair_params(target, stop)
        for leg in (target, stop):
            in_time(leg, self._raw.clock.now_ms())
        told = answer(await self._raw.call(PLACE_OCO, params, timeout_ms=timeout_ms), payloads.ListAnswer)
        if told.list_client_order_id != target.group:
            raise OutcomeUnknown(f"placed {target.group}, heard of {told.list_client_order_id[:40]}")
        legs = {leg.ref: leg for leg in self._legs(told)}
        if legs.keys() != {target.ref, stop.ref}:
            raise OutcomeUnknown(f"placed {target.ref} and {stop.ref}, heard of {', '.join(sorted(legs))}")
        return _accepted(legs[target.ref], target), _accepted(legs[stop.ref], stop)

    async def find(self, ref: OrderRef) -> VenueOrder | None:
        """None: not known now, which proves nothing by itself (reads lag), or ended unfilled more than 90 days ago."""
        try:
            body = await self._raw.call(GET_ORDER, {"symbol": ref.symbol, "origClientOrderId": ref.ref})
        except VenueRejected as error:
            if error.code in _UNKNOWN_HERE:
                return None
            raise
        return meant(self._names.note(_order(body)), ref.symbol, ref.ref)

    async def reports(self) -> AsyncGenerator[Report, None]:
        """While somebody reads them, the order socket is kept open too."""
        async with kept_open(self._raw.socket), aclosing(self._stream.reports()) as heard:
            async for report in heard:
                yield report

    def reconnect(self, why: str) -> None:
        self._stream.reconnect(why)

    def dead_after_ms(self, sent_ms: Millis) -> Millis:
        """``sent_ms``: our clock, any moment not before the request left."""
        return self._raw.venue_clock.dead_after_ms(sent_ms, self._raw.recv_window_ms)

    def _legs(self, told: payloads.ListAnswer) -> tuple[VenueOrder, ...]:
        return tuple(self._names.note(understood(translate.order, row)) for row in told.order_reports)


def order_params(order: NewOrder) -> dict[str, str]:
    """One order in the words of ``POST /api/v3/order``."""
    params = {
        "symbol": order.symbol,
        "side": order.side.value,
        "quantity": text(order.qty),
        "newClientOrderId": order.ref,
        "newOrderRespType": "RESULT",
        "selfTradePreventionMode": SELF_TRADE,
    }
    match order.type:
        case OrderType.MARKET:
            return params | {"type": "MARKET"}
        case OrderType.LIMIT if order.time_in_force is TimeInForce.GTX:
            return params | {"type": "LIMIT_MAKER", "price": _price_of(order)}
        case OrderType.LIMIT:
            good = order.time_in_force or TimeInForce.GTC
            return params | {"type": "LIMIT", "price": _price_of(order), "timeInForce": good.value}
        case OrderType.STOP_LOSS_LIMIT:
            terms = {"price": _price_of(order), "stopPrice": _trigger_of(order), "timeInForce": "GTC"}
            return params | {"type": "STOP_LOSS_LIMIT"} | terms
        case OrderType.STOP_MARKET | OrderType.TAKE_PROFIT_MARKET:
            raise ValueError(f"{order.ref}: spot has no {order.type}")


def pair_params(target: NewOrder, stop: NewOrder) -> dict[str, str]:
    """A post-only target and a stop in the words of ``POST /api/v3/orderList/oco``.

    A SELL has its target above the market and its stop below, a BUY the other way round.
    """
    alike = all(getattr(target, name) == getattr(stop, name) for name in ("symbol", "side", "qty", "group"))
    kinds = (target.type, target.time_in_force, stop.type)
    if not alike or kinds != (OrderType.LIMIT, TimeInForce.GTX, OrderType.STOP_LOSS_LIMIT):
        raise ValueError(f"{target.ref} and {stop.ref} are no pair of a post-only target and a stop of one size")
    if target.group is None or len({target.group, target.ref, stop.ref}) < 3:
        raise ValueError(f"{target.ref} and {stop.ref}: the list needs a name of its own")
    over, under = ("above", "below") if target.side is Side.SELL else ("below", "above")
    return {
        "symbol": target.symbol,
        "listClientOrderId": target.group,
        "side": target.side.value,
        "quantity": text(target.qty),
        f"{over}Type": "LIMIT_MAKER",
        f"{over}ClientOrderId": target.ref,
        f"{over}Price": _price_of(target),
        f"{under}Type": "STOP_LOSS_LIMIT",
        f"{under}ClientOrderId": stop.ref,
        f"{under}StopPrice": _trigger_of(stop),
        f"{under}Price": _price_of(stop),
        f"{under}TimeInForce": "GTC",
        "newOrderRespType": "RESULT",
        "selfTradePreventionMode": SELF_TRADE,
    }


def _price_of(order: NewOrder) -> str:
    return _needed(order.price, f"{order.ref}: a {order.type} order needs a price")


def _trigger_of(order: NewOrder) -> str:
    return _needed(order.trigger_price, f"{order.ref}: a {order.type} order needs a trigger price")


def _needed(price: Price | None, why: str) -> str:
    if price is None:
        raise ValueError(why)
    return text(price)


def _order(body: bytes) -> VenueOrder:
    return understood(translate.order, answer(body, payloads.OrderRow))


def _accepted(placed: VenueOrder, order: NewOrder) -> VenueOrder:
    if placed.status is Status.IN_DOUBT:
        raise OutcomeUnknown(f"placed, {placed.reason}")
    return meant(placed, order.symbol, order.ref)
