"""An order traded again, on its page: what it was beside each way, what is not known, and what nobody computes."""

import pytest
from console_stage import Stage
from test_console_page import words

from chimera.trading.errors import NotSent

WAS = {
    "cost": {"price_bps": "0", "fees_bps": "5", "cost_bps": "5"}, "maker_share": "0", "took_ms": 2000, "orders": 1,
}  # fmt: skip
PATH = "/replays/s3-btc-1700000000000-done"


async def test_what_it_was_stands_above_what_it_would_have_been(stage: Stage) -> None:
    told = words(await stage.drawn("answer", PATH))

    was, at_once, maker = (told.index(line) for line in ("as it was", "at once", "maker:3000"))
    assert was < at_once < maker
    assert "+5.01" in told[was:at_once], "what was paid"
    assert told.count("maker:3000") == 1, "both queues in one row"
    assert "40 %" in told[maker:]
    assert "no repetition of what happened" in told
    steps = words(await stage.drawn("steps", PATH))
    assert "policy MARKET: take at once" in steps
    assert "post-only BUY 0.01 at 65000 rests behind 5" in steps


async def test_a_way_is_asked_for_by_the_address(stage: Stage) -> None:
    assert 'value="maker:500"' in await stage.drawn("wish", f"{PATH}?way=maker:500")

    assert stage.replays.asked == [("s3-btc-1700000000000-done", "maker:500")]


async def test_without_a_recording_only_what_was_is_shown(stage: Stage) -> None:
    missing = "no recording of BTCUSDT FUT began before"
    stage.replays.told |= {"ways": [], "recording": None, "missing": missing, "at_once": None}

    told = words(await stage.drawn("answer", PATH))
    assert "as it was" in told
    assert "No recording of BTCUSDT FUT began before" in told
    assert "chimera record" in told
    assert "nothing to walk through" in words(await stage.drawn("steps", PATH))


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"was": None}, "maker:3000"),
        ({"mid": None, "was": None, "at_once": None, "ways": [], "recording": None, "missing": "no"}, "Not known"),
        ({"left_out": ["usdm-x.gz is left out: no line"]}, "usdm-x.gz is left out: no line"),
        ({"mid_at_send": "64990"}, "S4 saw 64,990 at its first sending"),
        ({"was": WAS | {"filled_qty": "0.004"}}, "0.004 filled, the ways trade all of it"),
    ],
)
async def test_what_is_not_known_is_drawn_all_the_same(stage: Stage, known: dict[str, object], said: str) -> None:
    stage.replays.told |= known

    assert said.lower() in words(await stage.drawn("answer", PATH)).lower()


async def test_what_the_command_refuses_is_said_in_its_words(stage: Stage) -> None:
    stage.replays.error = NotSent("it cannot be replayed: still working")

    for section in ("answer", "steps"):
        told = words(await stage.drawn(section, PATH))
        assert "still working" in told
        assert "Being computed" not in told
        assert "recording" not in told, "whether there is one was not found out"


async def test_a_console_without_a_ledger_says_so(stage: Stage) -> None:
    object.__setattr__(stage.console.views._others, "replays", None)

    assert "--ledger FILE" in words(await stage.drawn("answer", PATH))


async def test_an_order_that_is_over_leads_there_and_one_that_works_does_not(stage: Stage) -> None:
    over = {"client_order_id": "a b", "intent_id": "i9", "symbol": "BTCUSDT", "side": "BUY", "status": "FILLED",
            "qty": "1", "done_ms": 1}  # fmt: skip
    stage.s4.orders["a b"] = over
    stage.s4.orders["c"] = over | {"client_order_id": "c", "status": "NEW", "done_ms": None}

    assert 'href="/replays/a%20b"' in await stage.drawn("order", "/orders/a%20b")
    assert "/replays/" not in await stage.drawn("order", "/orders/c")
