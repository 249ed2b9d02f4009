"""The duty of closing: reduce a position to flat, or by a quantity, without ever baring it and without flipping it.

The order of things (incident 9, incident 10): entries stop, the target is cancelled first, the exit goes reduce-only
at market sized by the position at that moment, the stop stays until the position is flat.
"""

from collections.abc import Collection
from decimal import Decimal

from chimera.execute import hindered
from chimera.execute.cut_off import RARELY_MS, asking, hears_first
from chimera.execute.dust import too_small
from chimera.execute.proving import no_later
from chimera.protect.pairs import locked_qty, ours_qty, short_by
from chimera.trading.commands import NOTHING, Command, Place
from chimera.trading.events import Alert, Severity
from chimera.trading.execution import Exit, Phase
from chimera.trading.holding import Holding
from chimera.trading.ids import ClientOrderId, IntentId
from chimera.trading.market import Side
from chimera.trading.money import ZERO, Millis, Qty, text
from chimera.trading.order import NewOrder, Order, OrderType, Role, Status
from chimera.trading.position import Lot
from chimera.trading.refusal import Refusal
from chimera.trading.scene import Scene

TARGET_CANCEL_MS = 300  # how long the exit waits for the target to be gone
RETRY_MS = 250
BAND_MS = 1_000  # no pause is longer while the book is outside the venue's price band
HELD_BACK_MS = 1_000  # a close that left has an outcome by then; one without waits for the disk, as a part's does
LATE_MS = 1_000  # nobody looked at the time for so long: we were dead, or the machine slept
HEAR_FIRST_MS = 5_000  # then the venue is heard before anything is closed, but nobody waits for it for ever

_ON_ITS_WAY = (Status.PENDING_NEW, Status.NEW, Status.PARTIALLY_FILLED, Status.IN_DOUBT)


def due_lots(holding: Holding, scene: Scene) -> Holding:
    """A lot held for its ``max_hold_s``, or that somebody wants gone, is closed: the whole where nobody else is here.

    A part that the venue would not take waits until it would, or goes with the rest; it keeps its stop meanwhile. So
    does one that the venue refuses to close: it gives way to a close of everything.
    """
    present = holding.exit
    if present is not None and (present.qty is None or not present.tries):
        return holding
    why = {lot.intent_id: reason for lot in holding.position.lots if (reason := _due(holding, lot, scene))}
    if not why or not holding.exposure:  # closed by its answer, its trades are to come: the lots stand until then
        return holding
    whole = len(why) == len(holding.position.lots) and alone(holding, tuple(why))
    if present is not None and not whole:
        return holding
    qty = None if whole else Qty(sum((lot.qty for lot in holding.position.lots if lot.intent_id in why), ZERO))
    if qty is not None and too_small(qty, scene):
        return holding
    reason = next(iter(why.values()))
    wanted = Exit(reason=reason, asked_ms=scene.now_ms, qty=qty, left_qty=qty, lots=tuple(why))
    return _hearing_first(holding, wanted, scene) if _missed(holding, why, scene) else begin(holding, wanted)


def _missed(holding: Holding, lots: Collection[IntentId], scene: Scene) -> bool:
    """Whether the moment passed while nobody listened: what was held may be gone by now, and another opened by hand."""
    if not holding.key.market.reduces_only:  # there the end of each list is heard before anything is sold
        return False
    ends = (lot.close_at_ms for lot in holding.position.lots if lot.intent_id in lots)
    late = any(end_ms is not None and scene.now_ms > end_ms + LATE_MS for end_ms in ends)
    return late and scene.now_ms > holding.surveyed_ms + LATE_MS


def _hearing_first(holding: Holding, wanted: Exit, scene: Scene) -> Holding:
    begun = begin(holding, wanted.but(retry_at_ms=Millis(scene.now_ms + HEAR_FIRST_MS)))
    return begun.but(survey_due_ms=scene.now_ms, survey_asked_ms=None)


def heard(holding: Holding, missing: Collection[ClientOrderId], asked_ms: Millis) -> Exit | None:
    """After a survey that was asked then: what has not been tried yet waited for it alone, and for the word on a stop
    or a target that it did not list (``missing``): it may have closed the position, its trades yet to be told.
    """
    wanted = holding.exit
    if wanted is None or wanted.tries or asked_ms < wanted.asked_ms:
        return wanted
    if any(holding.orders[ref].role.protective for ref in missing):
        return wanted
    return wanted.but(retry_at_ms=None)


def restarted(holding: Holding, scene: Scene) -> Exit | None:
    """A close of the life before. Where it may be sent again the venue is heard first: it may be over, with all that it
    was for, and who stood in its way, too.
    """
    if holding.exit is None:
        return None
    wanted = hindered.forgotten(holding.exit)
    if not holding.key.market.reduces_only:
        return wanted.but(retry_at_ms=no_later(wanted.retry_at_ms, scene))
    return wanted.but(tries=0, retry_at_ms=Millis(scene.now_ms + scene.policy.restart_patience_ms))


