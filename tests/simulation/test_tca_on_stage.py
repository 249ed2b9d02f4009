"""What trading cost, of rows that S3 and S4 wrote on the stage: nothing is unread, and S4's own figures agree."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from itertools import takewhile
from typing import Any

import pytest

from chimera.cli.up.on_stage import StageHouse
from chimera.cli.up.session import Session, SessionPlan
from chimera.services import serving
from chimera.services.router import settings as router_settings
from chimera.services.simulator.market import open_market
from chimera.services.stage.loop import DetLoop
from chimera.services.stage.stage import Stage
from chimera.services.strategy import settings as strategy_settings
from chimera.tca.report import Recording, report
from chimera.tca.rows import Ledger, Wanted
from chimera.tca.shortfall import PARTS
from chimera.trading.market import Market, MarketEvent, Side
from chimera.trading.money import Millis
from chimera.wire import keys

pytestmark = pytest.mark.xdist_group("tca_on_stage")  # one run for all of it

SEED = 5
CLOSED = 4
ALL = Wanted(since_ms=Millis(0), until_ms=Millis(9_999_999_999_999))


def played() -> tuple[Stage, dict[str, list[dict[str, Any]]]]:
    """A stage on which positions were opened and closed, and every row of its ledgers."""
    loop = DetLoop(SEED, fifo=True)
    market = open_market(None, seed=SEED)
    s3 = strategy_settings.read_settings({"S3_SYMBOLS": market.symbol, "S3_MAX_HOLD_S": "10"})
    s4 = router_settings.load({"S4_FUT_URL": "http://127.0.0.1:9020", "S4_SYMBOLS": market.symbol})
    stage = Stage(loop, market, s3, s4, seed=SEED)
    plan = SessionPlan(symbols=(market.symbol,), every_s=2, sides=(Side.BUY, Side.SELL), exit_after=CLOSED)

    async def play() -> dict[str, list[dict[str, Any]]]:
        running = asyncio.create_task(stage.run())
        try:
            await stage.ready.wait()
            await Session(StageHouse(stage), plan, lambda event: None).run()
        finally:
            await serving.end(running)
        ledgers = {keys.ORDERS: stage.ledger, keys.FILLS: stage.ledger, keys.SIGNALS: stage.s3_ledger}
        return {name: list(await ledger.find(name, newest=100_000)) for name, ledger in ledgers.items()}

    rows = loop.run_until_complete(play())
    loop.close()
    return stage, rows


def tape(until_ms: int) -> Recording:
    """The same market once more, and no further."""
    events: Iterator[MarketEvent] = (event for _, event in open_market(None, seed=SEED).events)
    return Market.FUT, takewhile(lambda event: event.at_us < until_ms * 1_000, events)


@pytest.fixture(scope="module")
def stage_and_rows() -> tuple[Stage, dict[str, list[dict[str, Any]]]]:
    return played()


def told(rows: dict[str, list[dict[str, Any]]], *recordings: Recording) -> dict[str, Any]:
    ledger = Ledger()
    ledger.orders(rows[keys.ORDERS])
    ledger.fills(rows[keys.FILLS])
    ledger.signals(rows[keys.SIGNALS])
    return report(ledger.told(ALL), recordings, {})


def test_every_row_is_read_and_s4_says_the_same(
    stage_and_rows: tuple[Stage, dict[str, list[dict[str, Any]]]],
) -> None:
    stage, rows = stage_and_rows
    whole = told(rows, tape(stage.clock.now_ms()))
    parents = {row["client_order_id"]: row for row in rows[keys.ORDERS] if row["kind"] == "PARENT"}

    assert "unreadable" not in whole["left_out"]
    assert whole["intents"] >= CLOSED
    assert {what: count for what, count in whole["unknown"].items() if "markout" not in what and count} == {}
    assert whole["resting"][0]["all"]["orders"] > 0
    for row in whole["orders"]:
        parent = parents[row["client_order_id"]]
        assert (row["filled_qty"], row["vwap"]) == (parent["filled_qty"], parent["avg_price"])
        assert sum(Decimal(row["cost"][part]) for part in PARTS) == Decimal(row["cost"]["total"])
        traded = Fraction(row["cost"]["spread"]) + Fraction(row["cost"]["impact"])
        against = Fraction(row["filled_qty"]) * Fraction(row["arrival_mid"])
        assert abs(traded / against * 10_000 - Fraction(parent["slip_bps"])) <= Fraction("0.0001")
        assert Decimal(row["cost"]["fees"]) == sum(Decimal(fill["fee"]) for fill in parent["fills"])


def test_the_recording_and_the_ledger_saw_one_market(
    stage_and_rows: tuple[Stage, dict[str, list[dict[str, Any]]]],
) -> None:
    """The mids that S4 kept are those of the tape, but for the way from the venue to the feed's board."""
    stage, rows = stage_and_rows
    bare = {name: [{**row, "mid_at_send": None} for row in rows[name]] for name in (keys.ORDERS, keys.FILLS)}
    seen = told(rows, tape(stage.clock.now_ms()))["orders"]
    looked = told({**rows, **bare}, tape(stage.clock.now_ms()))["orders"]

    for kept, found in zip(seen, looked, strict=True):
        assert found["arrival_mid"] is not None
        assert abs(Decimal(found["arrival_mid"]) / Decimal(kept["arrival_mid"]) - 1) < Decimal("0.001")


def test_without_a_tape_what_it_tells_is_unknown_and_the_rest_the_same(
    stage_and_rows: tuple[Stage, dict[str, list[dict[str, Any]]]],
) -> None:
    stage, rows = stage_and_rows
    blind, seen = told(rows), told(rows, tape(stage.clock.now_ms()))

    assert blind["unknown"]["markout_1000_ms"] == blind["fills"]
    assert [row["cost"]["spread"] for row in blind["orders"]] == [row["cost"]["spread"] for row in seen["orders"]]
    assert [mark["known"] for mark in seen["markouts"][0]["all"]][:2] != [0, 0]
