"""What is done from the page besides closing: asked once, in as many steps as it deserves, and told to its end."""

import re
from decimal import Decimal

import httpx2
import pytest
from console_stage import Stage, a_position
from test_console_close import OWN
from test_console_orders import ID, an_order
from test_console_page import words

from chimera.services.console.rows import OrderRow
from chimera.trading.errors import NotSent
from chimera.trading.money import Millis

DOUBT = {"client_order_id": "s3-btc-1-m1", "intent_id": "i7", "symbol": "BTCUSDT", "role": "MAKER", "about": "OUTCOME",
         "qty": "0.02", "since_ms": 1_799_999_990_000, "asks": 4, "dead_after_ms": None, "notional_counted": "1316.4",
         "settles": "the venue's word on it"}  # fmt: skip
FOREIGN = {"client_order_id": "web_77", "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "status": "NEW",
           "qty": "1", "filled_qty": "0", "price": "60000", "stop_price": None}  # fmt: skip
MOVED = {"transfer_id": "t1", "from": "SPOT", "to": "FUT", "asset": "USDT", "amount": "25", "status": "AMBIGUOUS",
         "why": "x", "reason": "margin", "venue_transfer_id": None, "asked_ms": 1, "ended_ms": None}  # fmt: skip


async def do(
    client: httpx2.AsyncClient, act: str, about: dict[str, str], word: str, **fields: str
) -> tuple[int, str, str]:
    """Both steps; the status and words of the second, and what the first showed."""
    shown = (await client.get(f"/acts/{act}", params=about)).text
    found = re.search(r'data-effect="(\w+)"', shown)
    assert found is not None, shown
    body = {"about": about, "confirm": word, "effect": found.group(1), "fields": fields}
    answer = await client.post(f"/acts/{act}", json=body, headers=OWN)
    return answer.status_code, words(answer.text), words(shown)


async def follow(stage: Stage) -> None:
    """One turn of what the console does by itself."""
    for deed_id, deed in tuple(stage.console.seen.deeds.items()):
        if deed.act.ask is not None and deed.ended_ms is None:
            stage.console.seen.take_deed(deed_id, await deed.act.ask(stage.console.desk, deed))


async def test_the_venue_is_asked_with_one_press(stage: Stage, client: httpx2.AsyncClient) -> None:
    assert (await client.get("/acts/survey", params={"position": "NOPE"})).status_code == 404
    await stage.look()
    status, told, shown = await do(client, "survey", {"position": "BTCUSDT"}, "")

    assert (status, stage.s4.asked) == (200, [("survey", "BTCUSDT")])
    assert "the venue was heard; covered 100%" in told
    assert "chimera survey BTCUSDT" in shown

    stage.s4.hears = False
    assert "did not answer in time" in (await do(client, "survey", {"position": "BTCUSDT"}, ""))[1]


async def test_of_an_order_and_a_doubt_on_spot_the_venue_is_asked_about_spot(stage: Stage) -> None:
    asks = 'data-act="survey" data-about="position=BTCUSDT%3ASPOT"'
    stage.s4.in_doubt = [DOUBT | {"market": "SPOT"}]
    stage.console.seen.take_order(
        OrderRow(
            event_id="e:1", client_order_id="a-m1", symbol="BTCUSDT", role="MAKER", status="NEW", side="BUY",
            type="LIMIT", qty=Decimal("0.01"), at_ms=Millis(1), created_ms=Millis(1), market="SPOT",
        )
    )  # fmt: skip

    assert asks in await stage.drawn("outcomes", "/doubts")
    assert asks in await stage.drawn("orders", "/orders")


async def test_an_order_is_cancelled_and_followed_to_its_end(stage: Stage, client: httpx2.AsyncClient) -> None:
    order = an_order(1, status="NEW", filled_qty="0", done_ms=None, fills=[])
    order["children"][0] |= {"status": "NEW", "filled_qty": "0"}
    stage.s4.orders["i2"] = stage.s4.orders[ID] = order
    assert (await do(client, "cancel", {"order": "i2"}, "nothing"))[0] == 422
    status, told, shown = await do(client, "cancel", {"order": "i2"}, "btcusdt")

    assert (status, stage.s4.asked) == (200, [("cancel", ID)])
    assert "cancel is under way" in told
    assert "cancel the maker order, 0.02 left at 65,800.1" in shown
    assert "nothing of it has filled" in shown
    await follow(stage)
    assert "is new" in words(await stage.drawn("deeds"))
    order["children"][0]["status"] = order["status"] = "CANCELED"
    await follow(stage)
    assert "✓ Over: canceled, 0 filled" in words(await stage.drawn("deeds"))
    assert (await client.get("/acts/cancel", params={"order": "i2"})).status_code == 404, "nothing is left to cancel"