def _due(holding: Holding, lot: Lot, scene: Scene) -> str:
    """The reason for which this lot is to go now; empty where it may stay."""
    working = holding.intents.get(lot.intent_id)
    if working is not None and working.close_as:
        return working.close_as
    return "MAX_HOLD" if lot.close_at_ms is not None and lot.close_at_ms <= scene.now_ms else ""


def alone(holding: Holding, intents: Collection[IntentId]) -> bool:
    """Whether nothing of anybody but these is held or entering: a close of everything would take that, too."""
    others = (work for key, work in holding.intents.items() if key not in intents and not work.intent.reduce_only)
    entering = any(work.phase is Phase.WORKING and not work.canceling for work in others)
    return not entering and all(lot.intent_id in intents for lot in holding.position.lots)


def give_up(holding: Holding, intent_id: IntentId, reason: str, scene: Scene) -> Holding:
    """Close what this intent holds and what of it may still fill: everything, unless others are here."""
    if alone(holding, (intent_id,)):
        return begin(holding, Exit(reason=reason, asked_ms=scene.now_ms))
    working = holding.intents[intent_id].but(close_as=reason)
    return holding.but(intents={**holding.intents, intent_id: working})


def without_scrap(holding: Holding, scene: Scene) -> tuple[Holding, tuple[Alert, ...]]:
    """A part of which the venue would not take what is left ends here, told: tried for ever it would block the rest."""
    wanted = holding.exit
    left = None if wanted is None else _left(holding, wanted)
    if wanted is None or not left or not holding.exposure or not too_small(left, scene):
        return holding, ()
    if any(order.status in _ON_ITS_WAY or order.owed for order in holding.in_role(Role.EXIT)):
        return holding, ()
    told = (
        f"{holding.key}: {text(left)} of the {text(wanted.qty or left)} to be closed ({wanted.reason}) stays open, too"
        " little for the venue to take"
    )
    return holding.but(exit=None), (Alert(severity=Severity.WARN, code="CLOSE_TOO_SMALL", text=told),)


def begin(holding: Holding, wanted: Exit) -> Holding:
    """Start a close; a whole close outranks a partial one, and the first reason stays."""
    present = holding.exit
    if present is not None and (present.qty is None or wanted.qty is not None):
        return holding
    return holding.but(exit=wanted)


def close_out(holding: Holding, scene: Scene) -> tuple[Holding, tuple[Command, ...]]:
    """The next step of the close that is on, if one is."""
    wanted = holding.exit
    if wanted is None:
        return holding, NOTHING
    if wanted.qty is None:
        holding = _stop_entries(holding)
    exits = [order for order in holding.in_role(Role.EXIT) if order.status in _ON_ITS_WAY]
    if wanted.qty is not None and any(order.owed for order in holding.in_role(Role.EXIT)):
        return holding, NOTHING  # filled by its answer, its trades are to come: a part sent now would be closed twice
    left = _left(holding, wanted)
    if not exits and (not holding.exposure or (left is not None and left <= 0)):
        waiting = holding.entering and wanted.qty is None
        return (holding, NOTHING) if waiting else (holding.but(exit=None), NOTHING)
    if exits:
        repeatable = holding.key.market.reduces_only
        return _resend(holding, exits[0], wanted, scene) if repeatable else (holding, NOTHING)
    if not holding.exposure or holding.unseen or _in_the_way(holding, wanted, scene):
        return holding, NOTHING
    holding, clearing = hindered.clear(holding, wanted, scene)
    if clearing:
        return holding, clearing
    differs = bool(holding.strikes) and abs(holding.suspected) >= scene.instrument.step
    if wanted.qty is not None and differs:  # the venue shows another position: the part may be closed already
        return holding, NOTHING
    if wanted.retry_at_ms is not None and scene.now_ms < wanted.retry_at_ms:
        return holding, NOTHING
    tried_ms, pause_ms = (wanted.retry_at_ms, RARELY_MS) if wanted.tries else (None, HEAR_FIRST_MS)
    if hears_first(holding, tried_ms or wanted.asked_ms, scene, pause_ms=pause_ms):
        return asking(holding, scene), NOTHING
    return _place(holding, wanted, scene)


