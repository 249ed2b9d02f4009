"""Cancelling an intent, which may be asked as often as one likes: in flight, after its end, after a restart.

The answer is about the intent and not about the call: while it works, "under way"; once it has ended, how. What was
filled cannot be cancelled and is refused, whether it had filled before or filled first now; with ``escalate`` the
caller wants it gone, and then that it is filled is no refusal. Before the holdings are loaded nobody knows. A name
that nobody has used is NOT_FOUND, and stays so: what comes by it later (it waits on the stream, or its caller asks
again) is refused, so that NOT_FOUND is an end as every other answer is one.
"""

from collections.abc import Mapping
from typing import Any

from chimera.services.router.intake import Intake
from chimera.services.router.owner import Owner
from chimera.trading.errors import Refused
from chimera.trading.execution import Phase
from chimera.trading.facts import CancelAsked
from chimera.trading.ids import IntentId
from chimera.trading.intent import OrderList
from chimera.wire.failures import no_such_order

WAIT_MS = 2_000  # for the venue to end what works


async def cancel(
    intake: Intake, name: str, *, by: str, reason: str, escalate: bool, cascade: bool = True, loaded: bool
) -> dict[str, object]:
    """Raises ``Refused`` NOT_READY, NOT_FOUND or ALREADY_FILLED. ``loaded``: every holding is in memory."""
    owner, intent_id = intake.find_working(name)
    if owner is None or intent_id is None:
        if not loaded:
            raise Refused("NOT_READY", "positions are still being loaded; try again", field=by, value=name)
        row = await intake.find(name)
        if row is None and not await intake.bury(name):  # it is being taken just now
            if await intake.find(name) is None:
                told = f"{name} was claimed and has not begun; it still may: try again"
                raise Refused("NOT_READY", told, field=by, value=name)
            return await cancel(intake, name, by=by, reason=reason, escalate=escalate, cascade=cascade, loaded=loaded)
        if row is None:
            raise no_such_order(name, field=by, message=f"no order {name}; none by this name is taken any more")
        if row.get("kind") == "CHILD":
            raise no_such_order(name, field=by, message=f"no order {name} that could be cancelled: it is part of one")
        if row.get("done") is False:  # by its row it lives, and its position has no owner here, or none yet
            raise Refused("NOT_READY", f"nobody works {name} here just now; try again", field=by, value=name)
        return _over(row, name, by, escalate=escalate)
    row = intake.row(intent_id, {})
    closing = escalate and intent_id in owner.holding.engaged  # not where it only waits for trades that come late
    listed = cascade and _listed(owner, intent_id)
    if owner.holding.intents[intent_id].phase is Phase.DONE and not (closing or listed):
        return _over(row, name, by, escalate=escalate)
    owner.hear(CancelAsked(intent_id=intent_id, reason=reason, escalate=escalate, cascade=cascade))
    outcome = await intake.await_end(owner, intent_id, row, WAIT_MS)
    if not outcome.done:
        return _answer(outcome.row, "cancel is under way")
    if outcome.row["status"] == "FILLED":
        return _answer(outcome.row, "closing what was filled") if escalate else _over(outcome.row, name, by)
    kept = "; what was bought keeps a stop" if listed and not escalate else ""
    return _answer(outcome.row, f"canceled{kept}")


def _listed(owner: Owner, intent_id: IntentId) -> bool:
    """Whether it is an OCO whose entry is over, and its list stands or is to stand."""
    holding = owner.holding
    held = any(lot.intent_id == intent_id for lot in holding.position.lots)
    return held and isinstance(holding.intents[intent_id].intent.policy, OrderList)


def _over(row: Mapping[str, Any], name: str, by: str, *, escalate: bool = False) -> dict[str, object]:
    if row.get("status") == "FILLED" and not escalate:
        raise Refused("ALREADY_FILLED", f"{name} is filled", field=by, value=name)
    return _answer(row, "already ended")


def _answer(row: Mapping[str, Any], message: str) -> dict[str, object]:
    return {"order_id": row.get("order_id"), "status": row.get("status"), "message": message}
