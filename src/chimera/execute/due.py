"""When the owner of a holding must look again though nothing happened."""

from collections.abc import Iterator

from chimera.execute.asking import SURVEY_PATIENCE_MS
from chimera.execute.children import REPRICE_EVERY_MS
from chimera.execute.closing import HELD_BACK_MS, TARGET_CANCEL_MS
from chimera.protect.forms import DOUBT_MS
from chimera.trading.execution import Phase, Working
from chimera.trading.holding import Holding
from chimera.trading.money import Millis
from chimera.trading.order import FINAL, Role, Status


def next_due_ms(holding: Holding, now_ms: Millis) -> Millis | None:
    """The earliest moment to come at which some duty may have something to do.

    Deadlines are moments, so they survive a restart. What is due already was acted on by the ``advance`` that made this
    holding: it waits for an answer now, not for time.
    """
    return min((Millis(moment) for moment in _moments(holding, now_ms) if moment > now_ms), default=None)


def next_slice_ms(work: Working) -> Millis | None:
    """When the next slice of a plan of several may begin; of its last, when it ends.

    None where no moment is to be kept: one slice, a pause, or the plan is over.
    """
    number, slices = work.slice_no, work.plan.slices
    if len(slices) < 2 or work.phase is not Phase.WORKING or work.canceling or work.paused_ms is not None:
        return None
    if not work.slice_begun:
        return Millis(max(work.slice_due_ms, work.retry_at_ms or 0))
    return work.slice_at_ms(number + 1) if number + 1 < len(slices) else work.plan.deadline_ms


def _moments(holding: Holding, now_ms: Millis) -> Iterator[int]:
    asked = holding.survey_asked_ms
    yield holding.survey_due_ms if asked is None else asked + SURVEY_PATIENCE_MS
    for lot in holding.position.lots:
        if lot.close_at_ms is not None and holding.exit is None:
            yield lot.close_at_ms
    passed_ms = now_ms - DOUBT_MS
    for order in holding.orders.values():
        if order.status in FINAL and order.latest_ms <= passed_ms:  # most of them, where much was traded lately
            continue
        for moment in (order.ask_at_ms, order.patience_ms, order.cancel_at_ms):
            if moment is not None:
                yield moment
        if order.doubted_ms is not None:
            yield order.doubted_ms + DOUBT_MS
        if order.status.final:
            continue
        if order.resendable and order.request.reduce_only:
            yield order.resend_due_ms
        if order.role is Role.EXIT and order.status is Status.PENDING_NEW:
            yield order.created_ms + HELD_BACK_MS
    for work in holding.intents.values():
        if work.phase is Phase.WORKING:
            yield from _of_working(work, now_ms)
    for moment in (holding.stop_retry_at_ms, holding.target_retry_at_ms):
        if moment is not None:
            yield moment
    if holding.guard_until_ms is not None:
        yield holding.guard_until_ms
    if holding.exit is not None:
        yield holding.exit.asked_ms + TARGET_CANCEL_MS
        if holding.exit.retry_at_ms is not None:
            yield holding.exit.retry_at_ms


def _of_working(work: Working, now_ms: Millis) -> Iterator[int]:
    yield work.ends_ms(now_ms)
    if work.paused_ms is not None:
        return
    yield from (moment for moment in (work.maker_until_ms, work.chase_until_ms, work.retry_at_ms) if moment is not None)
    if not work.slice_begun:
        yield work.slice_due_ms
    resting = work.maker_until_ms is not None and work.chase_until_ms is None and now_ms < work.maker_until_ms
    if resting and work.reprices < work.plan.maker.reprices:
        yield now_ms + REPRICE_EVERY_MS  # whether the touch has moved away