def failed(holding: Holding, scene: Scene, refusal: Refusal | None = None) -> Holding:
    """An exit was refused or never left: ask what is really there, then try again, for ever and ever slower.

    A book outside the venue's price band is nothing of ours, and may be back at any moment: then not much slower, and
    nothing more is asked.
    """
    if holding.exit is None:
        return holding
    pause_ms, tries = RETRY_MS * 2 ** min(holding.exit.tries, 5), holding.exit.tries + 1
    of_band = refusal is Refusal.PRICE_BAND
    retry_at_ms = Millis(scene.now_ms + (min(pause_ms, BAND_MS) if of_band else pause_ms))
    wanted = hindered.refused(holding.exit, refusal, holding, scene)
    again = holding.but(exit=wanted.but(tries=tries, retry_at_ms=retry_at_ms))
    return again if of_band and tries > 1 else again.but(survey_due_ms=scene.now_ms)


def not_sent(holding: Holding) -> Holding:
    """A close of everything never left: it goes out again under its own id; the try counts, so that somebody hears."""
    return holding if holding.exit is None else holding.but(exit=holding.exit.but(tries=holding.exit.tries + 1))


def _stop_entries(holding: Holding) -> Holding:
    working = {
        key: work.but(canceling=True, reason="CLOSING") if work.phase is Phase.WORKING and not work.canceling else work
        for key, work in holding.intents.items()
    }
    return holding.but(intents=working) if working != holding.intents else holding


def _left(holding: Holding, wanted: Exit) -> Qty | None:
    """Of a part what is still to be closed; of certain lots no more than is held of them: the rest is another's."""
    if wanted.left_qty is None or not wanted.lots:
        return wanted.left_qty
    held = sum((lot.qty for lot in holding.position.lots if lot.intent_id in wanted.lots), ZERO)
    return Qty(min(wanted.left_qty, held))


def _in_the_way(holding: Holding, wanted: Exit, scene: Scene) -> bool:
    """What locks or blocks the quantity is being cancelled by the duty of protection.

    On futures that is the target, and the exit gives it a moment, not for ever. On spot it is each list: its end must
    be known, since what it may still sell would be sold twice.
    """
    if not holding.key.market.reduces_only:
        left, ours = _left(holding, wanted), ours_qty(holding, scene)
        return ours - locked_qty(holding) < (ours if left is None else min(left, ours))
    if scene.now_ms >= wanted.asked_ms + TARGET_CANCEL_MS:
        return False
    return any(not order.status.final for order in holding.in_role(Role.TARGET))


def _place(holding: Holding, wanted: Exit, scene: Scene) -> tuple[Holding, tuple[Command, ...]]:
    futures, left = holding.key.market.reduces_only, _left(holding, wanted)
    held = abs(holding.exposure) if futures else _there(holding, wanted, scene)
    size, rules = held if left is None else min(held, left), scene.instrument
    if futures and left is None:  # rounded up, since it can only reduce: the step may have grown since it was opened
        size = max(rules.ceil_to_step(size), rules.min_qty)
    qty = rules.floor_to_step(min(size, rules.market_max_qty))
    if not qty:
        return holding.but(exit=None), NOTHING
    holding, ref = holding.next_child(Role.EXIT)
    request = NewOrder(
        ref=ref,
        symbol=holding.key.symbol,
        side=Side.SELL if holding.exposure > 0 else Side.BUY,
        type=OrderType.MARKET,
        qty=qty,
        reduce_only=True,
    )
    order = Order(
        request=request,
        role=Role.EXIT,
        intent_id=None,
        created_ms=scene.now_ms,
        mid_at_send=scene.mid,
        book_at_send=scene.top,
        episode=holding.position.closed_count,
    )
    repeatable = wanted.qty is None and futures
    urgent = wanted.qty is None
    return holding.with_order(order), (Place(order=request, role=Role.EXIT, flatten=repeatable, urgent=urgent),)


def _there(holding: Holding, wanted: Exit, scene: Scene) -> Decimal:
    """On spot what is ours; after a failure no more than the wallet shows, where that is something to sell."""
    ours = ours_qty(holding, scene)
    shown = ours - short_by(holding)
    return shown if wanted.tries and not too_small(shown, scene) else ours


def _resend(holding: Holding, order: Order, wanted: Exit, scene: Scene) -> tuple[Holding, tuple[Command, ...]]:
    """A whole close in doubt goes out again at once under its own id: it can only reduce.

    A partial one could reduce twice, so it is asked for instead (``execute.asking``). Where everything is to be closed
    by now, a part that still waits for the disk waits no longer: the rest must not wait behind it.
    """
    held_back = order.status is Status.PENDING_NEW and order.created_ms < wanted.asked_ms
    if wanted.qty is not None or not (order.resendable or held_back):
        return holding, NOTHING
    due = order.created_ms + HELD_BACK_MS if held_back else order.resend_due_ms
    if scene.now_ms < due:
        return holding, NOTHING
    if order.resends and hears_first(holding, order.created_ms, scene):
        return asking(holding, scene), NOTHING
    again = order.but(resends=order.resends + 1, created_ms=scene.now_ms)
    return holding.with_order(again), (Place(order=order.request, role=Role.EXIT, flatten=True),)
