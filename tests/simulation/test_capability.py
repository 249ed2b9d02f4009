"""What the venue can do, found out before it is needed: the real S4 and adapter against the twin, in virtual time."""

from decimal import Decimal
from typing import Any

import pytest

from chimera.services.router.config import RouterConfig
from chimera.services.router.router import Router
from chimera.simulate.usdm.perpetual import SymbolStatus
from chimera.simulate.venue.audit import AuditRecord, Kind
from chimera.trading.ids import Symbol
from support.incident_stage import Stage, Story, Told, a_wish, asked, play, role_of, steps, without
from world.composed import INSTRUMENT
from world.plan import KillAt

SYMBOL = INSTRUMENT.symbol
PROBED_S = 2.0  # by then the probe of a calm start is over


def refusing(code: int, **match: Any) -> dict[str, Any]:
    where = {"path": "/fapi/v1/algoOrder", "method": "POST"} | match
    return {"name": "refused", "params": {"code": code, "msg": "not here"}, "match": where}


NO_ALGO = refusing(-4120)


def probes(told: Told, kind: Kind) -> list[AuditRecord]:
    """Of the stops that were placed while nothing was held."""
    return [
        each for each in told.only(kind, "s") if each.client_order_id.startswith("cx-") and each.at_us < PROBED_S * 1e6
    ]


def test_the_forms_are_asked_for_at_the_start_by_orders_that_can_do_nothing() -> None:
    shown: dict[str, Any] = {}

    async def look(stage: Stage) -> None:
        router = stage.world.router
        assert isinstance(router, Router)
        shown.update({str(row["form"]): row for row in router.health()["protective_forms"]})  # type: ignore[attr-defined]

    told = play(Story(probe=True, hands=((PROBED_S, look),), rough_s=3, calm_s=3))

    assert told.broken == []
    assert {form: row["works"] for form, row in shown.items()} == {"QTY": True, "WHOLE": True, "REGULAR": False}
    assert "-4509" in shown["WHOLE"]["why"]
    assert "-4120" in shown["REGULAR"]["why"]
    (placed,) = probes(told, Kind.ACCEPT)
    (gone,) = probes(told, Kind.CANCEL)
    assert placed.reduce_only
    assert gone.client_order_id == placed.client_order_id
    assert not [row for row in told.stage.orders if row["client_order_id"] == placed.client_order_id], (
        "no order of ours"
    )
    assert [request.path for _, request in told.requests if request.path.endswith("/order/test")]


@pytest.mark.incident(2)
@pytest.mark.fault("B36")
def test_where_no_form_works_no_entry_leaves() -> None:
    """Known before it is needed: a position that could not be protected is not opened; exits and questions go on."""
    told = play(Story(wishes=(a_wish(),), faults=(NO_ALGO,), probe=True))

    assert told.broken == []
    assert told.entries == []
    assert {"NO_PROTECTIVE_FORM", "PROTECTIVE_FORM_REFUSED"} <= set(told.alerts)


@pytest.mark.incident(2)
@pytest.mark.fault("B36")
def test_a_first_choice_that_is_refused_is_switched_before_it_is_needed() -> None:
    """The venue takes no quantity any more: the fill's first stop is a whole one, accepted at once."""

    def without_quantities(stage: Stage) -> None:
        execute = stage.world.venue.execute

        def heard(request: Any) -> Any:
            terms = asked(request)
            if request.method == "POST" and request.path == "/fapi/v1/algoOrder" and "quantity" in terms:
                return execute(type(request)(**{**_fields(request), "path": "/fapi/v1/order", "query": request.query}))
            return execute(request)

        stage.world.venue.execute = heard  # type: ignore[method-assign]  # the quantity form meets -4120 at the old door

    told = play(Story(wishes=(a_wish(),), probe=True, extra=(without_quantities,)))

    assert told.broken == []
    stops = told.only(Kind.ACCEPT, "s")
    assert stops
    assert all(each.close_position for each in stops)
    assert told.position(10) == steps(10)
    assert told.longest_bare_ms < 500
    assert "PROTECTIVE_FORM_REFUSED" in told.alerts
    assert "STOP_FORM_REFUSED" not in told.alerts, "no real stop had to find out"


def _fields(request: Any) -> dict[str, Any]:
    return {name: getattr(request, name) for name in request.__struct_fields__}


@pytest.mark.incident(4)
def test_a_whole_stop_lives_through_a_kill_and_is_not_armed_twice() -> None:
    """Crash with a resting closePosition stop: found again, covering all; no second one, nothing bare."""
    taken = refusing(-4120, client_id="s3-w0-s1")
    told = play(Story(wishes=(a_wish(hold_s=20),), faults=({**taken, "count": 1},), blows=(KillAt(at_s=6.0),)))

    assert told.broken == []
    whole = [each for each in told.only(Kind.ACCEPT, "s") if each.close_position]
    assert len(whole) == 1
    assert told.live(5, "s") == told.live(10, "s") == [whole[0].client_order_id]


