"""S4's levels out of what it answers: barriers of each market, a breaker that is open, and what is killed."""

from collections.abc import Iterator, Mapping
from typing import Any

from chimera.ports.intents import RouterLevel
from chimera.trading.market import Market
from chimera.trading.money import Millis


def levels_of(health: Mapping[str, Any], killed: Mapping[str, Any]) -> tuple[RouterLevel, ...]:
    """From ``GET /health`` and ``GET /killed``; what is not in its form is left out."""
    return (*_of_markets(health), *_of_kills(killed))


def _of_markets(health: Mapping[str, Any]) -> Iterator[RouterLevel]:
    each = health.get("markets")
    if not isinstance(each, Mapping):
        yield from _barriers(health, None)
        return
    for name, told in each.items():
        if isinstance(told, Mapping) and name in tuple(Market):
            yield from _barriers(told, Market(name))


def _barriers(told: Mapping[str, Any], market: Market | None) -> Iterator[RouterLevel]:
    for barrier in told.get("barriers") or ():
        yield RouterLevel(
            code=str(barrier.get("code")),
            why=str(barrier.get("why")),
            since_ms=_moment(barrier.get("since_ms")),
            symbol=barrier.get("symbol"),
            market=market,
        )
    if told.get("circuit_breaker") == "OPEN":
        yield RouterLevel(code="BREAKER_OPEN", why="the circuit breaker is open", market=market)


def _of_kills(killed: Mapping[str, Any]) -> Iterator[RouterLevel]:
    kills = killed.get("kills") or ()
    for kill in kills:
        scope, name = str(kill.get("scope")), str(kill.get("name") or "")
        about = scope if not name else f"{scope} {name}"
        yield RouterLevel(
            code="KILL_SWITCH",
            why=f"{about} is killed by {kill.get('by')}: {kill.get('reason')}",
            since_ms=_moment(kill.get("at_ms")),
            symbol=name if scope == "SYMBOL" else None,
            market=Market(name) if scope == "MARKET" and name in tuple(Market) else None,
            strategy=name if scope == "STRATEGY" else None,
        )
    if killed.get("killed") and not kills:
        yield RouterLevel(code="KILL_SWITCH", why="S4 has not read yet what is killed")


def _moment(given: object) -> Millis | None:
    return Millis(int(given)) if isinstance(given, int) else None
