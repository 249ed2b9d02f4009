"""Cancelling an order: what works of it ends, what has filled keeps its stop."""

from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

import msgspec

from chimera.services.console import shown
from chimera.services.console.acts import Act, Answer, Deed, Desk, Effect, Given, Item, Step
from chimera.services.console.rows import ChildSeen, OrderSeen, read_row
from chimera.services.console.same import Same
from chimera.services.console.screen import Params
from chimera.trading.order import FINAL


async def _effect(desk: Desk, params: Params) -> Effect | None:
    order = await _order(desk, params["order"])
    if order is None or order.done_ms is not None or order.status in FINAL:
        return None
    working = [child for child in order.children if child.status not in FINAL]
    kept = f"the {shown.amount(order.filled_qty)} that filled stay, with stop and target" if order.filled_qty else ""
    body = msgspec.json.encode({"client_order_id": order.client_order_id, "reason": "USER_REQUEST"}).decode()
    return Effect(
        about=order.client_order_id,
        title="Cancel this order?",
        lead=f"{order.side} {shown.amount(order.qty)} {order.symbol}, on the {desk.seen.mode} account. S4 will:",
        steps=(
            *(Step(f"cancel {_told(child)}", child.client_order_id) for child in working),
            Step("send no further slice or child of it"),
            Step(kept or "leave the position as it is: nothing of it has filled"),
        ),
        button="Cancel the order",
        leave="Let it work",
        word=order.symbol,
        rests_on=tuple(child.client_order_id for child in working),
        same=(Same(method="POST", path="/cancel", body=body, cli=f"chimera cancel {quote(order.client_order_id)}"),),
        basis=order,
    )


def _told(child: ChildSeen) -> str:
    price = child.price or child.stop_price
    at = f" at {shown.amount(price)}" if price is not None else ""
    return f"the {child.leg.lower()} order, {shown.amount(child.qty - child.filled_qty)} left{at}"


async def _order(desk: Desk, name: str) -> OrderSeen | None:
    found: dict[str, Any] | None = await desk.others.router.order(name)
    return None if found is None or found.get("kind") == "CHILD" else read_row(found, OrderSeen)


async def _do(desk: Desk, effect: Effect, _: Given) -> str:
    told = await desk.others.router.cancel(client_order_id=effect.about)
    return str(told.get("message") or "canceled")


async def _ask(desk: Desk, deed: Deed) -> Deed:
    """Each child until the order is over."""
    if deed.answer is Answer.REFUSED:
        return deed
    order = await _order(desk, deed.effect.about)
    if order is None:
        return deed
    before: OrderSeen = deed.effect.basis
    was = {child.client_order_id for child in before.children if child.status not in FINAL}
    items = tuple(
        Item(f"{child.leg.lower()} {child.client_order_id} is {child.status.lower()}", child.status in FINAL)
        for child in order.children
        if child.client_order_id in was
    )
    deed = replace(deed, items=items)
    if order.done_ms is None and order.status not in FINAL:
        return deed
    outcome = f"Over: {order.status.lower()}, {shown.amount(order.filled_qty)} filled"
    return replace(deed, outcome=outcome, ended_ms=desk.others.clock.now_ms())


CANCEL: Final = Act(name="cancel", asks=("order",), effect=_effect, do=_do, follow=lambda deed, _, __: deed, ask=_ask)
