"""What-if and what would have to change, by ``POST /decide``; and what S4 said, kept on the row."""

from typing import Any

import pytest
from strategy_world import D, Served, Stage, ask, until
from test_strategy_http import post

from chimera.services.strategy import signals
from chimera.services.strategy.signals import SAID_MAX, Heard, Said, Track, Tracks
from chimera.trading.errors import NotSent, OutcomeUnknown, Refused
from chimera.trading.money import Millis
from chimera.wire.codec import encode


@pytest.fixture
async def stage() -> Stage:
    made = Stage()
    await made.show()
    return made


@pytest.mark.req("S3-API-2", "S3-API-4")
async def test_each_overridden_figure_is_named_with_what_is_seen(stage: Stage) -> None:
    async with stage.process() as strategy:
        plain = await strategy.decide(ask(dry_run=True))
        given = {"rv_pctile_30d": "0.1", "touch.ask": "65900", "risk.budget.loss_usdt": "7"}
        answer = await strategy.decide(ask(dry_run=True, context=given))

    assert plain.overridden == []
    assert {item["name"]: (item["given"], item["seen"]) for item in answer.overridden} == {
        "rv_pctile_30d": ("0.1", "0.2"), "touch.ask": ("65900", "65801"), "risk.budget.loss_usdt": ("7", "50"),
    }  # fmt: skip
    assert [reason["code"] for reason in answer.reasons] == ["SPREAD"], "the supposed ask is far away"
    gates = {gate["name"]: gate["value"] for gate in answer.explanation["gates"]}
    assert gates["risk.budget.loss_usdt"] == "7"
    assert await stage.rows() == []


@pytest.mark.req("S3-API-2")
async def test_a_dry_run_says_what_would_have_to_change_and_it_does(stage: Stage) -> None:
    await stage.show(ask=D(65830))
    async with stage.process() as strategy:
        answer = await strategy.decide(ask(dry_run=True, explain=True))
        assert answer.needed is not None
        (way,) = answer.needed["single"]
        change = way["changes"][0]
        again = await strategy.decide(ask(dry_run=True, context={change["name"]: change["needed"]}))
        silent = await strategy.decide(ask(dry_run=True))

    assert (answer.decision, again.decision, silent.needed) == ("skip", "open", None)
    assert (change["name"], change["needed"]) == ("spread_bps", "3")
    assert again.reason == way["reason"]
    assert await stage.rows() == []


REFUSALS: list[tuple[dict[str, Any], str, str]] = [
    ({"context": {"atr": "1"}}, "CONTEXT_IS_WHAT_IF", "context"),
    ({"explain": True}, "EXPLAIN_IS_DRY_RUN", "explain"),
    ({"dry_run": True, "context": {"touch.moon": "1"}}, "UNKNOWN_FACTOR", "context.touch.moon"),
    ({"dry_run": True, "context": {"touch.bid": "70000"}}, "OUT_OF_RANGE", "context.touch.bid"),
]


@pytest.mark.req("S3-API-2")
@pytest.mark.parametrize(("wishes", "code", "field"), REFUSALS)
async def test_what_cannot_be_supposed_is_refused(stage: Stage, wishes: Any, code: str, field: str) -> None:
    async with stage.process() as strategy:
        with pytest.raises(Refused) as no:
            await strategy.decide(ask(**wishes))

    assert (no.value.code, no.value.field) == (code, field)
    assert await stage.rows() == []


async def test_by_http_figures_are_numbers(served: Served) -> None:
    body = b'{"symbol":"BTCUSDT","sideHint":"BUY","dry_run":true,"explain":true,"context":{"spread_bps":3.5}}'
    status, answer = await post(f"{served.url}/decide", body)

    assert status == 200
    assert answer["overridden"][0]["given"] == 3.5
    (miss,) = answer["needed"]["reasons"]
    assert (miss["change"]["value"], miss["change"]["needed"], miss["change"]["difference"]) == (3.5, 3, -0.5)
    assert set(answer["overridden"][0]) == {"name", "given", "seen"}


async def settled(stage: Stage) -> bool:
    return all(row["delivery"] != "PENDING" for row in await stage.rows())


@pytest.mark.req("S3-PER-1", "S3-PER-2")
async def test_the_row_keeps_what_s4_said_try_by_try(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chimera.services.strategy.dispatch.RETRY_FIRST_MS", 0)
    barrier = NotSent("CLOCK: the clock is off", code="CLOCK")
    no = Refused("LIMIT_NOTIONAL", "too much", field="qty")
    stage.router.script = [barrier, barrier, OutcomeUnknown("lost"), no]
    async with stage.process() as strategy:
        await strategy.decide(ask())
        await until(lambda: settled(stage), turns=20_000)

    (row,) = await stage.rows()
    tracks: Any = row["tracks"]
    assert (row["delivery"], tracks["rest"], tracks["code"]) == ("REFUSED", "REFUSED", "LIMIT_NOTIONAL")
    assert [(said["heard"], said.get("code", ""), said.get("times", 1)) for said in tracks["said"]] == [
        ("NOT_SENT", "CLOCK", 2), ("UNKNOWN", "", 1), ("REFUSED", "LIMIT_NOTIONAL", 1),
    ]  # fmt: skip
    assert tracks["said"][-1]["field"] == "qty"


def test_answers_alike_are_one_and_the_newest_are_kept() -> None:
    tracks = Tracks(rest=Track.WAITING, stream=Track.OFF)
    for number in range(20):
        said = Said(heard=Heard.NOT_SENT, at_ms=Millis(number), last_ms=Millis(number), code=f"C{number // 2}")
        tracks = tracks.saying(said)

    assert [(said.code, said.at_ms, said.last_ms, said.times) for said in tracks.said[-2:]] == [
        ("C8", 16, 17, 2), ("C9", 18, 19, 2),
    ]  # fmt: skip
    assert len(tracks.said) == SAID_MAX


@pytest.mark.req("S3-PER-1")
async def test_a_row_has_its_case_bundle_and_wishes(stage: Stage) -> None:
    async with stage.process() as strategy:
        await strategy.decide(ask())

    (row,) = await stage.rows()
    assert (row["bundle_id"], row["experiment"]) == ("demo-1", None)
    assert row["asked"] == {"market": None, "side_hint": "BUY"}
    assert row["at_ms"] == row["t0"]
    assert isinstance(row["case"], dict)
    assert len(encode(row["case"])) < 8_000, "a row does not become a burden"
    assert signals.read_undelivered(row).intent.symbol == "BTCUSDT"