async def test_a_kill_is_one_step_from_its_panel_and_verified_to_its_end(
    stage: Stage, client: httpx2.AsyncClient
) -> None:
    await stage.look()
    panel = await stage.drawn("engage", "/kill?scope=SYMBOL:BTCUSDT&flatten=yes")
    assert "sell 0.02 BTCUSDT at market, reduce-only" in panel
    token = re.search(r'data-effect="(\w+)"', panel)
    assert token is not None
    stage.s4.remains = ["s3-btc-1-m1 rests on the venue"]
    body = {"about": {"scope": "SYMBOL:BTCUSDT", "flatten": "yes"}, "confirm": "KILL", "effect": token.group(1),
            "fields": {"reason": "fire"}}  # fmt: skip

    assert (await client.post("/acts/kill", json=body | {"confirm": ""}, headers=OWN)).status_code == 422
    assert (await client.post("/acts/kill", json=body, headers=OWN)).status_code == 200
    assert stage.s4.kills == [
        {"scope": "SYMBOL", "name": "BTCUSDT", "by": "console", "reason": "fire", "at_ms": 1, "flatten": True}
    ]
    await follow(stage)
    assert "… s3-btc-1-m1 rests on the venue" in words(await stage.drawn("deeds"))
    stage.s4.remains = []
    await follow(stage)
    told = words(await stage.drawn("deeds"))
    assert "Verified: the venue shows nothing that should be gone" in told
    assert "signature" in told


async def test_a_kill_that_is_watched_closes_nothing_under_the_next_one(
    stage: Stage, client: httpx2.AsyncClient
) -> None:
    """It was armed while S4 was away, and killed again, this time to leave open what is held."""
    await stage.look()
    token = re.search(r'data-effect="(\w+)"', await stage.drawn("engage", "/kill?scope=GLOBAL&flatten=yes"))
    assert token is not None
    stage.s4.remains = ["BTCUSDT: 0.02 is still held"]
    body = {"about": {"scope": "GLOBAL", "flatten": "yes"}, "confirm": "KILL", "effect": token.group(1)}
    assert (await client.post("/acts/kill", json=body, headers=OWN)).status_code == 200
    other = {"scope": "GLOBAL", "name": "", "by": "anna", "reason": "wait", "at_ms": 2, "flatten": False}
    stage.s4.kills = [other]
    await follow(stage)

    assert stage.s4.kills == [other]
    assert "Another kill stands there, which leaves open what is held" in words(await stage.drawn("deeds"))


async def test_a_kill_names_the_entries_that_it_ends_and_no_others(stage: Stage) -> None:
    await stage.look()
    for number, (market, symbol, strategy) in enumerate(
        (("FUT", "BTCUSDT", "s3"), ("SPOT", "BTCUSDT", "s3"), ("FUT", "ETHUSDT", "mine"))
    ):
        stage.console.seen.take_order(
            OrderRow(
                event_id=f"e:{number}", client_order_id=f"entry-{number}", symbol=symbol, role="MAKER", status="NEW",
                side="BUY", type="LIMIT", qty=Decimal("0.01"), at_ms=Millis(number), created_ms=Millis(number),
                market=market, strategy_id=strategy,
            )
        )  # fmt: skip
    ended = {}
    for scope in ("GLOBAL", "MARKET:SPOT", "SYMBOL:BTCUSDT", "STRATEGY:mine"):
        panel = await stage.drawn("engage", f"/kill?scope={scope}")
        ended[scope] = re.findall(r"entry-\d", panel)
    assert ended == {
        "GLOBAL": ["entry-0", "entry-1", "entry-2"],
        "MARKET:SPOT": ["entry-1"],
        "SYMBOL:BTCUSDT": ["entry-0", "entry-1"],
        "STRATEGY:mine": ["entry-2"],
    }


