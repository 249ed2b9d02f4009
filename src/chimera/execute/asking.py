"""The duty of asking: whatever is in doubt, owed or overdue is asked for, at a pace that slows down."""

from chimera.trading.commands import Ask, Command, Survey
from chimera.trading.execution import Phase
from chimera.trading.holding import Holding
from chimera.trading.money import Millis
from chimera.trading.order import Status
from chimera.trading.scene import Scene
from chimera.trading.venue import OrderRef

FIRST_ASK_MS = 300
SLOWEST_ASK_MS = 5_000
SURVEY_PATIENCE_MS = 5_000  # a survey that has not answered by then is asked again
IDLE_FACTOR = 10  # a flat symbol is surveyed this much more rarely


def ask(holding: Holding, scene: Scene) -> tuple[Holding, tuple[Command, ...]]:
    """Query orders whose time has come; pull trades that are owed; survey the symbol when due."""
    commands: list[Command] = []
    for order in tuple(holding.orders.values()):
        if order.ask_at_ms is None or scene.now_ms < order.ask_at_ms:
            continue
        pause = min(FIRST_ASK_MS * 2 ** min(order.asks, 10), SLOWEST_ASK_MS)
        holding = holding.with_order(order.but(asks=order.asks + 1, ask_at_ms=Millis(scene.now_ms + pause)))
        if order.owed:
            holding = holding.but(survey_due_ms=scene.now_ms)
        elif order.status is not Status.PENDING_NEW:
            named = OrderRef(symbol=order.request.symbol, ref=order.ref, conditional=order.request.type.conditional)
            commands.append(Ask(order=named))
    holding, survey = _survey(holding, scene)
    return holding, (*commands, *survey)


def _survey(holding: Holding, scene: Scene) -> tuple[Holding, tuple[Command, ...]]:
    under_way = holding.survey_asked_ms is not None and scene.now_ms < holding.survey_asked_ms + SURVEY_PATIENCE_MS
    if under_way or scene.now_ms < holding.survey_due_ms:
        return holding, ()
    busy = bool(holding.position.lots) or any(work.phase is Phase.WORKING for work in holding.intents.values())
    every = scene.policy.survey_every_ms * (1 if busy else IDLE_FACTOR)
    asked = holding.but(survey_asked_ms=scene.now_ms, survey_due_ms=Millis(scene.now_ms + every))
    since = Millis(max(holding.trades_confirmed_ms - scene.policy.trades_overlap_ms, 0))
    return asked, (Survey(trades_since_ms=since),)
