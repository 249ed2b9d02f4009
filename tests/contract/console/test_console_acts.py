"""What is done from why, config, execution, TWAP, venue and simulator: its effect first, and then exactly that."""

import re
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from console_others import a_schedule, recorded
from console_stage import HEALTHY, Stage, a_position

from chimera.services.console.screens import SCREENS
from chimera.trading.market import Market

OWN = {"Origin": "http://127.0.0.1:8080", "X-Chimera-Console": "1"}
GUARDS = [
    {"kind": "TARGET", "price": "66100", "qty": "0.02", "gauge": "TOUCH", "armed_ms": 1, "rests": "chimera"},
    {"kind": "STOP", "price": "65100", "qty": "0.02", "gauge": "MARK", "armed_ms": 1, "rests": "chimera"},
]


@pytest.fixture
async def ready(stage: Stage) -> Stage:
    """Simulated money, a schedule that goes on, a breaker that is open."""
    health = recorded("health")
    for told in (health, *health["markets"].values()):
        told["circuit_breaker"], told["breaker"]["next_try_in_ms"] = "OPEN", 4_000
    stage.s4.told = health
    stage.s4.rows = [a_position(guards=GUARDS)]
    stage.s4.orders["twap-1"] = a_schedule(stage.clock.now_ms())
    await stage.look()
    return stage


async def shown(client: httpx2.AsyncClient, act: str, **about: str) -> tuple[int, str]:
    answer = await client.get(f"/acts/{act}", params=about)
    return answer.status_code, answer.text


async def done(
    client: httpx2.AsyncClient, act: str, word: str = "", fields: dict[str, str] | None = None, **about: str
) -> tuple[int, str]:
    """Both steps, as the page takes them."""
    _, effect = await shown(client, act, **about)
    token = re.search(r'data-effect="(\w+)"', effect)
    assert token is not None, effect
    body = {"about": about, "confirm": word, "effect": token[1], "fields": fields or {}}
    answer = await client.post(f"/acts/{act}", json=body, headers=OWN)
    return answer.status_code, answer.text


async def test_a_bundle_is_activated_for_what_it_changes_and_with_why(ready: Stage, client: httpx2.AsyncClient) -> None:
    _, effect = await shown(client, "activate", bundle="calm-2")
    assert "R-023" in effect
    assert "bounds.size_mult.high: 1.5 becomes 1" in effect
    assert "Type <b>calm-2</b>" in effect

    refused, _ = await done(client, "activate", "calm", bundle="calm-2")
    assert (refused, ready.bundles.done) == (422, [])
    status, told = await done(client, "activate", "CALM-2", {"why": "tried for a week"}, bundle="calm-2")
    assert status == 200
    assert "revision 2, activate, decides already" in told
    assert ready.bundles.done == [("ACTIVATE", "calm-2", "console", "tried for a week")]
    again, _ = await shown(client, "activate", bundle="calm-2")
    assert again == 404, "it decides already"


async def test_what_moved_meanwhile_is_not_changed(ready: Stage, client: httpx2.AsyncClient) -> None:
    _, effect = await shown(client, "activate", bundle="calm-2")
    token = re.search(r'data-effect="(\w+)"', effect)
    assert token is not None
    ready.bundles.rev += 1
    body = {"about": {"bundle": "calm-2"}, "confirm": "calm-2", "effect": token[1], "fields": {}}
    answer = await client.post("/acts/activate", json=body, headers=OWN)

    assert (answer.status_code, ready.bundles.done) == (409, [])
    assert "It changed since you looked" in answer.text


async def test_there_and_back(ready: Stage, client: httpx2.AsyncClient) -> None:
    assert (await shown(client, "roll-back"))[0] == 404, "nothing was before"
    await done(client, "activate", "calm-2", bundle="calm-2")
    await ready.bundles.activate("calm-2", who="ann", why="from elsewhere, again")
    _, effect = await shown(client, "roll-back")
    assert "Go back to demo-1?" in effect
    status, _ = await done(client, "roll-back", "back", {"why": "it slept"})
    assert (status, ready.bundles.done[-1]) == (200, ("ROLLBACK", "demo-1", "console", "it slept"))


async def test_a_candidate_is_tried_and_ended(ready: Stage, client: httpx2.AsyncClient) -> None:
    await done(client, "try-bundle", fields={"share": "0.1", "why": "look"}, bundle="calm-2")
    assert ready.bundles.done[-1] == ("CANARY", "calm-2", "console", "look")
    assert (await shown(client, "try-bundle", bundle="calm-2"))[0] == 404, "one at a time"
    await done(client, "end-trial", fields={"why": "seen"})
    assert ready.bundles.done[-1] == ("END_TRIAL", "calm-2", "console", "seen")
    _, told = await done(client, "try-bundle", fields={"share": "0.9"}, bundle="calm-2")
    assert "SHARE" in told
    assert len(ready.bundles.done) == 2