async def test_what_moves_under_a_kill_does_not_hold_it_up(stage: Stage, client: httpx2.AsyncClient) -> None:
    """A close must be the one that was shown; a kill must not wait for a market that moves."""
    await stage.look()
    shown = re.search(r'data-effect="(\w+)"', await stage.drawn("engage", "/kill"))
    assert shown is not None
    stage.s4.rows = [a_position(qty="0.9")]
    await stage.look()
    body = {"about": {"scope": "GLOBAL", "flatten": "no"}, "confirm": "KILL", "effect": shown.group(1)}

    assert (await client.post("/acts/kill", json=body, headers=OWN)).status_code == 200


async def test_arming_takes_the_word_that_s4_names(stage: Stage, client: httpx2.AsyncClient) -> None:
    assert (await client.get("/acts/arm", params={"scope": "GLOBAL"})).status_code == 404
    stage.s4.kills = [{"scope": "GLOBAL", "name": "", "by": "me", "reason": "fire", "at_ms": 1, "flatten": False}]
    assert "by me" in words(await stage.drawn("standing", "/kill"))

    assert (await do(client, "arm", {"scope": "GLOBAL"}, "KILL"))[0] == 422
    status, told, shown = await do(client, "arm", {"scope": "GLOBAL"}, "WORD1234", reason="over")

    assert (status, stage.s4.asked) == (200, [("arm", "word1234")])
    assert "entries are taken again" in told
    assert "It was killed by me: fire" in shown


@pytest.mark.parametrize("scope", ["MARS", "SYMBOL", "GLOBAL:x", "SYMBOL:"])
async def test_a_place_that_is_none_is_killed_by_nobody(stage: Stage, client: httpx2.AsyncClient, scope: str) -> None:
    assert (await client.get("/acts/kill", params={"scope": scope})).status_code == 400


async def test_what_is_in_doubt_is_shown_with_what_settles_it(stage: Stage) -> None:
    stage.s4.in_doubt, stage.s4.foreign = [DOUBT], [FOREIGN]
    await stage.look()
    told = words(await stage.drawn("outcomes", "/doubts"))

    assert "whether it lives is not known" in told
    assert "the limits count 1,316.40 USDT" in told
    assert "It takes the venue's word on it." in told
    assert "web_77" in await stage.drawn("orphans", "/doubts")
    stage.s4.in_doubt, stage.s4.foreign = [], []
    stage.clock.pass_ms(5_000)  # type: ignore[union-attr]  # by hand here
    assert "Nothing is in doubt" in await stage.drawn("outcomes", "/doubts")


async def test_a_transfer_that_nobody_can_decide_is_settled_by_word(stage: Stage, client: httpx2.AsyncClient) -> None:
    stage.s4.moved["present"] = MOVED
    assert "history does not decide it" in await stage.drawn("outcomes", "/doubts")
    status, told, shown = await do(client, "settle", {"happened": "no"}, "USDT")

    assert (status, stage.s4.asked) == (200, [("settle", False)])
    assert "did not happen" in shown
    assert "DONE" in told


async def test_what_a_screen_reads_for_itself_grows_old_by_itself(stage: Stage) -> None:
    """S4 that is silent is said on that section, with its last answer kept."""
    stage.s4.in_doubt = [DOUBT]
    await stage.drawn("outcomes", "/doubts")
    stage.s4.error = NotSent("away")
    stage.clock.pass_ms(5_000)  # type: ignore[union-attr]  # by hand here

    told = words(await stage.drawn("outcomes", "/doubts"))

    assert "old: it was last read 5.0 s ago" in told
    assert "away" in told
    assert "whether it lives is not known" in told


async def test_the_system_says_each_check_and_watchdog(stage: Stage) -> None:
    stage.s4.told = stage.s4.told | {"watchdogs": {"loop_lag_ms": 3, "queues": {"outbox": 2}, "notices": {}}}
    await stage.look()
    told = words(await stage.drawn("s4", "/system"))

    for line in ("user stream ✓ ok", "loop lag ms 3", "queues outbox 2", "None stands in the way"):
        assert line in told
