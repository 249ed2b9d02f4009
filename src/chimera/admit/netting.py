"""An entry against an open position of the other side, where the desk nets (S4_ON_OPPOSITE=net, futures only).

How much of it reduces is fixed when it is taken, and only the rest may ever open: the stop that was judged is the
rest's, and what a stop or a close takes away meanwhile is not opened instead. It does not know how the parts are sent.
"""

from chimera.trading.execution import Phase
from chimera.trading.holding import Holding
from chimera.trading.intent import Intent, IntentKind
from chimera.trading.market import Side
from chimera.trading.money import ZERO, Qty
from chimera.trading.scene import Policy


def opposed(intent: Intent, holding: Holding) -> bool:
    """Whether what is held now is of the other side."""
    return holding.exposure * intent.side.sign < 0


def growing(holding: Holding, side: Side) -> bool:
    """Whether entries of ``side`` are on their way: worked, or sent and not known to be over."""
    return bool(holding.open_qty(side)) or any(
        work.phase is Phase.WORKING and work.intent.side is side and not _reduces(work.intent)
        for work in holding.intents.values()
    )


def _reduces(intent: Intent) -> bool:
    return intent.reduce_only or intent.kind is not IntentKind.ENTRY


def netted(intent: Intent, holding: Holding, policy: Policy) -> Qty:
    """Base asset by which it reduces before anything of it opens; 0 where nothing opposes it, or it is to be refused.

    A position that entries of its own side still add to is not netted: what there will be to reduce is not known.
    """
    if not policy.nets_opposite or not intent.market.reduces_only or _reduces(intent) or not opposed(intent, holding):
        return Qty(ZERO)
    if growing(holding, intent.side.opposite):
        return Qty(ZERO)
    return Qty(min(intent.qty, abs(holding.exposure)))


def opening(intent: Intent, holding: Holding, policy: Policy) -> tuple[Intent, Holding]:
    """What of it opens, and onto what: where it nets, its rest, onto nothing; reduce-only where nothing opens."""
    nets = netted(intent, holding, policy)
    if not nets:
        return intent, holding
    if nets == intent.qty:
        return intent.but(reduce_only=True), holding
    flat = holding.but(position=holding.position.but(lots=()), orders={})
    return intent.but(qty=Qty(intent.qty - nets)), flat