def test_what_a_probe_left_behind_is_swept_after_a_crash() -> None:
    """Its cancels fail and S4 dies: the next incarnation finds a stop of its own pattern, and cancels it."""
    lost = {"name": "refused", "params": {"code": -1122}, "match": {"path": "/fapi/v1/algoOrder", "method": "DELETE"}}
    told = play(
        Story(
            probe=True,
            faults=({**lost, "when": {"to_ms": 1_500}},),
            blows=(KillAt(at_s=1.0),),
            rough_s=10,
            calm_s=20,
        )
    )

    assert told.broken == []
    left = {each.client_order_id for each in told.only(Kind.ACCEPT, "s")}
    assert left
    assert left == {each.client_order_id for each in told.only(Kind.CANCEL, "s")}
    assert told.live(29) == []


@pytest.mark.req("S4-FUT-3")
@pytest.mark.fault("B28")
def test_a_stop_is_made_by_the_rules_of_the_moment() -> None:
    """The tick is another while we hold the old one: read again, and placed at once, never bare for long."""

    async def coarser(stage: Stage) -> None:
        listing = stage.world.twin.usdm.floor.listings[SYMBOL]
        listing.instrument = listing.instrument.but(tick=listing.instrument.tick * 37)

    told = play(Story(wishes=(a_wish(),), hands=((2.0, coarser),)))
    refused = [at_s for at_s, request in told.requests if request.path.endswith("/exchangeInfo")]

    assert told.broken == []
    assert len(refused) >= 2, "read at the start, and when a stop was refused"
    assert told.position(10) == steps(10)
    assert told.longest_bare_ms < 1_500
    assert "STOP_REFUSED" not in told.alerts


@pytest.mark.fault("B38")
def test_a_key_that_is_taken_away_pages_and_keeps_what_stands() -> None:
    """Entries stop, nothing is closed in a panic, and all goes on when it is back."""
    revoked = {
        "name": "refused",
        "params": {"code": -2015, "msg": "Invalid API-key"},
        "match": {"method": "GET|POST|DELETE", "path": "/fapi/*"},
    }
    told = play(
        Story(
            wishes=(a_wish(hold_s=20), a_wish(1, at_s=9.0)),
            faults=({**revoked, "when": {"from_ms": 5_000, "to_ms": 14_000}},),
        )
    )

    assert {"KEY_REFUSED", "KEY_REFUSED_OVER"} <= set(told.alerts)
    assert len(told.live(13, "s")) == 1
    assert told.position(13) == steps(10)
    assert told.broken == []


@pytest.mark.req("I21")
@pytest.mark.fault("B29")
def test_a_symbol_that_stops_trading_takes_no_entries_and_pages() -> None:
    """Halted with a position open: what stands stays, the next entry is refused, exits go through when it trades."""

    def status(to: SymbolStatus) -> Any:
        async def change(stage: Stage) -> None:
            stage.world.twin.usdm.floor.listings[SYMBOL].status = to

        return change

    story = Story(
        wishes=(a_wish(hold_s=8), a_wish(1, at_s=9.0)),
        hands=((6.0, status(SymbolStatus.TRADING_HALT)), (16.0, status(SymbolStatus.TRADING))),
        rough_s=100,
    )
    told = play(story)

    assert told.broken == []
    assert "SYMBOL_NOT_TRADING" in told.alerts
    assert told.bought == steps(10)
    assert told.position(15) == steps(10)
    assert told.position(60) == Decimal(0), "the exit was waiting"
    assert all(role_of(each) != "t" for each in told.only(Kind.ACCEPT) if each.at_us > 6e6)


@pytest.mark.fault("B29")
@pytest.mark.req("I10")
def test_a_symbol_that_is_not_listed_any_more_keeps_nobody_else_from_being_owned() -> None:
    """A start refused to begin for it, and after a crash every other position was without an owner."""

    def wanting_more(**terms: Any) -> RouterConfig:
        return RouterConfig(**(terms | {"symbols": (Symbol("GONEUSDT"), *terms["symbols"])}))

    story = Story(wishes=(a_wish(hold_s=30, stop_bps=90),), blows=(KillAt(at_s=6),), moves=((12, -40),), rough_s=20)
    with without(("world.composed", "RouterConfig", wanting_more)):
        told = play(story)

    assert told.broken == []
    assert told.bought == steps(10)
    assert told.answers == {"w-0": "FILLED"}
    assert "SYMBOL_NOT_TRADING" in told.alerts