async def test_a_route_table_is_approved_row_by_row_and_gone_back_from(
    ready: Stage, client: httpx2.AsyncClient
) -> None:
    _, effect = await shown(client, "approve-routes")
    assert "any, up to 200 USDT: wait 1500 ms → wait 2500 ms" in effect
    status, _ = await done(client, "approve-routes", "approve")
    assert (status, ready.s4.tables) == (200, [("approve", 77, "console")])
    await done(client, "roll-back-routes", "back", rev="1")
    assert ready.s4.tables[-1] == ("rollback", 1, "console")
    ready.s4.proposed = False
    assert (await shown(client, "approve-routes"))[0] == 404
    assert (await shown(client, "roll-back-routes", rev="9"))[0] == 404


async def test_an_order_is_paused_resumed_and_finished(ready: Stage, client: httpx2.AsyncClient) -> None:
    await done(client, "pause-order", order="twap-1")
    assert (await shown(client, "resume-order", order="twap-1"))[0] == 404, "it does not pause"
    ready.s4.orders["twap-1"]["paused"] = True
    assert (await shown(client, "pause-order", order="twap-1"))[0] == 404
    await done(client, "resume-order", order="twap-1")
    _, told = await done(client, "finish-order", "btcusdt", order="twap-1")
    assert "0.013 filled" in told
    assert ready.s4.steered == [("pause", "twap-1"), ("resume", "twap-1"), ("finish", "twap-1")]
    assert (await shown(client, "finish-order", order="nobody"))[0] == 404


async def test_a_target_is_given_up_and_a_stop_is_not(ready: Stage, client: httpx2.AsyncClient) -> None:
    await done(client, "disarm", "BTCUSDT", position="BTCUSDT")
    assert ready.s4.replaced == [("i1", {"tp": None})]
    ready.s4.rows = [a_position(guards=GUARDS[1:])]
    status, told = await shown(client, "disarm", position="BTCUSDT")
    assert (status, "STOP_STAYS" in told) == (422, True)


async def test_one_entry_may_try_while_the_breaker_is_open(ready: Stage, client: httpx2.AsyncClient) -> None:
    await done(client, "retry-breaker", "FUT", {"reason": "their page says so"}, market="FUT")
    assert ready.s4.retried == [(Market.FUT, "console", "their page says so")]
    ready.s4.told = recorded("health")
    assert (await shown(client, "retry-breaker", market="FUT"))[0] == 404


async def test_faults_are_made_and_ended(ready: Stage, client: httpx2.AsyncClient) -> None:
    fields = {"count": "3", "hold": "10000", "param.ms": "6500"}
    await done(client, "arm-fault", fields=fields, name="clock_skew")
    (armed,) = ready.sim.armed
    assert (armed["name"], armed["params"], armed["count"], armed["when"]) == (
        "clock_skew", {"ms": 6500}, 3, {"from_ms": 0, "to_ms": 10_000},
    )  # fmt: skip
    _, told = await done(client, "arm-fault", fields={"param.ms": "soon"}, name="clock_skew")
    assert "soon is no whole number" in told
    assert (await shown(client, "arm-fault", name="nothing"))[0] == 404
    await done(client, "clear-fault", id="clock_skew-1")
    assert ready.sim.armed == []
    assert (await shown(client, "clear-fault", id=""))[0] == 404


async def test_the_market_is_run_by_hand(ready: Stage, client: httpx2.AsyncClient) -> None:
    await done(client, "move-market", move="stop")
    await done(client, "move-market", move="step-10")
    fields = {"push_bps": "-25.5", "volatility_pct": "300", "spread_times": "4", "speed": "1.0"}
    await done(client, "turn-market", fields=fields, symbol="BTCUSDT")
    assert ready.sim.changes == [
        {"stopped": True},
        {"step_ms": 10_000},
        {"symbol": "BTCUSDT", "volatility_pct": 300, "spread_times": 4, "push_bps": "-25.5"},
    ]
    assert (await shown(client, "move-market", move="seed"))[0] == 404


ACTS = [pytest.param(act.name, id=act.name) for screen in SCREENS if screen.name == "simulator" for act in screen.acts]


