"""A wall clock that was set back between two lives of ours: what is on record would lie in the future.

Within a process the clock is steady (``services.clock``); between two lives it may have been set. Then a plan would go
on an hour too long, a lot would be held an hour too long, and every survey would pass for older than our news. So all
our moments move back together until the newest of what had happened is now. The venue's own moments (trades, proofs of
death) are by its clock and stay. A clock that was set forward needs nothing: what waits is due, and closing is safe.
"""

from chimera.trading.execution import Exit, Working
from chimera.trading.holding import Holding
from chimera.trading.money import Millis
from chimera.trading.order import Order
from chimera.trading.position import Lot


def rebased(holding: Holding, now_ms: Millis) -> Holding:
    """With every moment of ours moved back by as much as the newest lies ahead; unchanged where none does."""
    happened = [work.accepted_ms for work in holding.intents.values()]
    happened += [event.at_ms for event in holding.outbox]
    back = max(holding.filled_ms, holding.surveyed_ms, *happened, now_ms) - now_ms
    if not back:
        return holding
    lots = tuple(_lot(lot, back) for lot in holding.position.lots)
    return holding.but(
        position=holding.position.but(lots=lots),
        intents={key: _working(work, back) for key, work in holding.intents.items()},
        orders={ref: _order(order, back) for ref, order in holding.orders.items()},
        ended={ref: end.but(at_ms=_less(end.at_ms, back)) for ref, end in holding.ended.items()},
        exit=None if holding.exit is None else _exit(holding.exit, back),
        guards=tuple(guard.but(armed_ms=_less(guard.armed_ms, back)) for guard in holding.guards),
        guard_until_ms=_earlier(holding.guard_until_ms, back),
        surveyed_ms=_less(holding.surveyed_ms, back),
        filled_ms=_less(holding.filled_ms, back),
        stop_retry_at_ms=_earlier(holding.stop_retry_at_ms, back),
        target_retry_at_ms=_earlier(holding.target_retry_at_ms, back),
    )


def _working(work: Working, back: int) -> Working:
    return work.but(
        plan=work.plan.but(deadline_ms=_less(work.plan.deadline_ms, back)),
        accepted_ms=_less(work.accepted_ms, back),
        maker_until_ms=_earlier(work.maker_until_ms, back),
        chase_until_ms=_earlier(work.chase_until_ms, back),
        retry_at_ms=_earlier(work.retry_at_ms, back),
        begun=tuple(mark.but(at_ms=_less(mark.at_ms, back)) for mark in work.begun),
        paused_ms=_earlier(work.paused_ms, back),
    )


def _order(order: Order, back: int) -> Order:
    return order.but(
        created_ms=_less(order.created_ms, back),
        request=order.request.but(not_after_ms=_earlier(order.request.not_after_ms, back)),
        ask_at_ms=_earlier(order.ask_at_ms, back),
        asked_ms=_earlier(order.asked_ms, back),
        doubted_ms=_earlier(order.doubted_ms, back),
        patience_ms=_earlier(order.patience_ms, back),
        cancel_at_ms=_earlier(order.cancel_at_ms, back),
        ended_ms=_earlier(order.ended_ms, back),
    )


def _lot(lot: Lot, back: int) -> Lot:
    return lot.but(close_at_ms=_earlier(lot.close_at_ms, back), stop_named_ms=_less(lot.stop_named_ms, back))


def _exit(wanted: Exit, back: int) -> Exit:
    return wanted.but(asked_ms=_less(wanted.asked_ms, back), retry_at_ms=_earlier(wanted.retry_at_ms, back))


def _less(moment_ms: Millis, back: int) -> Millis:
    return Millis(max(moment_ms - back, 0))


def _earlier(moment_ms: Millis | None, back: int) -> Millis | None:
    return None if moment_ms is None else _less(moment_ms, back)
