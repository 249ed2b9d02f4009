"""What operators change of a running router, over HTTP: the route table on real files, and an open breaker's pause."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest

from chimera.adapters.memory.bus import MemoryBus
from chimera.admit.breaker import BreakerPolicy
from chimera.learn.revisions import begun, propose
from chimera.ports.clock import Clock
from chimera.ports.streams import Snapshots
from chimera.route.plan import RoutePolicy
from chimera.services import route_files
from chimera.services.router.api import RouterApi
from chimera.services.router.barriers import Barriers
from chimera.services.router.breaking import Breaking
from chimera.services.router.http import build_app
from chimera.services.router.market import MarketView
from chimera.services.router.operating import Operating
from chimera.services.router.route_desk import RouteDesk
from chimera.services.router.routing import Routing
from chimera.trading.errors import StoreUnavailable
from chimera.trading.events import Alert
from chimera.trading.market import Market
from chimera.trading.money import Millis, Quote
from chimera.trading.routes import Curves, Measures, Point, RouteTable, Row, Twap
from chimera.wire.codec import encode
from chimera.wire.keys import ROUTE_CURVES
from chimera.wire.route_table import read_curves, read_route_table
from support.standing import CLOCK

NOW = Millis(1_795_290_732_000)
ROW = Row(notional_usdt_max=Quote(Decimal(200)), maker_wait_ms=2_500, twap=Twap(slices=1, gap_ms=0))
START = RouteTable(rev=1, rows=())
PROPOSED = START.but(rev=2, rows=(ROW,))
CURVES = Curves(rev=9, by=Measures(spread_bps=(Point(at=Decimal(1), factor=Decimal(2)),)))


class House:
    """A route table in a file, one that is proposed over it, a router that plans by it, and a breaker."""

    def __init__(self, path: Path, bus: Any = None) -> None:
        self.path, self.bus, self.told = path, bus or MemoryBus(CLOCK), list[Alert]()
        path.write_bytes(encode(START))
        nobody: Any = None
        market = MarketView(self.bus, nobody, CLOCK)
        barriers = Barriers(CLOCK, self.told.append)
        self.routing = Routing(START, RoutePolicy(), market, self.bus, CLOCK, self.told.append, barriers, self.read)
        self.breaking = Breaking(BreakerPolicy(in_a_row=1, pause_ms=60_000), CLOCK, self.told.append)
        desk = RouteDesk(path, [self.routing], cast("Snapshots", self.bus), CLOCK)
        self.app = build_app(
            cast("RouterApi", None),
            clock=cast("Clock", None),
            operating=Operating(desk, {Market.FUT: self.breaking}),
        )

    def read(self) -> RouteTable:
        return read_route_table(self.path.read_bytes())

    def propose(self, table: RouteTable = PROPOSED) -> None:
        log = begun(self.read(), NOW)
        route_files.write(self.path, propose(log, table, ("it pays",), NOW, curves=CURVES), log)

    async def ask(self, method: str, path: str, **body: Any) -> tuple[int, Any]:
        transport = httpx2.ASGITransport(app=self.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://s4") as client:
            content = json.dumps(body) if method == "POST" else None
            reply = await client.request(method, path, content=content)
        return reply.status_code, reply.json()


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "route.json")


@pytest.mark.req("S4-ROUTE-11")
async def test_what_is_proposed_is_seen_approved_and_gone_back_from(house: House) -> None:
    house.propose()
    _, seen = await house.ask("GET", "/routes")
    assert (seen["rev"], seen["proposed"]["of_rev"], seen["proposed"]["why"]) == (1, 1, ["it pays"])
    assert (seen["writable"], seen["planned_by"]) == (True, [1])
    assert house.routing.table == START, "looking puts nothing in force"

    status, approved = await house.ask("POST", "/routes/approve", proposed_ms=NOW, by="ada")
    assert (status, approved["rev"], approved["proposed"], approved["planned_by"]) == (200, 2, None, [2])
    assert (approved["revisions"][0]["by"], approved["curves"]) == ("ada", "published")
    assert house.routing.table.rows == PROPOSED.rows
    assert house.routing.curves == CURVES.but(rev=2)
    assert [alert.code for alert in house.told] == ["ROUTE_TABLE", "ROUTE_CURVES"]

    _, back = await house.ask("POST", "/routes/rollback", rev=1, by="ada")
    assert (back["rev"], house.routing.table.rows, len(back["revisions"])) == (3, START.rows, 3)
    assert read_curves(await house.bus.get(ROUTE_CURVES)).by == Measures()
    assert route_files.read(house.path, NOW).in_force.rev == 3, "the command line sees the same"


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/routes/approve", {"proposed_ms": NOW, "by": "ada"}, 409, "ROUTES_MOVED"),  # nothing is
        ("/routes/rollback", {"rev": 7, "by": "ada"}, 409, "ROUTES_MOVED"),
        ("/routes/approve", {"by": "ada"}, 400, "MISSING_FIELD"),
        ("/routes/rollback", {"rev": 1}, 400, "MISSING_FIELD"),
        ("/breaker/retry", {"by": "ada"}, 400, "MISSING_FIELD"),
        ("/breaker/retry", {"by": "ada", "reason": "works", "market": "SPOT"}, 422, "NOT_ENABLED"),
        ("/breaker/retry", {"by": "ada", "reason": "works"}, 409, "BREAKER_NOT_OPEN"),
    ],
)
async def test_what_cannot_be_is_refused(house: House, path: str, body: Any, status: int, code: str) -> None:
    answered, told = await house.ask("POST", path, **body)
    assert (answered, told["code"]) == (status, code)


@pytest.mark.req("S4-ROUTE-11")
async def test_another_proposal_than_the_one_looked_at_is_not_approved(house: House) -> None:
    house.propose()
    status, told = await house.ask("POST", "/routes/approve", proposed_ms=NOW - 1, by="ada")
    assert (status, told["code"], house.routing.table) == (409, "ROUTES_MOVED", START)


async def test_a_file_that_is_not_ours_to_write_stays_as_it_is(tmp_path: Path) -> None:
    """As on a read-only root; told by hand, since root may write everywhere."""
    house = House(tmp_path / "route.json")
    house.propose()
    log = route_files.log_of(house.path)
    kept = log.read_bytes()

    def refuse(*_: Any) -> None:
        raise route_files.refused(str(house.path), "Read-only file system", "a folder that can be written")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(route_files, "write", refuse)
        status, told = await house.ask("POST", "/routes/approve", proposed_ms=NOW, by="ada")

    assert (status, told["code"], told["field"]) == (409, "ROUTES_FIXED", "S4_ROUTE_TABLE_PATH")
    assert (log.read_bytes(), house.routing.table) == (kept, START)


async def test_a_log_that_cannot_be_read_is_said(house: House) -> None:
    house.propose()
    house.path.write_bytes(b"{")
    status, told = await house.ask("GET", "/routes")
    assert (status, told["code"]) == (409, "ROUTES_UNREADABLE")


async def test_curves_that_cannot_be_published_are_said_and_the_table_counts(tmp_path: Path) -> None:
    class Away(MemoryBus):
        async def put(self, *_: Any, **__: Any) -> None:
            raise StoreUnavailable("no Redis")

    house = House(tmp_path / "route.json", Away(CLOCK))
    house.propose()
    _, told = await house.ask("POST", "/routes/approve", proposed_ms=NOW, by="ada")

    assert (told["rev"], house.routing.table.rev) == (2, 2)
    assert "no Redis" in told["curves"]


@pytest.mark.req("S4-CB-1")
async def test_an_open_breaker_lets_one_entry_try_at_once(house: House) -> None:
    house.breaking.ended(entry=True, good=False)
    assert house.breaking.objection() is not None

    status, told = await house.ask("POST", "/breaker/retry", by="ada", reason="their page says it works")

    assert (status, told["state"], told["next_try_in_ms"]) == (200, "HALF_OPEN", None)
    assert [(change["state"], change["why"]) for change in told["history"]] == [
        ("HALF_OPEN", "1 entries in a row failed"),
        ("OPEN", "1 entries in a row failed"),
    ]
    assert house.breaking.objection() is None
    house.breaking.entering()
    assert house.breaking.objection() is not None, "one, and no more"
    house.breaking.ended(entry=True, good=False)
    assert house.breaking.shown()["state"] == "OPEN", "the venue has the last word"
