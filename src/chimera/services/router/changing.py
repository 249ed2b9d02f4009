"""Changing an order that lives: what is left of it is planned anew, judged as an intent is, and its owner hears of it.

The answer is about the intent as it is then, on disk; asked again, the same change changes nothing. Quantity and policy
take effect once the end of what rests is known, and the order's timeline says so.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from chimera.admit.admission import objections
from chimera.services.router.api import Outcome
from chimera.services.router.ground import Ground
from chimera.services.router.intake import Intake, not_working
from chimera.services.router.owner import Owner
from chimera.services.router.routing import Routing
from chimera.trading.errors import Refused
from chimera.trading.execution import Phase, Working
from chimera.trading.facts import ChangeAsked
from chimera.trading.ids import IntentId
from chimera.trading.intent import Intent
from chimera.trading.money import ZERO, Qty, text
from chimera.wire.changes import changed
from chimera.wire.failures import no_such_order

_OF_PRICES: Final = (
    "WRONG_SIDE_STOP", "WRONG_SIDE_TARGET", "STOP_OUT_OF_BAND", "STOP_BEYOND_LIQUIDATION", "OFF_TICK", "CLOSING",
    "NO_MARKET_DATA",
)  # fmt: skip


async def change(
    ground: Ground,
    intake: Intake,
    routing: Routing,
    object_to_entry: Callable[[Intent], None],
    name: str,
    document: Mapping[str, object],
) -> Outcome:
    """Raises ``Refused`` NOT_READY, NOT_FOUND, ALREADY_FILLED, NOT_WORKING, BELOW_FILLED, and as an intent is."""
    owner, intent_id = intake.find_working(name)
    if owner is None or intent_id is None:
        if (early := ground.not_loaded("order_id", name)) is not None:
            raise early
        if await intake.find(name) is None:
            raise no_such_order(name)
        raise not_working(name)
    working = owner.holding.intents[intent_id]
    after = changed(document, working.intent, ground.instruments[working.intent.symbol])
    if after != working.intent:
        if working.canceling or (working.phase is Phase.DONE and not owner.holding.exposure):
            raise not_working(name)  # over, and nothing is held that a stop or a target could be for
        owner.hear(_judged(ground, routing, object_to_entry, owner, working, after))
    kept = await owner.saved_soon()
    row = intake.row(intent_id, {})
    now = owner.holding.intents.get(intent_id)
    return Outcome(
        row=row | {"in_doubt": not kept}, done=now is None or now.phase is not Phase.WORKING, in_doubt=not kept
    )


def _judged(
    ground: Ground,
    routing: Routing,
    object_to_entry: Callable[[Intent], None],
    owner: Owner,
    working: Working,
    after: Intent,
) -> ChangeAsked:
    before, holding = working.intent, owner.holding
    scene = ground.scene(holding)
    trades = (before.qty, before.policy) != (after.qty, after.policy)
    if trades and working.phase is not Phase.WORKING:
        raise Refused("ALREADY_FILLED", f"{working.root} has ended: stop and target may change", value=working.root)
    filled = _filled(owner, working.intent_id)
    if trades and after.qty <= filled:
        told = f"{text(Qty(filled))} has filled already"
        raise Refused("BELOW_FILLED", told, field="qty", value=text(after.qty), accepted=f"> {text(Qty(filled))}")
    left = after.but(qty=Qty(after.qty - filled if working.phase is Phase.WORKING else ZERO))
    if after.qty > before.qty and not after.reduce_only:
        object_to_entry(after)
    for no in objections(left, holding, scene, stop_optional=after.stop is None and before.stop is None):
        if trades or no.code in _OF_PRICES:
            raise no
    return ChangeAsked(intent=after, plan=routing.plan(left, scene, holding.position.entry_px) if trades else None)


def _filled(owner: Owner, intent_id: IntentId) -> Decimal:
    return sum((order.cum_qty + order.owed_qty for order in owner.holding.of_intent(intent_id)), ZERO)
