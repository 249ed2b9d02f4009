"""Binance USD-M futures as ``ports.Venue``: placing, cancelling and finding orders, and their reports.

Decisions, with their reasons:
- LIMIT and MARKET go to ``/fapi/v1/order``; STOP_MARKET and TAKE_PROFIT_MARKET to the Algo service (``-4120``
  otherwise, since 2025-12-09), always reduce-only: Chimera rests no conditional entries. Their ``Form`` says how, and
  may say that this one goes to ``/fapi/v1/order`` all the same.
- ``newOrderRespType=RESULT``: a MARKET or IOC order answers with what it filled, so a lost stream is noticed at once.
  The trades themselves (price, fee) come by the stream or by ``survey``.
- ``selfTradePreventionMode=EXPIRE_MAKER``: an exit that meets our own resting order takes precedence over it. Sent
  explicitly because the documented defaults differ.
- Nothing is ever sent twice here. What to do after an error is the core's to decide.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from chimera.adapters.binance import payloads, translate
from chimera.adapters.binance.answers import answer, meant, understood
from chimera.adapters.binance.order_names import OrderNames
from chimera.adapters.binance.order_socket import kept_open
from chimera.adapters.binance.outcomes import NO_SUCH_ORDER
from chimera.adapters.binance.placing import SELF_TRADE, in_time, lane_of
from chimera.adapters.binance.raw import (
    CANCEL_ALGO,
    CANCEL_ORDER,
    GET_ALGO,
    GET_ORDER,
    PLACE_ALGO,
    PLACE_ORDER,
    TEST_ORDER,
    RawFutures,
)
from chimera.adapters.binance.signed import Endpoint
from chimera.adapters.binance.user_stream import UserStream
from chimera.ports.venue import Report
from chimera.trading.errors import OutcomeUnknown, VenueRejected
from chimera.trading.form import Form
from chimera.trading.ids import VenueOrderId
from chimera.trading.intent import WorkingType
from chimera.trading.money import Millis, Price, text
from chimera.trading.order import NewOrder, OrderType, Status, TimeInForce
from chimera.trading.venue import OrderRef, VenueOrder


class FuturesVenue:
    """``ports.Venue``."""

    def __init__(self, raw: RawFutures, names: OrderNames, stream: UserStream) -> None:
        self._raw = raw
        self._names = names
        self._stream = stream

    async def place(self, order: NewOrder, *, timeout_ms: int) -> VenueOrder:
        """The order as accepted. An answer about another order, or in a state we do not know, is ``OutcomeUnknown``."""
        in_time(order, self._raw.clock.now_ms())
        if order.conditional:
            body = await self._raw.call(PLACE_ALGO, algo_params(order), timeout_ms=timeout_ms, lane=lane_of(order))
            placed = understood(translate.algo, answer(body, payloads.AlgoRow))
        else:
            body = await self._raw.call(PLACE_ORDER, order_params(order), timeout_ms=timeout_ms, lane=lane_of(order))
            placed = self._names.note(_order(body))
        if placed.status is Status.IN_DOUBT:
            raise OutcomeUnknown(f"placed, {placed.reason}")
        return meant(placed, order.symbol, order.ref)

    async def rehearse(self, order: NewOrder, *, timeout_ms: int) -> None:
        """``POST order/test``; the Algo service has none. Whether stops pass it is unverified (reference 4.1)."""
        if order.conditional:
            raise ValueError(f"{order.ref}: the Algo service has no test")
        await self._raw.call(TEST_ORDER, order_params(order), timeout_ms=timeout_ms)

    async def cancel(self, ref: OrderRef, *, timeout_ms: int) -> VenueOrder | None:
        """None for a conditional order: the Algo service confirms without a word on it.

        ``VenueRejected(-2011)``: it is not open (filled, cancelled, triggered, or in the other service): ask.
        """
        if ref.conditional:
            body = await self._raw.call(CANCEL_ALGO, {"clientAlgoId": ref.ref}, timeout_ms=timeout_ms)
            done = answer(body, payloads.AlgoCanceled)
            if done.client_algo_id != ref.ref or str(done.code) != "200":
                raise OutcomeUnknown(f"cancelled {done.client_algo_id!r} with {done.code!r}, not {ref.ref!r}")
            return None
        body = await self._raw.call(
            CANCEL_ORDER, {"symbol": ref.symbol, "origClientOrderId": ref.ref}, timeout_ms=timeout_ms
        )
        return meant(self._names.note(_order(body)), ref.symbol, ref.ref)

    async def find(self, ref: OrderRef) -> VenueOrder | None:
        """None: not known now, which proves nothing by itself (reads lag)."""
        return await (self._find_conditional(ref) if ref.conditional else self._find_order(ref))

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

    async def _find_order(self, ref: OrderRef) -> VenueOrder | None:
        body = await self._ask(GET_ORDER, {"symbol": ref.symbol, "origClientOrderId": ref.ref})
        return None if body is None else meant(self._names.note(_order(body)), ref.symbol, ref.ref)

    async def _find_conditional(self, ref: OrderRef) -> VenueOrder | None:
        """Both services: the order in its own, and its child in the engine once it has one.

        When the Algo service does not know it, the engine is asked by client id as well: a child carries it.
        """
        body = await self._ask(GET_ALGO, {"clientAlgoId": ref.ref})
        if body is None:
            child = await self._find_order(ref)
            return child if child is not None and child.type is not None and child.type.conditional else None
        row = answer(body, payloads.AlgoRow)
        parent = meant(understood(translate.algo, row), ref.symbol, ref.ref)
        child_id = translate.child_id_of(row)
        if child_id is None:
            return parent
        body = await self._ask(GET_ORDER, {"symbol": ref.symbol, "orderId": child_id})
        return parent if body is None else translate.triggered(parent, self._child(body, ref, child_id))

    def _child(self, body: bytes, ref: OrderRef, child_id: str) -> VenueOrder:
        child = _order(body)
        if child.symbol != ref.symbol or child.venue_id != VenueOrderId(child_id):
            raise OutcomeUnknown(f"asked for order {child_id} of {ref.symbol}, heard of {child.venue_id}")
        return self._names.note(child)

    async def _ask(self, endpoint: Endpoint, params: dict[str, str]) -> bytes | None:
        """The answer, or None where the venue knows no such order."""
        try:
            return await self._raw.call(endpoint, params)
        except VenueRejected as error:
            if error.code == NO_SUCH_ORDER:
                return None
            raise


def order_params(order: NewOrder) -> dict[str, str]:
    """A LIMIT or MARKET order, or a stop as it was before 2025-12, in the words of ``POST /fapi/v1/order``."""
    params = {
        "symbol": order.symbol,
        "side": order.side.value,
        "type": order.type.value,
        "quantity": text(order.qty),
        "newClientOrderId": order.ref,
        "newOrderRespType": "RESULT",
        "selfTradePreventionMode": SELF_TRADE,
    }
    if order.type is OrderType.LIMIT:
        if order.price is None:
            raise ValueError(f"{order.ref}: a LIMIT order needs a price")
        params |= {"price": text(order.price), "timeInForce": (order.time_in_force or TimeInForce.GTC).value}
    if order.type.conditional:
        params |= {"stopPrice": text(_trigger_of(order)), "workingType": _working(order)}
    if order.reduce_only:
        params["reduceOnly"] = "true"
    return params


def algo_params(order: NewOrder) -> dict[str, str]:
    """A stop or target in the words of ``POST /fapi/v1/algoOrder``."""
    whole = order.form is Form.WHOLE
    size = {"closePosition": "true"} if whole else {"quantity": text(order.qty), "reduceOnly": "true"}
    return {
        "algoType": "CONDITIONAL",
        "symbol": order.symbol,
        "side": order.side.value,
        "type": order.type.value,
        **size,
        "triggerPrice": text(_trigger_of(order)),
        "workingType": _working(order),
        "clientAlgoId": order.ref,
        "selfTradePreventionMode": SELF_TRADE,
    }


def _trigger_of(order: NewOrder) -> Price:
    if order.trigger_price is None:
        raise ValueError(f"{order.ref}: a conditional order needs a trigger price")
    return order.trigger_price


def _working(order: NewOrder) -> str:
    return (order.working_type or WorkingType.CONTRACT_PRICE).value  # Binance's default, said aloud


def _order(body: bytes) -> VenueOrder:
    return understood(translate.order, answer(body, payloads.OrderRow))
