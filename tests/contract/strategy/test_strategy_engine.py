"""What S3 promises around a decision: durable first, delivered once, nothing left by a dry run."""

import asyncio
import json
from contextlib import suppress
from typing import Any

import pytest
from strategy_world import D, Stage, ask, until

from chimera.adapters.memory.faults import NoFaults
from chimera.services.strategy.revisions import ACTIVE
from chimera.trading.errors import NotSent, OutcomeUnknown, Refused, StoreUnavailable
from chimera.trading.market import Side
from chimera.wire import bodies, codec, request_json, requests, shape
from chimera.wire.decisions import BatchRequest
from chimera.wire.intents import order_body
from chimera.wire.keys import (
    ALERTS,
    CFG_EVENTS,
    CONFIG_ACTIVE,
    CONFIG_BUNDLES,
    INSTRUMENT_REGISTRY,
    ORDERS_INTENT,
    SIGNALS,
    STRATEGY_RULES,
    idempotency_key,
    position_lock_key,
)
from chimera.wire.registry import read_listed


async def delivered(stage: Stage) -> bool:
    rows = await stage.rows()
    return bool(rows) and all(row["delivery"] not in ("PENDING",) for row in rows)


@pytest.fixture
async def stage() -> Stage:
    made = Stage()
    await made.show()
    return made


@pytest.mark.req("S3-API-2", "S3-PER-1", "S3-PER-2", "S3-INT-1", "S3-IDEM-1", "S3-CFG-3")
async def test_an_open_is_durable_explained_and_goes_by_both_tracks(stage: Stage) -> None:
    async with stage.process() as strategy:
        answer = await strategy.decide(ask())
        await until(lambda: delivered(stage))

    assert (answer.decision, answer.rules_fired, answer.config_rev) == ("open", ["R-023"], 1)
    (row,) = await stage.rows()
    assert (row["signal_id"], row["config_rev"], row["delivery"]) == (answer.signal_id, 1, "DONE")
    assert set(row["explanation"]) >= {"gates", "rules", "score", "sizing", "levels"}
    (intent,) = stage.router.got
    assert answer.intent == order_body(intent)
    (record,) = await stage.streamed(ORDERS_INTENT)
    assert json.loads(record["body"]) == order_body(intent)
    coid = intent.client_order_id
    assert coid.startswith("s3-btc-1763")
    assert len(coid) <= 30
    reserved = await stage.bus.get(idempotency_key(coid))
    assert reserved is not None
    assert json.loads(reserved)["state"] == "RESERVED"
    assert json.loads(reserved)["body_hash"] == requests.body_hash(intent)
    assert intent.valid_until_ms == intent.created_ms + 15_000


async def test_the_body_means_the_same_intent_to_the_router(stage: Stage) -> None:
    """S4's own parser gives back the intent, so both tracks have one hash."""
    async with stage.process() as strategy:
        answer = await strategy.decide(ask())
        await until(lambda: delivered(stage))
    document = request_json.read_object(json.dumps(answer.intent).encode())
    shape.fit(document, bodies.OrderIntentBody)
    listed = read_listed((await stage.ledger.get(INSTRUMENT_REGISTRY, "FUT:BTCUSDT")) or {})

    again = requests.order_intent(
        document, instruments=lambda market, symbol: listed.instrument, now_ms=stage.clock.now_ms()
    )

    assert again == stage.router.got[0]


@pytest.mark.req("S3-API-4")
@pytest.mark.parametrize("wishes", [{}, {"context": {"rv_pctile_30d": D("0.9")}}, {"sideHint": None}])
async def test_a_dry_run_leaves_nothing_behind(stage: Stage, wishes: Any) -> None:
    async with stage.process() as strategy:
        before = stage.bus.snapshot(), codec.encode(await stage.rows())
        answer = await strategy.decide(ask(dry_run=True, **wishes))
        after = stage.bus.snapshot(), codec.encode(await stage.rows())

    assert answer.dry_run
    assert answer.signal_id is None
    assert after == before
    assert stage.router.got == []
    assert (answer.decision == "open") == ("context" not in wishes)


