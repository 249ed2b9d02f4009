"""The duty of asking: whatever is in doubt, owed or overdue is asked for, at a pace that slows down."""

from chimera.execute.proving import next_ask_ms
from chimera.protect.crossing import CROSSED_MS, crossed, timed
from chimera.protect.pairs import bereft
from chimera.trading.commands import Ask, Command, Survey
from chimera.trading.holding import Holding
from chimera.trading.money import ZERO, Millis, Qty
from chimera.trading.order import Order, Role, Status
from chimera.trading.scene import Scene
from chimera.trading.venue import OrderRef

FIRST_ASK_MS = 300
SLOWEST_ASK_MS = 5_000
OWED_PATIENCE_MS = 60_000
OWED_ASKS = 8  # and only after so many questions: a process that was dead or stopped for a minute has asked none
SURVEY_PATIENCE_MS = 5_000  # a survey that has not answered by then is asked again
IDLE_FACTOR = 10  # a flat symbol is surveyed this much more rarely


def next_survey_ms(holding: Holding, scene: Scene) -> Millis:
    """When to look again after a survey has been heard."""
    busy = bool(holding.position.lots) or holding.entering
    return Millis(scene.now_ms + scene.policy.survey_every_ms * (1 if busy else IDLE_FACTOR))


def confirmed_ms(holding: Holding, asked_ms: Millis, scene: Scene) -> Millis:
    """Venue clock: after a survey that was asked then, no trade of before this is still to come.

    An order that has filled by the venue's word or its position, or is in doubt, has trades that come late.
    """
    late = (order.created_ms for order in holding.orders.values() if _trades_come(order))
    confirmed = Millis(min((asked_ms, *late)) + scene.venue_now_ms - scene.now_ms)
    return Millis(max(holding.trades_confirmed_ms, confirmed))


def _trades_come(order: Order) -> bool:
    return bool(order.owed or order.untold_qty) or order.status is Status.IN_DOUBT


def ask(holding: Holding, scene: Scene) -> tuple[Holding, tuple[Command, ...]]:
    """Query orders whose time has come; pull trades that are owed; survey the symbol when due."""
    commands: list[Command] = []
    holding = timed(holding, scene)
    for stop in (*crossed(holding, scene), *bereft(holding)):
        if stop.asked_ms is None or scene.now_ms >= stop.asked_ms + CROSSED_MS:
            holding = holding.with_order(stop.but(ask_at_ms=scene.now_ms))
    for order in tuple(holding.orders.values()):
        if order.ask_at_ms is None or scene.now_ms < order.ask_at_ms:
            continue
        pause = min(FIRST_ASK_MS * 2 ** min(order.asks, 10), SLOWEST_ASK_MS)
        later = next_ask_ms(holding, order, pause, scene)
        holding = holding.with_order(order.but(asks=order.asks + 1, ask_at_ms=later, asked_ms=scene.now_ms))
        if order.owed:
            holding = _owed(holding, order, scene)
        elif order.status is not Status.PENDING_NEW:
            commands.append(Ask(order=OrderRef.to(order)))
    holding, survey = _survey(holding, scene)
    return holding, (*commands, *survey)


def _owed(holding: Holding, order: Order, scene: Scene) -> Holding:
    """Pull the trades; those that no survey brought in a minute of asking are counted under another id, or never told.

    The venue's position then decides, by the strikes of the surveys; until it has, what stands there stays. The order
    has filled all the same, and nothing is sent in its place. On spot, where a wallet holds the user's own coins, too,
    no position decides: there the venue's word on the order stands for as long as it takes.
    """
    heard = order.ended_ms is not None and holding.surveyed_ms >= order.ended_ms + OWED_PATIENCE_MS
    if heard and order.asks >= OWED_ASKS and holding.key.market.reduces_only:
        untold = Qty(order.untold_qty + order.owed_qty)
        given_up = holding.with_order(order.but(untold_qty=untold, ask_at_ms=None))
        if not holding.strikes:  # the venue's word on the order was a reading, too
            given_up = given_up.but(strikes=1, suspected=order.request.side.sign * order.owed_qty)
        given_up = given_up.but(survey_due_ms=scene.now_ms)
        return _closed_all_the_same(given_up, order)
    return holding.but(survey_due_ms=min(holding.survey_due_ms, scene.now_ms))


def _closed_all_the_same(holding: Holding, order: Order) -> Holding:
    """By the venue's word this much of a part has been closed: it is not closed once more for want of its trades."""
    wanted = holding.exit
    if order.role is not Role.EXIT or wanted is None or wanted.left_qty is None:
        return holding
    return holding.but(exit=wanted.but(left_qty=Qty(max(wanted.left_qty - order.owed_qty, ZERO))))


def _survey(holding: Holding, scene: Scene) -> tuple[Holding, tuple[Command, ...]]:
    """One at a time; what calls for another meanwhile gets it afterwards: the first may have been asked too early."""
    asked_ms = holding.survey_asked_ms
    due_ms = holding.survey_due_ms if asked_ms is None else asked_ms + SURVEY_PATIENCE_MS
    if scene.now_ms < due_ms:
        return holding, ()
    asked = holding.but(survey_asked_ms=scene.now_ms, survey_due_ms=next_survey_ms(holding, scene))
    since = Millis(max(holding.trades_confirmed_ms - scene.policy.trades_overlap_ms, 0))
    return asked, (Survey(trades_since_ms=since),)
