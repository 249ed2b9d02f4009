"""What became of guards between two states of a holding, as events."""

from chimera.trading.events import GuardChanged, Happening
from chimera.trading.guard import Guard
from chimera.trading.holding import Holding
from chimera.trading.order import Role


def news_of_guards(before: Holding, after: Holding) -> list[Happening]:
    """Each arming, each change of price or quantity, and each end with its reason."""
    if before.guards is after.guards:
        return []
    news: list[Happening] = []
    for role in (Role.STOP, Role.TARGET):
        known, guard = _of(before, role), _of(after, role)
        if known is not None and (guard is None or guard.intent_id != known.intent_id):
            news.append(GuardChanged(guard=known, armed=False, reason=_why(after, moved=guard is not None)))
        if guard is not None and guard != known:
            news.append(GuardChanged(guard=guard, armed=True))
    return news


def _of(holding: Holding, role: Role) -> Guard | None:
    return next((guard for guard in holding.guards if guard.role is role), None)


def _why(after: Holding, *, moved: bool) -> str:
    if moved:
        return "MOVED"
    if not after.exposure:
        return "FLAT"
    return "COVERED" if after.exit is None else after.exit.reason
