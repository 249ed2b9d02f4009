"""S4's metrics, drawn anew at each look: what was counted of each market, and the levels as they stand.

It asks what the HTTP face shows anyway (health, positions, doubts, kills) and keeps nothing of its own; names and
meanings are the list's (``services.metrics``). What is not known yet is left out.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

from chimera.admit.breaker import State
from chimera.reconcile.doubts import About
from chimera.services.exposition import Sample
from chimera.services.router.api import RouterApi
from chimera.trading.errors import Refused
from chimera.trading.money import Millis

_ANSWERS: Final = {
    "exchange_up": "exchange",
    "user_stream_up": "user_stream",
    "redis_up": "redis",
    "ledger_up": "ledger",
}


async def samples(router: RouterApi, now_ms: Millis) -> list[Sample]:
    """Everything of one process. While positions are still being loaded, nothing is said of them."""
    told = [
        Sample(each.name, (str(market), *each.labels), each.value)
        for market, counted in router.tallied().items()
        for each in counted.measured()
    ]
    health: Mapping[str, Any] = router.health()
    markets: Mapping[str, Any] = health.get("markets") or {str(market): health for market in router.markets[:1]}
    for market, of_market in markets.items():
        told += _of_health(market, of_market)
    told += _of_kills(router.killed())
    with suppress(Refused):  # NOT_READY
        told += [each for row in await router.positions() for each in _of_position(row)]
    with suppress(Refused):  # likewise
        told += _of_doubts(router.doubts(), now_ms)
    return told


def _of_health(market: str, health: Mapping[str, Any]) -> Iterator[Sample]:
    checks, watched = health["checks"], health["watchdogs"]
    for name, check in _ANSWERS.items():
        yield Sample(name, (market,), float(checks[check] == "ok"))
    yield Sample("router_ready", (market,), float(checks["recovered"]))
    yield Sample("polling", (market,), float(watched["polling"]))
    yield Sample("clock_offset_ms", (market,), health["clock_offset_ms"])
    for state in State:
        yield Sample("breaker_state", (market, state), float(health["circuit_breaker"] == state))
    barriers = Counter(str(each["code"]) for each in health["barriers"])
    yield Sample("barriers", (market,), sum(barriers.values()))
    for code, count in barriers.items():
        yield Sample("barrier", (market, code), count)
    for code in watched["notices"]:
        yield Sample("notice", (market, code), 1)
    yield Sample("event_loop_lag_ms", (market,), watched["loop_lag_ms"])
    yield Sample("event_loop_worst_lag_ms", (market,), watched["loop_worst_lag_ms"])
    for queue, depth in watched["queues"].items():
        yield Sample("queue_depth", (market, queue), depth)
    for use in health["rates"]:
        window = market, use["counts"], f"{use['span_ms'] / 1000:g}"
        yield Sample("rate_used_share", window, use["used"] / use["limit"])
        for lane, of_lane in use["lanes"].items():
            yield Sample("rate_lane_room", (*window, lane), max(of_lane["ceiling"] - use["used"], 0))


def _of_kills(killed: Mapping[str, Any]) -> Iterator[Sample]:
    yield Sample("kill_active", (), float(killed["killed"]))
    for scope, count in Counter(str(kill["scope"]) for kill in killed["kills"]).items():
        yield Sample("kills", (scope,), count)


def _of_position(row: Mapping[str, Any]) -> Iterator[Sample]:
    where = row["market"], row["symbol"]
    yield Sample("protection_coverage", where, float(row["coverage"]))
    yield Sample("unprotected_seconds", where, row["unprotected_ms"] / 1000)
    yield Sample("unprotected_worst_seconds", where, row["max_unprotected_ms"] / 1000)


def _of_doubts(rows: list[dict[str, Any]], now_ms: Millis) -> Iterator[Sample]:
    counts = Counter(str(row["about"]) for row in rows)
    for about in About:
        yield Sample("in_doubt", (about,), counts[about])
    oldest_ms = min((row["since_ms"] for row in rows), default=now_ms)
    yield Sample("in_doubt_oldest_seconds", (), max(now_ms - oldest_ms, 0) / 1000)
