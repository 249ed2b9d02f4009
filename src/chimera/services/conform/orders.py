"""One order's life as a rehearsal walks it, on either market: place, cancel, let rest, query."""

from collections.abc import Awaitable, Callable
from decimal import Decimal

from chimera.services.conform.hands import Answer, Desk


def path(desk: Desk) -> str:
    """Where this market takes orders."""
    return f"{desk.caller.base}/order"


async def place(desk: Desk, **changes: Decimal | str | None) -> Answer:
    """A LIMIT BUY that rests, changed."""
    return await desk.caller.call("POST", path(desk), desk.terms(**changes))


async def cancel(desk: Desk, order_id: int) -> Answer:
    return await desk.caller.call("DELETE", path(desk), {"symbol": desk.symbol, "orderId": str(order_id)})


async def resting(desk: Desk, **changes: Decimal | str | None) -> Answer:
    """A resting order's answer; cancelled again."""
    placed = await place(desk, **changes)
    if not placed.refused:
        await cancel(desk, placed.body["orderId"])
    return placed


async def canceled(desk: Desk) -> Answer:
    """The answer to a cancel."""
    placed = await place(desk)
    return await cancel(desk, placed.body["orderId"])


async def queried(desk: Desk) -> Answer:
    """The answer to a query of an order that was cancelled."""
    placed = await resting(desk)
    return await desk.caller.call("GET", path(desk), {"symbol": desk.symbol, "orderId": str(placed.body["orderId"])})


def asking(method: str, path: str, **params: str) -> Callable[[Desk], Awaitable[Answer]]:
    """A request about the symbol of the desk that is to send it."""

    async def send(desk: Desk) -> Answer:
        return await desk.caller.call(method, path, {"symbol": desk.symbol, **params})

    return send
