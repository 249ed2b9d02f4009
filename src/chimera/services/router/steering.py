"""Pausing, resuming and finishing an intent that is being worked; asked again, it answers the same.

The answer is about the intent, and given once it is on disk: what a caller was told of outlives the process.
"""

from typing import Final, Literal

from chimera.services.router.intake import Intake, not_working
from chimera.trading.errors import Refused
from chimera.trading.execution import Phase
from chimera.trading.facts import FinishAsked, PauseAsked, ResumeAsked
from chimera.wire.failures import no_such_order

Ask = Literal["pause", "resume", "finish"]
ASKS: Final[tuple[Ask, ...]] = ("pause", "resume", "finish")
REASON: Final = "OPERATOR"


async def steer(intake: Intake, name: str, ask: Ask, *, loaded: bool) -> dict[str, object]:
    """Raises ``Refused`` NOT_READY, NOT_FOUND or NOT_WORKING. ``loaded``: every holding is in memory."""
    owner, intent_id = intake.find_working(name)
    if owner is None or intent_id is None:
        if not loaded:
            raise Refused("NOT_READY", "positions are still being loaded; try again", field="order_id", value=name)
        if await intake.find(name) is None:
            raise no_such_order(name)
        raise not_working(name)
    working = owner.holding.intents[intent_id]
    if working.phase is not Phase.WORKING or working.canceling:
        raise not_working(name)
    match ask:
        case "pause":
            owner.hear(PauseAsked(intent_id=intent_id, reason=REASON))
        case "resume":
            owner.hear(ResumeAsked(intent_id=intent_id))
        case "finish":
            owner.hear(FinishAsked(intent_id=intent_id, reason=REASON))
    kept = await owner.saved_soon()
    return intake.row(intent_id, {}) | {"in_doubt": not kept}
