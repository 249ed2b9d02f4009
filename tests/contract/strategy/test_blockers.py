"""What keeps a symbol from being entered now: levels with their moment, from looks, decisions and S4; told once."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from strategy_world import START, D, HandClock, Served, Stage, a_rule, activate, ask

from chimera.adapters.memory.faults import NoFaults
from chimera.client.explain import ExplainClient
from chimera.client.levels import levels_of
from chimera.ports.intents import RouterLevel
from chimera.services.strategy.engine import Strategy
from chimera.trading.errors import NotSent, Refused, StoreUnavailable
from chimera.trading.market import Market
from chimera.trading.money import Millis
from chimera.wire import codec
from chimera.wire.keys import ALERTS, BLOCKERS


class Levels:
    """``RouterLevels`` as tests say."""

    def __init__(self, *levels: RouterLevel) -> None:
        self.now: Sequence[RouterLevel] | Exception = levels

    async def levels(self) -> Sequence[RouterLevel]:
        if isinstance(self.now, Exception):
            raise self.now
        return self.now


@pytest.fixture
async def stage() -> Stage:
    made = Stage()
    made.routers = Levels()
    await made.show()
    return made


def standing(strategy: Strategy, symbol: str = "BTCUSDT") -> dict[str, int]:
    (row,) = strategy.blockers.shown(symbol)["symbols"]
    return {blocker["code"]: blocker["since_ms"] - START for blocker in row["blockers"]}


async def after(stage: Stage, strategy: Strategy, ms: int, **changes: Any) -> dict[str, int]:
    """Some time later, with this on the board."""
    stage.clock.ms += ms
    await stage.show(**changes)
    await strategy.blockers.look()
    return standing(strategy)


async def told(stage: Stage) -> list[tuple[str, str]]:
    alerts = await stage.streamed(ALERTS)
    return [(alert["code"], alert["severity"]) for alert in alerts if alert["code"] in ("BLOCKED", "UNBLOCKED")]


BUY = a_rule("BUY", {"type": "side", "value": "BUY"})
WIDE: dict[str, Any] = {"ask": D(65830)}


@pytest.mark.req("S3-PER-1", "S3-ALR-1")
async def test_a_level_keeps_its_moment_while_it_stands_and_begins_anew_after_a_gap(stage: Stage) -> None:
    async with stage.process() as strategy:
        await activate(stage, 2, BUY)
        await strategy.config.refresh()
        assert await after(stage, strategy, 0) == {}
        assert await after(stage, strategy, 1_000, **WIDE) == {"SPREAD": 1_000}
        assert await after(stage, strategy, 1_000, **WIDE, bid_qty=D("0.001")) == {"SPREAD": 1_000, "DEPTH": 2_000}
        assert await after(stage, strategy, 1_000, bid_qty=D("0.001")) == {"DEPTH": 2_000}
        assert await after(stage, strategy, 1_000) == {}
        assert await after(stage, strategy, 1_000, **WIDE) == {"SPREAD": 5_000}
        (row,) = strategy.blockers.shown()["symbols"]

    assert (row["decision"], row["blocked"], row["looked_ms"]) == ("skip", True, START + 5_000)
    (blocker,) = row["blockers"]
    assert (blocker["kind"], blocker["name"], blocker["limit"], blocker["for_ms"]) == ("gate", "spread_bps", "3", 0)
    assert await stage.rows() == [], "a look leaves no decision"


async def test_factors_rules_flags_and_a_missing_bundle_are_levels(stage: Stage) -> None:
    async with stage.process() as strategy:
        await activate(stage, 2, BUY)
        await strategy.config.refresh()
        stage.clock.ms += 61_000
        await stage.show()
        await stage.features(atr=("60", 90_000), rv_pctile_30d=("0.2", 0))
        await strategy.blockers.look()
        assert set(standing(strategy)) == {"FEATURE_STALE", "FEATURE_MISSING"}
        await activate(stage, 3, a_rule("NO", {"type": "skip_entry"}))
        await strategy.config.refresh()
        assert set(await after(stage, strategy, 0)) == {"SKIP_ENTRY"}
        strategy.config.loaded = None
        strategy.config.fault = "lint refuses it"
        assert set(await after(stage, strategy, 0)) == {"NO_CONFIG"}
        (row,) = strategy.blockers.shown()["symbols"]
        assert row["blockers"][0]["text"] == "lint refuses it"


@pytest.mark.req("S3-PER-1")
async def test_a_real_decision_is_a_look_and_says_what_is_wished(stage: Stage) -> None:
    async with stage.process() as strategy:
        assert set(await after(stage, strategy, 0)) == set(), "the demo names a side"
        await activate(stage, 2, a_rule("SIZE", {"type": "size_mult", "value": "1.1"}))
        await strategy.config.refresh()
        assert set(await after(stage, strategy, 0)) == {"NO_SIDE"}
        await strategy.decide(ask(sideHint="SELL", market="SPOT"))
        assert set(standing(strategy)) == {"SPOT_LONG_ONLY"}
        assert set(await after(stage, strategy, 5_000)) == {"SPOT_LONG_ONLY"}, "looked at by the same wish"
        await strategy.decide(ask(sideHint="BUY", dry_run=True))
        (row,) = strategy.blockers.shown()["symbols"]

    assert row["asked"] == {"market": Market.SPOT, "side_hint": "SELL"}, "a dry run leaves nothing"


@pytest.mark.req("S3-PER-1")
async def test_s4_s_barriers_and_kills_stand_before_the_symbols_they_are_about(stage: Stage) -> None:
    levels = Levels(
        RouterLevel(code="CLOCK", why="it is off", since_ms=Millis(START - 9_000)),
        RouterLevel(code="PROBING", why="no form yet", symbol="ETHUSDT"),
        RouterLevel(code="KILL_SWITCH", why="ann killed it", symbol="BTCUSDT"),
        RouterLevel(code="KILL_SWITCH", why="ann killed all"),
        RouterLevel(code="KILL_SWITCH", why="other", strategy="s9"),
    )
    stage.routers = levels
    async with stage.process() as strategy:
        await after(stage, strategy, 0)
        (row,) = strategy.blockers.shown()["symbols"]
        seen = [(item["code"], item["name"], item["since_ms"] - START) for item in row["blockers"]]
        levels.now = [RouterLevel(code="CLOCK", why="it is off again", since_ms=Millis(START + 1_000))]
        later = await after(stage, strategy, 5_000)
        levels.now = NotSent("nobody listens")
        away = await after(stage, strategy, 1_000)
        still = await after(stage, strategy, 1_000)

    assert seen == [("CLOCK", "", -9_000), ("KILL_SWITCH", "BTCUSDT", 0), ("KILL_SWITCH", "", 0)]
    assert later == {"CLOCK": 1_000}, "S4 says since when"
    assert away == still == {"ROUTER_AWAY": 6_000}


@pytest.mark.req("S3-ALR-1")
async def test_an_entry_that_s4_refuses_stands_before_the_symbol_until_it_takes_one(stage: Stage) -> None:
    """Everything of ours is open, each decision is an entry, and nothing trades: that was shown as free."""
    stage.router.script = [Refused("MIN_NOTIONAL", "notional 61 is below 100", field="qty")] * 2
    async with stage.process() as strategy:
        await strategy.blockers.look()
        assert (await strategy.decide(ask())).decision == "open"
        await stage.settle(strategy)
        assert await after(stage, strategy, 16_000) == {"MIN_NOTIONAL": 0}
        (row,) = strategy.blockers.shown("BTCUSDT")["symbols"]
        assert (row["blocked"], row["blockers"][0]["market"]) == (True, "FUT")
        assert row["blockers"][0]["text"] == "S4 refused the last entry: notional 61 is below 100"
        assert await told(stage) == [("BLOCKED", "WARN")]

        assert (await strategy.decide(ask())).decision == "open"
        await stage.settle(strategy)
        assert await after(stage, strategy, 0) == {"MIN_NOTIONAL": 0}, "since the first in a row"
    async with stage.process() as strategy:
        assert await after(stage, strategy, 0) == {"MIN_NOTIONAL": 0}, "over a restart"
        assert (await strategy.decide(ask())).decision == "open"
        await stage.settle(strategy)
        assert await after(stage, strategy, 60_000) == {}
        assert (await told(stage))[-1] == ("UNBLOCKED", "INFO")


class SetClock(HandClock):
    """Whose wall may be set; the second hand goes on."""

    set_ms = 0

    def now_ms(self) -> Millis:
        return Millis(self.ms + self.set_ms)


@pytest.mark.fault("C12")
async def test_a_clock_that_was_set_while_s3_ran_is_named_until_it_is_right(stage: Stage) -> None:
    """The feed stamps by the machine's clock, S3 goes by its own: all was stale until a restart, nothing said why."""
    stage.clock = clock = SetClock()
    async with stage.process() as strategy:
        assert await after(stage, strategy, 0) == {}
        clock.set_ms = 2_500
        now = await after(stage, strategy, 1_000)
        assert now.keys() == {"CLOCK_SET", "MARKET_STALE"}
        (row,) = strategy.blockers.shown("BTCUSDT")["symbols"]
        named = next(blocker for blocker in row["blockers"] if blocker["code"] == "CLOCK_SET")
        assert (named["kind"], "set by 2500 ms" in named["text"]) == ("s3", True)
        assert await after(stage, strategy, 1_000) == now
        clock.set_ms = 2_000
        assert await after(stage, strategy, 1_000) == {}
    async with stage.process() as strategy:
        clock.set_ms = 2_000
        assert await after(stage, strategy, 1_000) == {}


