"""Closing a position: its exact effect before, and afterwards, item by item, how far it has come.

Pure but for the asking. The effect is drawn from the row that S4 shows; the quantity and the orders are what a
confirmation rests on, prices may move under it. Closing is S4's.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from chimera.services.console import shown
from chimera.services.console.acts import Act, Answer, Deed, Desk, Effect, Given, Item, Step
from chimera.services.console.rows import PositionRow, Resting, read_row
from chimera.services.console.same import Same
from chimera.services.console.screen import Params
from chimera.services.console.seen import Seen
from chimera.trading.market import Market
from chimera.trading.money import Millis, text


async def _effect(desk: Desk, params: Params) -> Effect | None:
    """By S4's answer of now."""
    for document in await desk.others.router.positions():
        row = read_row(document, PositionRow)
        if row.name == params["position"] and row.is_open:
            return effect_of(row, desk.seen.mode)
    return None


def effect_of(row: PositionRow, mode: str) -> Effect:
    size, side = shown.amount(abs(row.qty)), "SELL" if row.qty > 0 else "BUY"
    steps = [
        _ended(row.target, "cancel the target:", "cancel entries that still work; there is no target"),
        Step(f"{side} {size} {row.symbol} at market, reduce-only")
        if row.qty
        else Step("close at market, reduce-only, what the venue says is held"),
        Step(f"keep the stop at {shown.amount(row.stop.price)} until flat, then cancel it", row.stop.client_order_id)
        if row.stop
        else Step("find no stop to cancel: the position has none"),
    ]
    profit = f"{shown.signed(row.unrealized_pnl)} USDT before fees and slippage"
    busy = f"It is being closed already ({row.exit}); asking again changes nothing. " if row.exit else ""
    body = "" if row.market == Market.FUT else f'{{"market":"{row.market}"}}'
    flag = "" if row.market == Market.FUT else f" --market {row.market.lower()}"
    return Effect(
        about=row.name,
        title=f"Close {row.name}?",
        lead=f"{busy}In this order S4 will, on the {mode} account:",
        steps=tuple(steps),
        button=f"Close {row.name}",
        leave="Leave it open",
        note=f"At the mark ({shown.amount(row.mark_price)}) that realises about {profit}."
        " S3 keeps deciding and may open again.",
        word=row.name,
        rests_on=(text(row.qty), *(order.client_order_id if order else "-" for order in (row.target, row.stop))),
        same=(
            Same(
                method="POST",
                path=f"/positions/{row.symbol}/close",
                body=body,
                cli=f"chimera close {row.symbol}{flag}",
            ),
        ),
        basis=row,
    )


def _ended(order: Resting | None, words: str, none: str) -> Step:
    if order is None:
        return Step(none)
    return Step(f"{words} {shown.amount(order.qty)} at {shown.amount(order.price)}", order.client_order_id)


async def _do(desk: Desk, effect: Effect, given: Given) -> str:
    row: PositionRow = effect.basis
    told = await desk.others.router.close(row.symbol, market=Market(row.market), close_id=f"console-{given.deed_id}")
    return str(told.get("message") or "taken")


@dataclass(frozen=True)
class _Left:
    """What the newest row says of a close. ``left``: base asset; ``result``: realised less fees, once flat."""

    target_gone: bool
    stop_gone: bool
    left: Decimal
    result: Decimal | None = None


def _follow(deed: Deed, seen: Seen, now_ms: int) -> Deed:
    if deed.answer is Answer.REFUSED or deed.ended_ms is not None:
        return deed
    before: PositionRow = deed.effect.basis
    row = next((row for row in seen.positions if row.name == before.name), None)
    if row is None:
        return deed
    left = _left(before, row)
    items = []
    if before.target:
        told = "is gone" if left.target_gone else "is being cancelled"
        items.append(Item(f"target at {shown.amount(before.target.price)} {told}", left.target_gone))
    side = "sell" if before.qty > 0 else "buy"
    items.append(Item(f"{side} {shown.amount(abs(before.qty))}, {shown.amount(left.left)} left", not left.left))
    if before.stop:
        told = "is gone" if left.stop_gone else "stays until flat"
        items.append(Item(f"stop at {shown.amount(before.stop.price)} {told}", left.stop_gone))
    deed = replace(deed, items=tuple(items))
    if left.result is None:
        return deed
    outcome = f"Flat. Realised after fees {shown.signed(left.result)} USDT"
    return replace(deed, outcome=outcome, ended_ms=Millis(now_ms))


def _left(before: PositionRow, now: PositionRow) -> _Left:
    if not now.is_open or now.closed_count > before.closed_count:
        return _Left(True, True, Decimal(0), now.net_pnl - before.net_pnl)
    return _Left(_gone(before.target, now.target), _gone(before.stop, now.stop), abs(now.qty))


def _gone(before: Resting | None, now: Resting | None) -> bool:
    return before is None or now is None or now.client_order_id != before.client_order_id


CLOSE: Final = Act(name="close", asks=("position",), effect=_effect, do=_do, follow=_follow)
