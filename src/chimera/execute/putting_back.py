"""A state that was put back to an earlier one (``Restored``): it wishes nothing any more, and names nothing twice.

What was under way in it went on without it, and has ended since: no intent of it sends another child, no close of it
goes further. Its position, lots, bracket and orders stay; what became of them comes by asking, as after each start.
What has left since then under its names is not known, so its protective ids hang under a root that no other life has,
and its events are numbered from a moment on instead of from where they were.

It does not know what the venue says, nor when the ledger agrees with it: ``reconcile.restored`` judges that.
"""

from chimera.trading.execution import Phase, Working
from chimera.trading.facts import Restored
from chimera.trading.holding import Holding
from chimera.trading.ids import derived_id
from chimera.trading.intent import StopSpec, TargetKind, TargetSpec
from chimera.trading.money import ZERO, Millis, Price
from chimera.trading.order import Role
from chimera.trading.position import ADOPTED, Lot

REASON = "LEDGER_RESTORED: the ledger was put back to an earlier state, and this sends nothing more"


def put_back(holding: Holding, fact: Restored) -> Holding:
    """Once for each restore: a life that began after it has its own wishes."""
    if holding.restored_ms >= fact.at_ms:
        return holding
    return holding.but(
        restored_ms=fact.at_ms,
        intents={name: _ended(work) for name, work in holding.intents.items()},
        exit=None,
        root=derived_id("rs", f"{holding.key}:{fact.at_ms}"),
        event_seq=max(holding.event_seq, fact.at_ms),  # a moment is larger than any count, of this life or another
        strikes=0,
        suspected=ZERO,
        own_qty=None,
        own_moved=ZERO,
    )


def lent(holding: Holding) -> Holding:
    """What was opened since by intents that are not known gets the stop and target that already stand for it."""
    lots = holding.position.lots
    if not any(_nameless(lot, holding.restored_ms) for lot in lots):
        return holding
    stop, target = (_standing(holding, role) for role in (Role.STOP, Role.TARGET))
    named = tuple(_with(lot, stop, target) if _nameless(lot, holding.restored_ms) else lot for lot in lots)
    return holding if named == lots else holding.but(position=holding.position.but(lots=named))


def _ended(work: Working) -> Working:
    if work.phase is not Phase.WORKING:
        return work
    return work.but(canceling=True, reason=work.reason or REASON, next_plan=None)


def _nameless(lot: Lot, restored_ms: Millis) -> bool:
    """Opened before the restore (the venue's clock may be a little ahead), by nobody we know, at no stop of its own."""
    return lot.intent_id == ADOPTED and lot.opened_ms < restored_ms and (lot.stop is None or lot.stop.price is None)


def _with(lot: Lot, stop: Price | None, target: Price | None) -> Lot:
    if stop is not None:
        lot = lot.but(stop=StopSpec(price=stop))
    if target is not None:
        lot = lot.but(target=TargetSpec(kind=TargetKind.PRICE, value=target))
    return lot


def _standing(holding: Holding, role: Role) -> Price | None:
    """The price of a live stop or target on the side that closes the position."""
    side = holding.position.lots[0].side.opposite
    live = (order for order in holding.in_role(role) if order.live and order.request.side is side)
    prices = (order.request.trigger_price or order.request.price for order in live if holding.stands(order))
    return next((price for price in prices if price is not None), None)
