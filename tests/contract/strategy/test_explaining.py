"""Decisions read back: the whole trace, pages, what would have changed one, and a replay that is exact."""

import asyncio
from collections import Counter
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategy_world import START, D, Served, Stage, a_rule, activate, ask, until
from test_strategy_http import TABLE, post
from test_what_if import settled

from chimera.adapters.embedded.ledger import SqliteLedger
from chimera.adapters.memory.ledger import MemoryLedger
from chimera.client.explain import ExplainClient
from chimera.decide.decision import decide
from chimera.services.strategy.bundles import Offered
from chimera.services.strategy.engine import Strategy
from chimera.services.strategy.fixture import read_fixture, replayed
from chimera.services.strategy.tracing import read_case
from chimera.trading.errors import NotSent, Refused
from chimera.trading.money import Quote
from chimera.wire.codec import encode, plain
from chimera.wire.decided import decisions_ask, replay_ask
from chimera.wire.keys import CONFIG_BUNDLES, FACTOR_REGISTRY, SIGNALS, STRATEGY_RULES

pytestmark = pytest.mark.slow


@pytest.fixture
async def stage() -> Stage:
    made = Stage()
    await made.show()
    return made


async def reload(strategy: Strategy) -> None:
    await strategy.config.refresh()


async def some_decisions(stage: Stage, strategy: Strategy) -> list[str]:
    """Opens and skips of many sorts, a minute apart."""
    made = []
    for changes, wishes in (
        ({}, {}), ({"ask": D(65830)}, {}), ({}, {"sideHint": "SELL"}), ({}, {"market": "SPOT"}),
        ({"bid_qty": D("0.001")}, {}), ({}, {"sideHint": None}), ({"at_ms": 1}, {}),
    ):  # fmt: skip
        stage.clock.ms += 60_000
        await stage.show(**changes)
        answer = await strategy.decide(ask(**wishes))
        made.append(str(answer.signal_id))
    await until(lambda: settled(stage), turns=20_000)
    return made


