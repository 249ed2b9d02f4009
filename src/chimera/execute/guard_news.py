"""What became of guards between two states of a holding, as events; of a stop's guard an alert as well.

A target's guard beside a resting stop is how spot is traded. A stop's guard says that nothing rests at the venue: a
warning, since it may be for the moment that a stop takes to be moved; what lasts is the service level's to tell.
"""

from chimera.trading.events import Alert, GuardChanged, Happening, Severity
from chimera.trading.guard import Guard
from chimera.trading.holding import Holding
from chimera.trading.money import text
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
        if role is Role.STOP and (known is None) is not (guard is None):
            news.append(_stands_in(after, guard) if guard is not None else _over(after))
    return news


def _stands_in(holding: Holding, guard: Guard) -> Alert:
    told = f"{holding.key}: no stop rests at the venue; S4 watches {text(guard.price)} itself, and only while it lives"
    return Alert(severity=Severity.WARN, code="GUARD_STOP", text=told, since_ms=guard.armed_ms, lasts=True)


def _over(holding: Holding) -> Alert:
    why = _why(holding, moved=False)
    return Alert(severity=Severity.INFO, code="GUARD_STOP_OVER", text=f"{holding.key}: the stop's guard ended: {why}")


def _of(holding: Holding, role: Role) -> Guard | None:
    return next((guard for guard in holding.guards if guard.role is role), None)


def _why(after: Holding, *, moved: bool) -> str:
    if moved:
        return "MOVED"
    if not after.exposure:
        return "FLAT"
    return "COVERED" if after.exit is None else after.exit.reason