@pytest.mark.parametrize("environment", ["live", "demo", None])
@pytest.mark.parametrize("act", ACTS)
async def test_no_trouble_is_made_where_money_is_not_simulated(
    stage: Stage, client: httpx2.AsyncClient, environment: str | None, act: str
) -> None:
    """Also before S4 has said whose money it is."""
    stage.s4.told = HEALTHY | {"environment": environment}
    await stage.look()
    home = (await client.get("/")).text
    body = {"about": {"name": "clock_skew", "move": "stop", "symbol": "BTCUSDT"}, "confirm": "", "effect": "x"}
    statuses = [
        (await client.get("/simulator")).status_code,
        (await client.get("/events", params={"at": "/simulator"})).status_code,
        (await shown(client, act, name="clock_skew", move="stop", symbol="BTCUSDT"))[0],
        (await client.post(f"/acts/{act}", json=body, headers=OWN)).status_code,
    ]

    assert statuses == [404] * 4
    assert "/simulator" not in home
    assert (stage.sim.armed, stage.sim.changes) == ([], [])


async def test_hours_that_are_over_are_asked_for_once(ready: Stage) -> None:
    hour = ready.clock.now_ms() // 3_600_000 * 3_600_000
    ready.explain.hours = [
        {"hour_ms": hour - 3_600_000, "decisions": 5, "skips": 2, "codes": {"SPREAD": 2}},
        {"hour_ms": hour, "decisions": 3, "skips": 1, "codes": {"DEPTH": 1}},
    ]
    first = await ready.drawn("hours", "/why")
    ready.explain.hours = [{"hour_ms": hour, "decisions": 4, "skips": 2, "codes": {"DEPTH": 2}}]
    ready.clock.pass_ms(40_000)
    second = await ready.drawn("hours", "/why")

    assert "3 of 8 decisions" in first
    assert "4 of 9 decisions" in second


async def test_a_what_if_asks_for_what_the_page_says(ready: Stage, client: httpx2.AsyncClient) -> None:
    page = (await client.get("/whatif?symbol=btcusdt&side=BUY&suppose=spread_bps%3D3.5")).text
    wrong = (await client.get("/whatif?symbol=BTCUSDT&suppose=spread_bps")).text

    assert ready.explain.wished[0] == {
        "symbol": "BTCUSDT", "sideHint": "BUY", "market": None, "context": {"spread_bps": Decimal("3.5")},
    }  # fmt: skip
    assert "CONCURRENT_ENTRIES" in page
    assert "cannot be supposed" in wrong


async def test_what_a_screen_cannot_be_told_is_said_on_it(ready: Stage, client: httpx2.AsyncClient) -> None:
    missing = (await client.get("/decisions/nothing")).text
    kept = (await client.get("/decisions/open")).text
    assert "no such decision" in missing
    assert "No case was kept of it" in kept


SEEN: list[tuple[str, list[str]]] = [
    ("/why", ["stands in the way"]),
    ("/decisions/skip", ["first to fail", "concurrent_entries 2 → 1", "depth_top1_usdt"]),
    ("/compare?a=skip&b=open", ["differ", "CONCURRENT_ENTRIES"]),
    ("/config", ["demo-1", "calm-2", "shadow"]),
    ("/config/calm-2", ["Nothing refuses it", "R-023", "bounds.size_mult.high"]),
    ("/execution", ["+3.51", "Revision 3", "45.46 %", "adverse selection"]),
    ("/working", ["behind", "goes with the position"]),
    ("/venue", ["weight in 60 s", "-5022", "Let one entry try"]),
    ("/simulator", ["stuck triggering", "the exchange behaves"]),
]


@pytest.mark.parametrize(("path", "words"), [pytest.param(*each, id=each[0]) for each in SEEN])
async def test_each_screen_draws_whole(ready: Stage, client: httpx2.AsyncClient, path: str, words: list[str]) -> None:
    ready.s4.orders["i1"] = ready.s4.orders["twap-1"]
    page = (await client.get(path)).text

    assert "cannot be drawn" not in page
    for word in words:
        assert word in page, word


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (None, "Being computed"),
        ({"away": True}, "start it with"),
        ({"intents": 0, "groups": [], "markouts": [], "resting": [], "orders": []}, "No intent is over"),
    ],
)
async def test_costs_that_are_not_there_are_said(
    ready: Stage, client: httpx2.AsyncClient, report: dict[str, Any] | None, words: str
) -> None:
    """Not computed yet, no file at hand, nothing traded."""
    ready.costs.told = report
    page = (await client.get("/execution")).text

    assert "cannot be drawn" not in page
    assert page.count(words) >= 3


async def test_an_order_that_nobody_decided_costs_what_it_did_since_it_came(ready: Stage) -> None:
    assert ready.costs.told is not None
    [*_, newest] = ready.costs.told["orders"]
    newest["bps"] = dict.fromkeys(newest["bps"])
    newest["arrived"]["bps"]["total"] = "7.7763"

    drawn = await ready.drawn("costs", "/execution")
    assert "<b>+7.78</b> <small>since it came</small>" in drawn
    assert drawn.count("since it came") == 1