@pytest.mark.req("S3-PER-1")
async def test_a_trace_tells_everything_also_after_a_restart(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chimera.services.strategy.dispatch.RETRY_FIRST_MS", 0)
    stage.router.script = [NotSent("PROBING: wait", code="PROBING"), Refused("LIMIT_NOTIONAL", "too much", field="qty")]
    await stage.features(atr=("60", 5_000), funding_next_abs=("0.0001", 0), rv_pctile_30d=("0.2", 1_000),
                         rho_usdttwd_14=("-0.4", 90_000), funding_rate=("0.0001", 0))  # fmt: skip
    async with stage.process() as strategy:
        await activate(
            stage,
            2,
            a_rule("A", {"type": "size_mult", "value": "1.5"}, when={"f": "rv_pctile_30d", "op": "<", "v": "0.3"}),
        )
        await reload(strategy)
        answer = await strategy.decide(ask())
        await until(lambda: settled(stage), turns=20_000)
        before = await strategy.explaining.trace(str(answer.signal_id))
    stage.clock.ms += 3_600_000
    async with stage.process(seed=2) as strategy:
        trace = await strategy.explaining.trace(str(answer.signal_id))

    assert trace == before
    assert (trace["decision"], trace["config_rev"], trace["bundle_id"], trace["experiment"]) == ("open", 2, "b2", None)
    assert trace["asked"] == {"market": None, "side_hint": "BUY"}
    ages = {
        name: (feature["age_ms"], feature["limit_ms"], feature["usable"]) for name, feature in trace["features"].items()
    }
    assert ages["atr"] == (5_000, 60_000, True)
    assert ages["rho_usdttwd_14"] == (90_000, 60_000, False)
    assert ages["spread_bps"] == (0, 2_000, True)
    assert trace["features"]["side_hint"]["value"] == "1"
    assert (trace["touch"]["bid"], trace["touch"]["age_ms"]) == ("65800", 0)
    assert {gate["code"] for gate in trace["explanation"]["gates"]} >= {"FUNDING", "SPREAD", "DEPTH", "BUDGET_LOSS"}
    assert trace["explanation"]["rules"][0]["clauses"][0]["margin"] == "0.1"
    assert set(trace["explanation"]) >= {"score", "sizing", "levels"}
    dispatch = trace["dispatch"]
    assert (dispatch["state"], dispatch["code"], dispatch["tries"]) == ("REFUSED", "LIMIT_NOTIONAL", 2)
    assert [(said["heard"], said["code"]) for said in dispatch["said"]] == [
        ("NOT_SENT", "PROBING"), ("REFUSED", "LIMIT_NOTIONAL"),
    ]  # fmt: skip
    assert trace["replayable"]


@pytest.mark.req("S3-PER-1")
async def test_a_trace_names_the_experiment_and_who_decided(stage: Stage) -> None:
    async with stage.process() as strategy:
        await strategy.bundles.create(_offered("n", "SELL"), strategy.bundles.signed("ann", "y"))
        await strategy.bundles.begin_trial("n", D(1), None, strategy.bundles.signed("ann", "y"))
        answer = await strategy.decide(ask())
        trace = await strategy.explaining.trace(str(answer.signal_id))

    assert trace["bundle_id"] == "n"
    assert trace["experiment"] == {
        "kind": "CANARY", "trial": 2, "bundle_id": "n", "share": "1", "decided_by": "candidate",
    }  # fmt: skip


def _offered(bundle_id: str, side: str) -> Any:
    return Offered(bundle_id=bundle_id, rules=[a_rule("N-1", {"type": "side", "value": side})])


@pytest.mark.req("S3-PER-1", "S3-CFG-3")
async def test_replaying_what_decided_changes_nothing_and_says_the_same_word_for_word(stage: Stage) -> None:
    async with stage.process() as strategy:
        await some_decisions(stage, strategy)
        report = await strategy.explaining.replay("active", replay_ask({}))
        made = await strategy.explaining._made("demo-1")

    assert report["decisions"] == report["tally"]["same"] == 7
    assert report["differences"] == []
    for row in await stage.ledger.find(SIGNALS):
        case = read_case(row)
        assert case is not None
        assert plain(decide(made.bundle, case).why) == row["explanation"]


@pytest.mark.req("S3-PER-1")
async def test_another_bundle_s_replay_says_what_it_would_have_done_otherwise(stage: Stage) -> None:
    async with stage.process() as strategy:
        made = await some_decisions(stage, strategy)
        rules = [
            a_rule("SIDE", {"type": "side", "value": "BUY"}),
            a_rule("BIG", {"type": "size_mult", "value": "1.9"}),
        ]
        by = strategy.bundles.signed("ann", "y")
        await strategy.bundles.create(Offered(bundle_id="two", rules=rules), by)
        report = await strategy.explaining.replay("two", replay_ask({}))
        kinds = {item["signal_id"]: item for item in report["differences"]}
        rows = await stage.ledger.find(SIGNALS)

    assert len(rows) == len(made), "a replay leaves nothing"
    bought, wide, sold, spot, thin, wishless, old = (kinds.get(signal_id) for signal_id in made)
    assert bought is not None
    assert bought["kind"] == "changed"
    assert {part["what"] for part in bought["differences"]} >= {"qty", "stop", "target", "rules_fired"}
    assert sold is not None
    assert [(part["decided"], part["replayed"]) for part in sold["differences"] if part["what"] == "side"] == [
        ("SELL", "BUY")
    ]  # fmt: skip
    assert (wide, thin, old) == (None, None, None), "the same gates are shut"
    assert spot is not None
    assert wishless is not None
    assert (spot["kind"], wishless["kind"]) == ("reasons", "changed"), "SPOT's least size is bought as before"
    assert report["tally"]["same"] + len(report["differences"]) == report["decisions"] == 7


@pytest.mark.req("S3-PER-1", "S3-L0-3")
async def test_our_own_promises_and_the_budget_of_then_are_part_of_a_replay(stage: Stage) -> None:
    stage.router.gate = asyncio.Event()  # S4 has not answered, so the first intent is our promise alone
    async with stage.process() as strategy:
        for _ in range(2):
            await strategy.decide(ask())
        await stage.budget(remaining_margin_usdt=Quote(D(1)))  # by now
        report = await strategy.explaining.replay("active", replay_ask({}))
        rows = await stage.ledger.find(SIGNALS)

    assert [row["decision"] for row in rows] == ["skip", "open"], "the second saw the first"
    assert report["tally"]["same"] == 2


async def test_a_flag_of_the_other_bundle_counts_in_a_replay(stage: Stage) -> None:
    async with stage.process() as strategy:
        await strategy.decide(ask())
        rule = a_rule("SIZE", {"type": "size_mult", "value": "1.2"})
        offered = Offered(bundle_id="f", rules=[rule], flags={"long": False})
        await strategy.bundles.create(offered, strategy.bundles.signed("ann", "y"))
        report = await strategy.explaining.replay("f", replay_ask({}))

    (difference,) = report["differences"]
    assert difference["kind"] == "skips"
    assert "FLAG_OFF" in difference["replayed"]


@pytest.mark.req("S3-CFG-3")
async def test_looking_back_never_unloads_what_decides(stage: Stage) -> None:
    async with stage.process() as strategy:
        await strategy.decide(ask())
        for number in range(6):
            rule = a_rule("S", {"type": "size_mult", "value": f"1.{number}"})
            await stage.ledger.put(STRATEGY_RULES, f"x{number}:S", rule)
            await stage.ledger.put(CONFIG_BUNDLES, f"x{number}", {"bundle_id": f"x{number}", "rules": ["S"]})
            await strategy.explaining.replay(f"x{number}", replay_ask({}))
        active = await strategy.config.content("demo-1", whole=True)
        assert strategy.config.compiler.knows(active, await strategy.config.names())


@pytest.mark.req("S3-IDEM-1")
async def test_a_skip_that_its_case_did_not_lead_to_keeps_none(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async def taken(*_: object) -> str:
        return "somebody else's"

    monkeypatch.setattr(stage.bus, "remember", taken)
    async with stage.process() as strategy:
        answer = await strategy.decide(ask())
        report = await strategy.explaining.replay("active", replay_ask({}))

    assert [reason["code"] for reason in answer.reasons] == ["LOCKED"]
    assert (report["tally"]["no_case"], report["tally"]["same"]) == (1, 0)


async def test_a_decision_without_a_case_is_counted_and_not_replayed(stage: Stage) -> None:
    async with stage.process() as strategy:
        answer = await strategy.decide(ask())
        await until(lambda: settled(stage), turns=20_000)
        old = dict((await stage.ledger.find(SIGNALS))[0])
        for name in ("case", "bundle_id", "experiment", "asked"):
            old.pop(name, None)
        await stage.ledger.put(SIGNALS, str(answer.signal_id), old)
        damaged = {**old, "signal_id": "d", "case": {"is": "Case", "symbol": 7}}
        await stage.ledger.put(SIGNALS, "d", damaged)
        report = await strategy.explaining.replay("active", replay_ask({}))
        trace = await strategy.explaining.trace(str(answer.signal_id))
        with pytest.raises(Refused) as no:
            await strategy.explaining.needed(str(answer.signal_id))

    assert (report["tally"]["no_case"], report["tally"]["unreadable"]) == (1, 1)
    assert not trace["replayable"]
    assert trace["features"]["atr"]["limit_ms"] is None
    assert no.value.code == "NOT_REPLAYABLE"


@pytest.mark.req("S3-PER-1", "S3-L0-4")
async def test_what_would_have_let_a_stored_decision_trade(stage: Stage) -> None:
    await stage.show(ask=D(65830))
    async with stage.process() as strategy:
        answer = await strategy.decide(ask())
        await activate(stage, 2, a_rule("NO", {"type": "skip_entry"}))
        await reload(strategy)  # another bundle decides by now
        needed = await strategy.explaining.needed(str(answer.signal_id))

    assert needed["same_today"]
    assert needed["bundle_id"] == "demo-1"
    (way,) = needed["single"]
    assert [(change["name"], change["needed"]) for change in way["changes"]] == [("spread_bps", "3")]


async def test_a_bundle_whose_factor_is_gone_cannot_be_replayed(stage: Stage) -> None:
    async with stage.process() as strategy:
        await stage.ledger.put(FACTOR_REGISTRY, "gone", {"f": "gone"})
        rule = a_rule("G", {"type": "side", "value": "BUY"}, when={"f": "gone", "op": ">", "v": 0})
        await strategy.bundles.create(Offered(bundle_id="g", rules=[rule]), strategy.bundles.signed("a", "y"))
        await stage.ledger.put(FACTOR_REGISTRY, "gone", {"note": "f left out"})
        with pytest.raises(Refused) as no:
            await strategy.explaining.replay("g", replay_ask({}))
        with pytest.raises(Refused) as none:
            await strategy.explaining.replay("nothing", replay_ask({}))

    assert (no.value.code, none.value.code) == ("BUNDLE_REFUSED", "NOT_FOUND")


# ── pages ──


OUTCOMES = st.sampled_from(["open", "skip"])
ROWS = st.lists(st.tuples(st.integers(0, 5), st.sampled_from("AB"), OUTCOMES), max_size=25)
FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "symbol": st.sampled_from("ABC"), "outcome": OUTCOMES,
        "since": st.sampled_from(["1", "3"]), "until": st.sampled_from(["3", "5"]),
    },
)  # fmt: skip


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@settings(max_examples=15, deadline=None)
@given(moments=ROWS, limit=st.integers(1, 7), filters=FILTERS)
def test_pages_hold_every_row_once_newest_first(
    kind: str, moments: Any, limit: int, filters: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    async def main() -> None:
        ledger: Any = MemoryLedger()
        if kind == "sqlite":
            ledger = await SqliteLedger.open(tmp_path_factory.mktemp("pages") / "l.sqlite")
        stage = Stage()
        rows = []
        for number, (at_ms, symbol, outcome) in enumerate(moments):
            row = {"signal_id": str(number), "at_ms": at_ms, "symbol": symbol, "decision": outcome, "case": {}}
            await ledger.insert(SIGNALS, str(number), row)
            if (
                filters.get("symbol", symbol) == symbol
                and filters.get("outcome", outcome) == outcome
                and int(filters.get("since", 0)) <= at_ms < int(filters.get("until", 9))
            ):
                rows.append((at_ms, number))
        stage.ledger = ledger
        async with stage.process() as strategy:
            seen: list[str] = []
            cursor: str | None = None
            for _ in range(40):
                asked = {**filters, "limit": str(limit), **({"cursor": cursor} if cursor else {})}
                page, cursor = await strategy.explaining.listed(decisions_ask(asked))
                assert len(page) <= limit
                seen += [str(row["signal_id"]) for row in page]
                if cursor is None:
                    break
        if kind == "sqlite":
            await ledger.close()
        assert seen == [str(number) for _, number in sorted(rows, reverse=True)]

    asyncio.run(main())


async def test_a_replay_goes_page_by_page(stage: Stage) -> None:
    async with stage.process() as strategy:
        await some_decisions(stage, strategy)
        pages, cursor = [], None
        while True:
            asked = {"limit": "3", **({"cursor": cursor} if cursor else {})}
            report = await strategy.explaining.replay("active", replay_ask(asked))
            pages.append(report["decisions"])
            cursor = report["cursor"]
            if cursor is None:
                break
        part = await strategy.explaining.replay(
            "active", replay_ask({"since": str(START + 5 * 60_000), "symbol": "BTCUSDT"})
        )

    assert pages == [3, 3, 1]
    assert part["decisions"] == 3


# ── over HTTP ──


@pytest.mark.parametrize("row", [pytest.param(row, id=row["name"]) for row in TABLE["explain"]])
async def test_every_refusal(served: Served, row: dict[str, Any]) -> None:
    async with aiohttp.ClientSession() as session, session.get(served.url + row["path"]) as answer:
        status, body = answer.status, await answer.json()

    assert (status, body["code"], body["field"]) == (row["status"], row["code"], row["field"])
    assert set(body) == {"result", "code", "message", "field", "value", "accepted"}


@pytest.mark.req("S3-PER-1")
async def test_traces_pages_and_replays_by_http(served: Served) -> None:
    for side in (b"BUY", b"SELL"):
        await post(f"{served.url}/decide", b'{"symbol":"BTCUSDT","sideHint":"' + side + b'"}')
    async with ExplainClient(served.url) as client:
        page = await client.decisions({"limit": 1, "outcome": "open"})
        rest = await client.decisions({"limit": 1, "cursor": page["cursor"]})
        (one,) = page["decisions"]
        trace = await client.decision(one["signal_id"])
        needed = await client.needed(one["signal_id"])
        report = await client.replay("active", {"since": "2025-01-01"})
        skips = await client.skips({"symbol": "BTCUSDT"})
        file = await client.fixture(one["signal_id"])

    assert "case" not in one
    assert one["signal_id"] != rest["decisions"][0]["signal_id"]
    assert trace["signal_id"] == one["signal_id"]
    assert trace["features"]["atr"]["value"] == 60
    assert needed["single"] == []
    assert (report["tally"]["same"], report["decisions"]) == (2, 2)
    assert (skips["decisions"], skips["hours"][0]["skips"], skips["cursor"]) == (2, 1, None)
    assert replayed(read_fixture(file)) == ()


@pytest.mark.req("S3-PER-1")
async def test_a_decision_leaves_as_a_file_that_decides_it_again(stage: Stage) -> None:
    async with stage.process() as strategy:
        for signal in await some_decisions(stage, strategy):
            told = await strategy.explaining.fixture(signal)
            assert replayed(read_fixture(encode(told))) == ()

            told["rules"] = []
            otherwise = {part.what for part in replayed(read_fixture(encode(told)))}
            assert (otherwise != set()) is ("rules_fired" in told["decided"])


async def test_a_file_that_is_no_fixture_is_refused(stage: Stage) -> None:
    async with stage.process() as strategy:
        (signal, *_) = await some_decisions(stage, strategy)
        told = await strategy.explaining.fixture(signal)

    with pytest.raises(Refused, match=r"no decision's fixture: .*missing required field `case`"):
        read_fixture(encode({name: part for name, part in told.items() if name != "case"}))
    for nothing in (b"", b"[]", b"{}", b'{"schema_version":"x"}'):
        with pytest.raises(Refused, match="no decision's fixture"):
            read_fixture(nothing)
    with pytest.raises(Refused, match="rule_id"):
        replayed(read_fixture(encode({**told, "rules": [{}]})))


@pytest.mark.req("S3-PER-1")
async def test_skips_are_counted_by_hour_over_pages(stage: Stage) -> None:
    async with stage.process() as strategy:
        for _ in range(3):
            await some_decisions(stage, strategy)
            stage.clock.ms += 3_600_000
        whole = await strategy.explaining.skips(replay_ask({}))
        pages, cursor = [], None
        while True:
            pages.append(
                await strategy.explaining.skips(replay_ask({"limit": "4"} | ({"cursor": cursor} if cursor else {})))
            )
            cursor = pages[-1]["cursor"]
            if cursor is None:
                break
        rows, _ = await strategy.explaining.listed(decisions_ask({"limit": "200", "outcome": "skip"}))

    assert whole["decisions"] == 21
    hours = [hour["hour_ms"] for hour in whole["hours"]]
    assert hours == sorted(hours, reverse=True)
    assert sum(hour["skips"] for hour in whole["hours"]) == len(rows)
    for count in ("decisions", "skips"):
        summed = Counter[int]()
        for page in pages:
            summed.update({hour["hour_ms"]: hour[count] for hour in page["hours"]})
        assert dict(summed) == {hour["hour_ms"]: hour[count] for hour in whole["hours"]}
    said = Counter(code for row in rows for code in {reason["code"] for reason in row["reasons"]})
    assert said == sum((Counter(hour["codes"]) for hour in whole["hours"]), Counter())