async def test_what_s4_refused_long_ago_stands_no_more(stage: Stage) -> None:
    stage.router.script = [Refused("KILL_SWITCH", "killed")]
    async with stage.process() as strategy:
        await strategy.decide(ask())
        await stage.settle(strategy)
        assert "KILL_SWITCH" in await after(stage, strategy, 0)
        assert await after(stage, strategy, 600_001) == {}


async def test_a_change_is_told_once_it_lasts_and_what_is_told_last_is_how_it_stands(stage: Stage) -> None:
    async with stage.process() as strategy:
        await activate(stage, 2, BUY)
        await strategy.config.refresh()
        await after(stage, strategy, 0)
        await after(stage, strategy, 5_000, **WIDE)
        await after(stage, strategy, 5_000)
        assert await told(stage) == [], "five seconds are nothing"
        for _ in range(30):
            await after(stage, strategy, 5_000, **WIDE)
        assert await told(stage) == [("BLOCKED", "INFO")], "once, however often it is seen"
        await after(stage, strategy, 5_000)
        assert await told(stage) == [("BLOCKED", "INFO"), ("UNBLOCKED", "INFO")]
        for _ in range(8):
            await after(stage, strategy, 5_000, **WIDE)
        assert len(await told(stage)) == 2, "not within a minute"
        for _ in range(8):
            await after(stage, strategy, 5_000, **WIDE)
        assert (await told(stage))[2:] == [("BLOCKED", "INFO")]
        stage.routers.now = NotSent("away")
        for _ in range(16):
            await after(stage, strategy, 5_000, **WIDE)
        assert (await told(stage))[3:] == [("BLOCKED", "WARN")], "S4 is more than a gate"
        alert = (await stage.streamed(ALERTS))[-1]

    assert "ROUTER_AWAY" in alert["text"]
    assert "SPREAD" in alert["text"]


