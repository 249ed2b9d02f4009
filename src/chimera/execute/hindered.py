"""A close of everything that the venue refuses since reduce-only orders of somebody else hold all that it would close.

Binance counts what rests reduce-only against the position: beside one for all of it, say a take-profit from the app,
each further one is refused (-4118), the child of a stop that fired among them. Such an order can only reduce what is
being closed, and ends with it: it is cancelled, once the venue has refused a close for it. Nothing else that is not
ours is ever touched; a close of a part is tried on, behind its stop.
"""

from collections.abc import Iterable
from decimal import Decimal

from chimera.reconcile.external import external
from chimera.trading.commands import NOTHING, Cancel, Command
from chimera.trading.events import Alert, Severity
from chimera.trading.execution import Exit
from chimera.trading.holding import Holding
from chimera.trading.ids import ClientOrderId
from chimera.trading.money import Millis
from chimera.trading.order import Role
from chimera.trading.refusal import Refusal
from chimera.trading.scene import Scene
from chimera.trading.venue import OrderRef, VenueOrder, VenueSnapshot

GOING_MS = 300  # how long the next close waits for them to be gone


def refused(wanted: Exit, refusal: Refusal | None, holding: Holding, scene: Scene) -> Exit:
    """After a try: who stands in its way, as far as anybody has told; else the next survey does."""
    if wanted.qty is not None or refusal is not Refusal.NOTHING_TO_REDUCE:
        return forgotten(wanted)
    return wanted.but(hindered=True, theirs=_in_its_way(scene.external, holding.exposure))


def forgotten(wanted: Exit) -> Exit:
    """Until it is refused again."""
    return wanted.but(hindered=False, theirs=())


def looked(wanted: Exit | None, snapshot: VenueSnapshot) -> Exit | None:
    """After a survey."""
    if wanted is None or not wanted.hindered:
        return wanted
    return wanted.but(theirs=_in_its_way(snapshot.orders, snapshot.position.qty))


def clear(holding: Holding, wanted: Exit, scene: Scene) -> tuple[Holding, tuple[Command, ...]]:
    """Their cancels, once, where there are such; the next close waits for them a moment."""
    if not (wanted.hindered and wanted.theirs):
        return holding, NOTHING
    named = (OrderRef(symbol=holding.key.symbol, ref=ref, conditional=False) for ref in wanted.theirs)
    waiting = wanted.but(hindered=False, retry_at_ms=Millis(scene.now_ms + GOING_MS))
    return holding.but(exit=waiting), tuple(Cancel(order=order, role=Role.EXTERNAL) for order in named)


def told(before: Holding, after: Holding) -> tuple[Alert, ...]:
    """Whose orders these were."""
    known = () if before.exit is None else before.exit.theirs
    if after.exit is None or not after.exit.theirs or after.exit.theirs == known:
        return ()
    names = ", ".join(after.exit.theirs)
    text = (
        f"{after.key}: closing {after.exposure} ({after.exit.reason}) was refused, for reduce-only orders that are not"
        f" ours hold all that it would close: {names}; they are cancelled, and it is tried again"
    )
    return (Alert(severity=Severity.WARN, code="CANCELED_IN_THE_WAY", text=text),)


def _in_its_way(orders: Iterable[VenueOrder], held: Decimal) -> tuple[ClientOrderId, ...]:
    """What waits for its price (``conditional``) holds nothing yet."""
    resting = (order for order in orders if external(order) and not (order.conditional or order.status.final))
    return tuple(order.ref for order in resting if order.reduce_only and order.side.sign * held < 0)
