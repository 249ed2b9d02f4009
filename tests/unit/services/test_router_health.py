"""What S4 says of its dependencies: what it last found, and the breaker and the kill switch."""

from typing import Any, cast

import pytest

from chimera.admit.limits import LimitBook, Limits
from chimera.services.router.config import RouterConfig
from chimera.services.router.health import VENUE_SILENT_MS
from chimera.services.router.router import Router
from chimera.trading.errors import StoreUnavailable
from chimera.trading.ids import Symbol
from chimera.trading.money import Millis
from chimera.wire.route_table import DEFAULT


class HandClock:
    def __init__(self) -> None:
        self.at_ms = Millis(1_000)

    def now_ms(self) -> Millis:
        return self.at_ms

    def monotonic_ms(self) -> Millis:
        return self.at_ms


class Rulebook:
    async def server_offset_ms(self) -> int:
        return 7


class Bus:
    away = False

    async def ping(self) -> None:
        if self.away:
            raise StoreUnavailable("no Redis")


def a_router(clock: HandClock, bus: Bus | None = None) -> Router:
    nobody = cast("Any", None)  # asked nothing by health
    return Router(
        RouterConfig(symbols=(Symbol("BTCUSDT"),), table=DEFAULT),
        venue=nobody,
        records=nobody,
        rulebook=cast("Any", Rulebook()),
        ledger=nobody,
        bus=cast("Any", bus),
        limits=LimitBook(cast("Limits", nobody)),
        clock=clock,
        seal=nobody,
    )


def checks(router: Router) -> dict[str, object]:
    return cast("dict[str, object]", router.health()["checks"])


@pytest.mark.req("S4-API-1")
def test_before_anything_was_heard() -> None:
    told = a_router(HandClock()).health()

    assert told["status"] == "degraded"
    assert told["checks"] == {
        "exchange": "unknown", "user_stream": "down", "redis": "down", "ledger": "ok", "recovered": False,
        "own_faults": 0,
    }  # fmt: skip
    assert (told["circuit_breaker"], told["kill_switch"]) == ("CLOSED", True)  # not read yet: it counts as killed


@pytest.mark.req("S4-API-1")
async def test_an_exchange_that_falls_silent_is_not_ok_for_ever() -> None:
    clock = HandClock()
    router = a_router(clock)
    await router.watch.read_clock()
    assert (checks(router)["exchange"], router.health()["clock_offset_ms"]) == ("ok", 7)

    clock.at_ms = Millis(clock.at_ms + VENUE_SILENT_MS)
    assert checks(router)["exchange"] == "ok"
    clock.at_ms = Millis(clock.at_ms + 1)
    assert checks(router)["exchange"] == "silent"


@pytest.mark.parametrize("away", [False, True])
async def test_publishing_the_budget_tells_whether_redis_is_there(away: bool) -> None:
    clock, bus = HandClock(), Bus()
    bus.away = away

    assert await a_router(clock, bus).budget.publish() is not away