async def test_a_strategy_that_sees_nothing_to_do_is_shown_and_told_to_nobody(stage: Stage) -> None:
    async with stage.process() as strategy:
        await activate(stage, 2, a_rule("N", {"type": "side", "value": "BUY"}, when={"f": "atr", "op": ">", "v": 900}))
        await strategy.config.refresh()
        for _ in range(20):
            now = await after(stage, strategy, 5_000)
        assert set(now) == {"NO_RULE_FIRED"}
        assert await told(stage) == []


@pytest.mark.req("S3-PER-1")
async def test_a_restart_keeps_since_when_of_what_still_stands_and_tells_nothing_again(stage: Stage) -> None:
    async with stage.process() as strategy:
        await activate(stage, 2, BUY)
        await strategy.config.refresh()
        for _ in range(5):
            await after(stage, strategy, 5_000, **WIDE, bid_qty=D("0.001"))
        await strategy.decide(ask(sideHint="SELL"))
        await strategy.blockers.look()
        assert await told(stage) == [("BLOCKED", "INFO")]
    stage.clock.ms += 600_000
    async with stage.process(seed=2) as strategy:
        assert await after(stage, strategy, 0, **WIDE) == {"SPREAD": 5_000}
        (row,) = strategy.blockers.shown()["symbols"]
        assert row["asked"]["side_hint"] == "SELL"
        assert (await told(stage))[1:] == [("BLOCKED", "INFO")], "the depth is back: that is a change"
        for _ in range(20):
            await after(stage, strategy, 5_000, **WIDE)

    assert len(await told(stage)) == 2


