"""How a router is: each dependency judged by our own last dealing with it. It asks nobody, so it answers at once."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from chimera.services.router.router import Router

VENUE_SILENT_MS: Final = 35_000  # three readings of its clock in a row went unanswered


def health_of(router: "Router") -> dict[str, object]:
    """The body of ``GET /health``; ``status`` is the worst of the checks."""
    owners = router.owners.values()
    checks: dict[str, object] = {
        "exchange": _exchange(router),
        "user_stream": "ok" if router.watchdogs.stream_up else "down",
        "redis": "ok" if router.budget.bus_up else "down",
        "ledger": _ledger(router),
        "recovered": router.ready(),
        "own_faults": sum(owner.faults for owner in owners),
    }
    good = all(checks[name] in ("ok", True) for name in checks if name != "own_faults")
    return {
        "status": "ok" if good else "degraded",
        "environment": router.config.environment,  # sim, demo or live: whose money it is
        "checks": checks,
        "route_table_rev": router.routing.table.rev,
        "circuit_breaker": str(router.breaker.now.state),
        "breaker": router.breaker.shown(),
        "venue_refusals": router.tallies.refusals,
        "kill_switch": router.controls.killed,
        "barriers": router.barriers.shown(),
        "rates": router.governing.shown(),
        "protective_forms": router.capability.probing.shown(),
        "clock_offset_ms": router.ground.venue_clock.offset_ms,
        "watchdogs": router.watchdogs.shown(),
        "differences": router.reconciling.sweeping.shown(),
    }


def _exchange(router: "Router") -> str:
    heard_ms = router.watchdogs.venue_heard_ms
    if heard_ms is None:
        return "unknown"
    return "ok" if router.clock.monotonic_ms() - heard_ms <= VENUE_SILENT_MS else "silent"


def _ledger(router: "Router") -> str:
    """After the start only a save asks the ledger anything: between saves it is what the last one found."""
    owners = router.owners.values()
    if router.standing_in.on:
        return "down"
    if any(owner.deposed for owner in owners):
        return "deposed"
    return "down" if any(owner.ledger_away for owner in owners) else "ok"