@pytest.mark.req("S3-PER-1", "S3-L0-4")
@pytest.mark.incident(28)
async def test_a_skip_is_a_row_with_its_reasons(stage: Stage) -> None:
    await stage.show(ask=D(66500))
    async with stage.process() as strategy:
        answer = await strategy.decide(ask())

    (row,) = await stage.rows()
    assert answer.decision == row["decision"] == "skip"
    assert [reason["code"] for reason in row["reasons"]] == ["SPREAD"]  # type: ignore[attr-defined]  # a list
    assert stage.router.got == []


async def test_the_answer_does_not_wait_for_the_router(stage: Stage) -> None:
    stage.router.gate = asyncio.Event()
    async with stage.process() as strategy:
        answer = await strategy.decide(ask())
        assert answer.decision == "open"
        assert stage.router.got == []
        stage.router.gate.set()
        await until(lambda: delivered(stage))

    assert len(stage.router.got) == 1


@pytest.mark.req("S3-PER-2", "I24", "I25")
@pytest.mark.fault("F18")
async def test_killed_between_durable_and_delivered_it_is_delivered_after_the_restart(stage: Stage) -> None:
    stage.router.gate = asyncio.Event()
    async with stage.process() as strategy:
        answer = await strategy.decide(ask())
    assert stage.router.got == []
    stage.router.gate = None

    async with stage.process(seed=2):
        await until(lambda: delivered(stage))

    assert [order_body(intent) for intent in stage.router.got] == [answer.intent]
    assert len(await stage.streamed(ORDERS_INTENT)) == 1
    async with stage.process(seed=3):
        await asyncio.sleep(0)
    assert len(stage.router.got) == 1