async def test_a_restart_tells_nothing_of_what_was_told(stage: Stage) -> None:
    async with stage.process() as strategy:
        await activate(stage, 2, BUY)
        await strategy.config.refresh()
        for _ in range(5):
            await after(stage, strategy, 5_000, **WIDE)
    async with stage.process(seed=2) as strategy:
        for _ in range(30):
            await after(stage, strategy, 5_000, **WIDE)

    assert await told(stage) == [("BLOCKED", "INFO")]


async def test_a_restart_with_a_decision_before_the_first_look_keeps_since_when(stage: Stage) -> None:
    async with stage.process() as strategy:
        await after(stage, strategy, 1_000, **WIDE)
    stage.clock.ms += 5_000
    async with stage.process(seed=2) as strategy:
        await stage.show(**WIDE)
        await strategy.decide(ask())
        assert standing(strategy) == {"SPREAD": 6_000}, "nothing is read yet"
        await strategy.blockers.look()
        assert standing(strategy) == {"SPREAD": 1_000}


async def test_levels_are_saved_when_they_change_and_after_a_store_that_was_away(stage: Stage) -> None:
    class Counting(NoFaults):
        puts = 0
        away = False

        async def before(self, operation: str, key: str) -> None:
            if key.startswith(BLOCKERS) and operation == "put":
                self.puts += 1
                if self.away:
                    raise StoreUnavailable("away")

    faults = Counting()
    stage.ledger.faults = faults
    async with stage.process() as strategy:
        for _ in range(5):
            await after(stage, strategy, 1_000, **WIDE)
        assert faults.puts == 1, "a number that moves is no change"
        faults.away = True
        with pytest.raises(StoreUnavailable):
            await after(stage, strategy, 1_000)
        faults.away = False
        await after(stage, strategy, 1_000)

    (row,) = await stage.ledger.find(BLOCKERS)
    assert row["own"] == []


async def test_the_watch_goes_on_by_itself_and_asks_no_model(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    class Never:
        async def score(self, *_: Any, **__: Any) -> Any:
            raise AssertionError("a look asks no model")

    stage.scorer = Never()
    await stage.show(**WIDE)
    async with stage.process() as strategy:
        watching = asyncio.create_task(strategy.blockers.run())
        for _ in range(500):
            if standing(strategy):
                break
            await asyncio.sleep(0)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        before = stage.bus.snapshot(), codec.encode(await stage.rows())
        await strategy.blockers.look()
        assert (stage.bus.snapshot(), codec.encode(await stage.rows())) == before

    assert await stage.ledger.find(BLOCKERS)


@pytest.mark.req("S3-PER-1")
async def test_blockers_by_http(served: Served) -> None:
    async with ExplainClient(served.url) as client:
        answer = await client.blockers()
        with pytest.raises(Refused) as no:
            await client.blockers("NOPE")

    assert [row["symbol"] for row in answer["symbols"]] == ["BTCUSDT"]
    assert (no.value.code, no.value.field) == ("UNKNOWN_SYMBOL", "symbol")


def test_what_s4_answers_is_read_as_levels() -> None:
    barrier = {"code": "CLOCK", "symbol": None, "why": "off", "since_ms": 7}
    spot = {
        "barriers": [{"code": "PROBING", "symbol": "BTCUSDT", "why": "no form", "since_ms": 9}],
        "circuit_breaker": "OPEN",
    }
    house = {
        "barriers": [barrier],
        "markets": {"FUT": {"barriers": [barrier], "circuit_breaker": "CLOSED"}, "SPOT": spot},
    }
    kill = {"scope": "MARKET", "name": "SPOT", "by": "ann", "reason": "news", "at_ms": 5}

    found = levels_of(house, {"killed": True, "kills": [kill]})
    alone = levels_of({"barriers": [barrier], "circuit_breaker": "CLOSED"}, {"killed": False, "kills": []})
    unread = levels_of({}, {"killed": True, "kills": []})

    assert [(level.code, level.market, level.symbol, level.since_ms) for level in found] == [
        ("CLOCK", Market.FUT, None, 7),
        ("PROBING", Market.SPOT, "BTCUSDT", 9),
        ("BREAKER_OPEN", Market.SPOT, None, None),
        ("KILL_SWITCH", Market.SPOT, None, 5),
    ]
    assert found[-1].why == "MARKET SPOT is killed by ann: news"
    assert [(level.code, level.market) for level in alone] == [("CLOCK", None)]
    assert [level.code for level in unread] == ["KILL_SWITCH"]
