"""The route table and its curves, read again while the router runs: what is wrong changes nothing and is told once."""

from collections.abc import Callable
from typing import Any

import pytest

from chimera.adapters.memory.bus import MemoryBus
from chimera.route.plan import RoutePolicy
from chimera.services.router.barriers import Barriers
from chimera.services.router.market import MarketView
from chimera.services.router.routing import Routing
from chimera.trading.errors import Refused
from chimera.trading.events import Alert
from chimera.trading.ids import Symbol
from chimera.trading.routes import RouteTable
from chimera.wire.route_table import DEFAULT, read_route_table
from support.standing import CLOCK

KEY = "router:{param}:curves"
NEXT = read_route_table(b'{"rev":2,"rows":[{"notional_usdt_max":9,"maker_wait_ms":7,"twap":{"slices":1,"gap_ms":0}}]}')


def a_routing(
    read_table: Callable[[], RouteTable] | None = None, table: RouteTable | None = DEFAULT
) -> tuple[Routing, MemoryBus, list[Alert]]:
    told: list[Alert] = []
    bus = MemoryBus(CLOCK)
    nobody: Any = None
    market = MarketView(bus, nobody, CLOCK)
    barriers = Barriers(CLOCK, told.append)
    return Routing(table, RoutePolicy(), market, bus, CLOCK, told.append, barriers, read_table), bus, told


@pytest.mark.req("S4-ROUTE-1")
def test_a_new_table_takes_over_and_a_bad_one_changes_nothing() -> None:
    found: list[RouteTable | Refused] = [DEFAULT]

    def read() -> RouteTable:
        if isinstance(found[-1], Refused):
            raise found[-1]
        return found[-1]

    routing, _, told = a_routing(read)
    routing.look_at_table()
    assert told == []
    for bad in (Refused("ROUTE_TABLE", "rows: must ascend"), Refused("ROUTE_TABLE", "rows: must ascend")):
        found.append(bad)
        routing.look_at_table()
    assert routing.table is DEFAULT
    assert [alert.code for alert in told] == ["ROUTE_TABLE_UNREADABLE"]

    found.append(NEXT)
    routing.look_at_table()
    assert routing.table.rev == 2
    assert [alert.code for alert in told[1:]] == ["ROUTE_TABLE_UNREADABLE_OVER", "ROUTE_TABLE"]


@pytest.mark.req("S4-ROUTE-1")
@pytest.mark.fault("G21")
def test_where_it_was_spoiled_before_the_start_the_built_in_one_stands_in_and_nothing_enters() -> None:
    found: list[RouteTable] = []

    def read() -> RouteTable:
        if not found:
            raise Refused("ROUTE_TABLE", "rows: must ascend")
        return found[-1]

    routing, _, told = a_routing(read, table=None)
    before = routing._barriers.before(Symbol("BTCUSDT"))
    routing.look_at_table()
    assert routing.table is DEFAULT
    assert before is not None
    assert (before.code, before.message.endswith("rows: must ascend")) == ("ROUTE_TABLE_UNREADABLE", True)
    assert [(alert.code, alert.severity) for alert in told] == [("ROUTE_TABLE_UNREADABLE", "ERROR")]

    found.append(NEXT)
    routing.look_at_table()
    assert (routing.table.rev, routing._barriers.standing) == (2, ())
    assert [alert.code for alert in told[1:]] == ["ROUTE_TABLE_UNREADABLE_OVER", "ROUTE_TABLE"]


@pytest.mark.req("S4-ROUTE-2")
async def test_curves_come_from_their_key_stay_over_a_bad_one_and_go_with_it() -> None:
    routing, bus, told = a_routing()
    await routing.look_at_curves()
    assert (routing.curves, told) == (None, [])

    await bus.put(KEY, b'{"rev":3,"by":{"spread_bps":[[0,1],[5,2]]}}')
    await routing.look_at_curves()
    assert routing.curves is not None
    await bus.put(KEY, b'{"rev":4,"by":{"spread_bps":[[5,1],[0,2]]}}')
    await routing.look_at_curves()
    assert routing.curves.rev == 3
    assert [alert.code for alert in told] == ["ROUTE_CURVES", "ROUTE_CURVES_UNREADABLE"]
    assert "by.spread_bps[1][0]" in told[-1].text