@pytest.mark.req("S3-PER-2", "S3-ALR-1")
@pytest.mark.parametrize("trouble", [NotSent("refused connection"), OutcomeUnknown("no answer")])
async def test_a_lost_answer_is_retried_with_the_same_intent_and_an_alert(
    stage: Stage, trouble: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chimera.services.strategy.dispatch.RETRY_FIRST_MS", 0)
    stage.router.script = [trouble]
    async with stage.process() as strategy:
        await strategy.decide(ask())
        await until(lambda: delivered(stage))

    first, second = stage.router.got
    assert first == second
    assert [alert["code"] for alert in await stage.streamed(ALERTS)] == ["PUBLISH_FAILED"]
    (row,) = await stage.rows()
    assert row["delivery"] == "DONE"


@pytest.mark.fault("D17")
async def test_past_its_time_nothing_is_sent(stage: Stage) -> None:
    stage.router.gate = asyncio.Event()
    stage.settings = stage.settings.model_copy(update={"tracks": "rest"})
    async with stage.process() as strategy:
        await strategy.decide(ask())
    stage.router.gate = None
    stage.clock.ms += 15_000

    async with stage.process(seed=2):
        await until(lambda: delivered(stage))

    assert stage.router.got == []
    assert [row["delivery"] for row in await stage.rows()] == ["FAILED"]
    (alert,) = await stage.streamed(ALERTS)
    assert alert["code"] == "INTENT_EXPIRED"
    assert "was answered by nobody" in alert["text"], "the process that sent it was killed: it may have arrived"


async def test_a_refusal_is_final_and_frees_what_was_reserved(stage: Stage) -> None:
    stage.router.script = [Refused("KILL_SWITCH", "no")]
    async with stage.process() as strategy:
        await strategy.decide(ask())
        await until(lambda: delivered(stage))
        again = await strategy.decide(ask())

    assert again.decision == "open"
    assert [row["delivery"] for row in await stage.rows()][1] == "REFUSED"


@pytest.mark.req("S3-L0-3", "S3-LOCK-1")
async def test_two_at_once_open_one(stage: Stage) -> None:
    async with stage.process() as strategy:
        answers = await asyncio.gather(*(strategy.decide(ask()) for _ in range(5)))
        await until(lambda: delivered(stage))

    assert sorted(answer.decision for answer in answers) == ["open"] + ["skip"] * 4
    assert len(stage.router.got) == 1


@pytest.mark.req("S3-L0-3")
async def test_an_answered_intent_counts_until_the_router_s_figures_can_show_it(stage: Stage) -> None:
    async with stage.process() as strategy:
        await strategy.decide(ask())
        await until(lambda: delivered(stage))
        assert (await strategy.decide(ask())).decision == "skip"
    async with stage.process(seed=2) as strategy:
        promises = strategy._dispatcher.promises
        assert (await strategy.decide(ask())).decision == "skip"  # also after a restart
        await promises.look()
        stage.clock.ms += 6_999
        await stage.show()
        await promises.look()
        assert (await strategy.decide(ask())).decision == "skip"
        stage.clock.ms += 1
        await stage.show()
        await promises.look()
        assert (await strategy.decide(ask())).decision == "open"


@pytest.mark.req("S3-LOCK-1")
async def test_a_lock_held_elsewhere_is_a_skip_and_ours_is_let_go(stage: Stage) -> None:
    key = position_lock_key("BTCUSDT")
    async with stage.process() as strategy:
        await stage.bus.acquire(key, "another", 3_000)
        answer = await strategy.decide(ask())
        assert [reason["code"] for reason in answer.reasons] == ["LOCKED"]
        assert await stage.bus.get(key) == b"another"
        await stage.bus.release(key, "another")
        assert (await strategy.decide(ask())).decision == "open"
        await until(lambda: free(stage))


async def free(stage: Stage) -> bool:
    return await stage.bus.get(position_lock_key("BTCUSDT")) is None


class Slow(NoFaults):
    """One operation of the bus that is not answered until it may go on."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.met = False
        self.may_go_on = asyncio.Event()

    async def before(self, operation: str, key: str) -> None:
        if operation == self.name:
            self.met = True
            await self.may_go_on.wait()
        await super().before(operation, key)


@pytest.mark.req("S3-LOCK-1")
async def test_no_answer_waits_for_the_lock_to_be_let_go_but_the_symbol_s_next_decision_does(stage: Stage) -> None:
    async with stage.process() as strategy:
        stage.bus.faults = slow = Slow("release")
        assert (await strategy.decide(ask())).decision == "open"
        await until(lambda: asyncio.sleep(0, slow.met))
        assert not await free(stage)
        following = asyncio.create_task(strategy.decide(ask()))
        for _ in range(50):
            await asyncio.sleep(0)
        assert not following.done()
        slow.may_go_on.set()
        assert [reason["code"] for reason in (await following).reasons] == ["CONCURRENT_ENTRIES"]  # not LOCKED
        await until(lambda: free(stage))


@pytest.mark.req("S3-LOCK-1")
@pytest.mark.parametrize("what", ["get_many", "remember", "lay", "insert signals"])
async def test_the_lock_is_let_go_whatever_breaks(stage: Stage, what: str) -> None:
    async with stage.process() as strategy:
        stage.bus.faults = stage.ledger.faults = Broken(what)
        with suppress(StoreUnavailable):
            await strategy.decide(ask())
        await until(lambda: free(stage))


@pytest.mark.req("S3-LOCK-1")
async def test_a_decision_that_is_cancelled_lets_its_lock_go(stage: Stage) -> None:
    async with stage.process() as strategy:
        stage.bus.faults = slow = Slow("get_many")
        deciding = asyncio.create_task(strategy.decide(ask()))
        await until(lambda: asyncio.sleep(0, slow.met))
        deciding.cancel()
        await until(lambda: asyncio.sleep(0, deciding.cancelled()))
        slow.may_go_on.set()
        stage.bus.faults = NoFaults()
        await until(lambda: free(stage))
        assert (await strategy.decide(ask())).decision == "open"


@pytest.mark.req("S3-LOCK-1")
@pytest.mark.parametrize("late", ["lay", "remember", "get_many"])
async def test_of_two_that_both_had_the_lock_one_opens(stage: Stage, late: str) -> None:
    """The first is stopped for longer than its lock lasts, wherever it stands; the second decides meanwhile."""
    stage.settings = stage.settings.model_copy(update={"concurrent_entries_per_market": 9})
    key = position_lock_key("BTCUSDT")
    async with stage.process() as first, stage.process(seed=2) as second:
        stage.bus.faults = slow = Slow(late)
        stopped = asyncio.create_task(first.decide(ask()))
        await until(lambda: asyncio.sleep(0, slow.met))
        stage.bus.faults = NoFaults()
        held = await stage.bus.get(key)
        assert held is not None
        await stage.bus.release(key, held.decode())
        answers = [await second.decide(ask())]
        slow.may_go_on.set()
        answers.append(await stopped)
        await until(lambda: delivered(stage))

    assert sorted(answer.decision for answer in answers) == ["open", "skip"]
    [overtaken] = [answer for answer in answers if answer.decision == "skip"]
    assert [reason["code"] for reason in overtaken.reasons] == ["LOCKED"]
    assert "another process decided" in overtaken.reasons[0]["text"]
    assert len(stage.router.got) == 1


class Broken(NoFaults):
    def __init__(self, *names: str, after: bool = False) -> None:
        self.names = names
        self.late = after

    async def before(self, operation: str, key: str) -> None:
        if not self.late and any(f"{operation} {key}".startswith(name) for name in self.names):
            raise StoreUnavailable("away")
        await super().before(operation, key)

    async def after(self, operation: str, key: str) -> None:
        if self.late and any(f"{operation} {key}".startswith(name) for name in self.names):
            raise StoreUnavailable("answer lost")
        await super().after(operation, key)


@pytest.mark.parametrize("after", [False, True])
async def test_what_could_not_be_made_durable_is_never_sent(stage: Stage, after: bool) -> None:
    async with stage.process() as strategy:
        stage.ledger.faults = Broken("insert signals", after=after)
        with pytest.raises(StoreUnavailable):
            await strategy.decide(ask())
        stage.ledger.faults = NoFaults()
        for _ in range(50):
            await asyncio.sleep(0)
        assert (await strategy.decide(ask())).decision == "open"  # and holds no budget
        await until(lambda: asyncio.sleep(0, len(stage.router.got) == 1))
        assert stage.router.got[0].trace_id == (await stage.rows())[0]["signal_id"]


async def test_with_the_bus_away_nothing_opens(stage: Stage) -> None:
    async with stage.process() as strategy:
        stage.bus.faults = Broken("get_many")
        answer = await strategy.decide(ask())
        stage.bus.faults = Broken("remember")
        second = await strategy.decide(ask())

    for skipped in (answer, second):
        assert [reason["code"] for reason in skipped.reasons] == ["BUS_AWAY"]
    assert stage.router.got == []


@pytest.mark.req("S3-API-3")
async def test_a_batch_has_one_result_each(stage: Stage) -> None:
    async with stage.process() as strategy:
        batch = BatchRequest.model_validate(
            {"symbols": ["BTCUSDT", "NOPE", "BTCUSDT"], "dry_run": True, "sideHint": "SELL"}
        )
        results = (await strategy.decide_batch(batch)).results

    assert [result.get("decision", result.get("code")) for result in results] == ["open", "UNKNOWN_SYMBOL", "open"]
    assert results[0]["intent"]["side"] == Side.SELL


@pytest.mark.req("S3-CFG-1", "S3-CFG-2", "S3-CFG-3", "I20")
@pytest.mark.fault("G1", "G2")
@pytest.mark.incident(29)
async def test_a_new_revision_is_swapped_in_and_a_bad_one_is_not(stage: Stage) -> None:
    async def put(rev: int, action: dict[str, object]) -> None:
        bundle = f"b{rev}"
        rule = {
            "rule_id": "N-1", "priority": 1, "applies": {"symbols": ["*"]}, "status": "ENABLED",
            "when": {"f": "atr", "op": ">", "v": 0}, "action": action,
        }  # fmt: skip
        await stage.ledger.put(STRATEGY_RULES, f"{bundle}:N-1", rule)
        await stage.ledger.put(CONFIG_BUNDLES, bundle, {"bundle_id": bundle, "rules": ["N-1"]})
        await stage.ledger.put(CONFIG_ACTIVE, ACTIVE, {"rev": rev, "bundle_id": bundle})
        await stage.bus.publish(CFG_EVENTS, f"e{rev}", {"rev": str(rev)})

    async with stage.process() as strategy:
        for _ in range(20):
            await asyncio.sleep(0)  # the watcher is at its tail
        await put(2, {"type": "side", "value": "SELL"})
        await until(lambda: asyncio.sleep(0, strategy.config.snapshot.bundle.rev == 2))  # type: ignore[union-attr]  # ready has one
        answer = await strategy.decide(ask(dry_run=True))
        assert (answer.config_rev, answer.rules_fired, answer.intent["side"]) == (2, ["N-1"], "SELL")  # type: ignore[index]  # an open has one
        await put(3, {"type": "explode"})
        await strategy.config.refresh()
        assert (await strategy.decide(ask(dry_run=True))).config_rev == 2
        alert = (await stage.streamed(ALERTS))[0]
        assert (alert["code"], alert["subject"]) == ("CONFIG_REFUSED", "N-1")
        assert "$.action.type" in alert["text"]
        for _ in range(3):
            await strategy.config.refresh()
        assert "CONFIG_REV_DIFFERS" in [alert["code"] for alert in await stage.streamed(ALERTS)]


@pytest.mark.req("S3-FEAT-1")
async def test_without_the_cache_features_come_from_the_newest_signal_with_their_ages(stage: Stage) -> None:
    async with stage.process() as strategy:
        await stage.show(ask=D(66500))
        await strategy.decide(ask())  # a skip, whose row keeps the features
        await stage.bus.put("feat:last:BTCUSDT", b"{}")
        await stage.show()
        await stage.bus.put("feat:last:BTCUSDT", b"not json")
        fresh = await strategy.decide(ask(dry_run=True))
        stage.clock.ms += 60_001
        tick_and_budget = stage.bus
        await stage.show()
        await tick_and_budget.put("feat:last:BTCUSDT", b"not json")
        stale = await strategy.decide(ask(dry_run=True))

    assert fresh.decision == "open"
    assert {reason["code"] for reason in stale.reasons} == {"FEATURE_STALE"}


@pytest.mark.req("S3-L1-5")
async def test_a_rule_s_missing_factor_is_an_alert(stage: Stage) -> None:
    await stage.ledger.put(
        STRATEGY_RULES,
        "b:M",
        {
            "rule_id": "M", "priority": 1, "applies": {"symbols": ["*"]}, "status": "ENABLED",
            "when": {"f": "rv", "op": ">", "v": 0}, "action": {"type": "size_mult", "value": 1},
        },
    )  # fmt: skip
    async with stage.process() as strategy:
        await stage.ledger.put(CONFIG_BUNDLES, "b", {"bundle_id": "b", "rules": ["M"]})
        await stage.ledger.put(CONFIG_ACTIVE, ACTIVE, {"rev": 2, "bundle_id": "b"})
        await strategy.config.refresh()
        answer = await strategy.decide(ask())

    assert [(reason["code"], reason["name"]) for reason in answer.reasons] == [("FEATURE_MISSING", "rv")]
    assert [alert["code"] for alert in await stage.streamed(ALERTS)] == ["FEATURE_MISSING"]


async def test_rows_are_found_by_the_fields_the_dispatcher_asks_for(stage: Stage) -> None:
    async with stage.process() as strategy:
        await strategy.decide(ask())
        await until(lambda: delivered(stage))

    assert len(await stage.ledger.find(SIGNALS, where={"decision": "open"})) == 1


@pytest.mark.req("S3-L2-1")
async def test_a_model_that_fails_is_a_fallback_that_shows(stage: Stage) -> None:
    stage.scorer = Late()
    async with stage.process() as strategy:
        answer = await strategy.decide(ask(dry_run=True))

    assert answer.decision == "open"
    assert answer.explanation["score"]["fallback"] == "the model is asleep"


class Late:
    async def score(self, symbol: object, features: object, *, timeout_ms: int) -> Any:
        raise NotSent("the model is asleep")
