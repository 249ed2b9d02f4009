"""What the page says: the four answers, why, the rows, and that what is old says so."""

import re
from html import unescape
from typing import Any

import httpx2
import pytest
from console_stage import HEALTHY, HandClock, Stage, a_decision, a_position, a_skip, flat

from chimera.services.console import verdicts
from chimera.services.console.verdicts import Tone
from chimera.trading.errors import NotSent
from chimera.wire.keys import ALERTS, ROUTER_EVENTS


def words(html: str) -> str:
    """The text a reader sees."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


async def seen(stage: Stage, section: str, path: str = "/") -> str:
    return words(await stage.drawn(section, path))


@pytest.mark.parametrize(
    ("changes", "tone", "told"),
    [
        ({}, Tone.GOOD, "breaker closed nothing killed"),
        ({"status": "degraded", "checks": {"redis": "down"}}, Tone.CAUTION, "S4 cannot reach Redis"),
        ({"kill_switch": True}, Tone.BAD, "kill switch engaged"),
        ({"kill_switch": None}, Tone.BAD, "kill switch engaged"),
        ({"circuit_breaker": "OPEN"}, Tone.BAD, "breaker OPEN"),
        ({"circuit_breaker": "HALF_OPEN"}, Tone.BAD, "breaker HALF_OPEN"),
        ({"clock_offset_ms": -1001}, Tone.BAD, "clock -1001 ms off"),
        ({"clock_offset_ms": 1000}, Tone.GOOD, "clock +1000 ms"),
        ({"checks": {"recovered": False}}, Tone.BAD, "not recovered"),
        ({"checks": {"user_stream": "down"}}, Tone.BAD, "user stream down"),
        ({"checks": {"ledger": {"status": "down"}}}, Tone.BAD, "ledger down"),
        ({"checks": {"own_faults": 2}}, Tone.CAUTION, "2 own faults"),
        ({"status": "degraded"}, Tone.BAD, "S4 is degraded"),
    ],
)
async def test_may_we_trade_is_s4s_own_word(stage: Stage, changes: dict[str, Any], tone: Tone, told: str) -> None:
    stage.s4.told = HEALTHY | changes
    await stage.look()

    answer = verdicts.may_trade(stage.console.seen, stage.clock.monotonic_ms())

    assert answer.tone is tone
    assert told in " ".join(answer.because)


@pytest.mark.parametrize(
    ("kills", "word", "told"),
    [
        (["SYMBOL BTCUSDT", "STRATEGY s3"], "Not all", "killed: SYMBOL BTCUSDT, STRATEGY s3"),
        (["GLOBAL", "SYMBOL BTCUSDT"], "No", "kill switch engaged"),
    ],
)
async def test_a_kill_says_how_far_it_reaches(stage: Stage, kills: list[str], word: str, told: str) -> None:
    stage.s4.told = HEALTHY | {"kill_switch": True}
    stage.s4.kills = [{"scope": scope, "name": name} for scope, _, name in (kill.partition(" ") for kill in kills)]
    await stage.look()

    answer = verdicts.may_trade(stage.console.seen, stage.clock.monotonic_ms())

    assert (answer.tone, answer.word, answer.because) == (Tone.BAD, word, (told,))


async def test_one_asking_without_an_answer_is_silence_enough(stage: Stage) -> None:
    """Whoever was killed a moment ago has not grown old yet."""
    await stage.show_tick()
    await stage.look()
    seen, mono_ms = stage.console.seen, stage.clock.monotonic_ms()

    for source in (seen.s4, seen.s4_health, seen.s3):
        seen.missed(source, "refused")

    assert verdicts.protected(seen, mono_ms).because == ("S4 is silent: refused",)
    assert verdicts.may_trade(seen, mono_ms).because == ("S4's health is silent: refused",)
    assert verdicts.fresh(seen, stage.clock.now_ms(), mono_ms).because == ("silent: S4, S4's health, S3",)


async def test_a_silent_s3_stops_no_trade_but_is_told(stage: Stage) -> None:
    await stage.look()
    stage.console.seen.s3.heard_ms = None

    answer = verdicts.may_trade(stage.console.seen, stage.clock.monotonic_ms())

    assert (answer.tone, answer.because) == (Tone.CAUTION, ("S3 is silent: nobody decides",))


@pytest.mark.parametrize(
    ("rows", "tone", "word"),
    [
        ([a_position()], Tone.GOOD, "Yes, 1 of 1"),
        ([flat()], Tone.IDLE, "Flat"),
        ([], Tone.IDLE, "Flat"),
        ([a_position(), a_position(symbol="ETHUSDT", unprotected_ms=730)], Tone.BAD, "1 of 2 NOT"),
        ([a_position(coverage="0.5", covered_qty="0.01")], Tone.BAD, "1 of 1 NOT"),
        ([flat(coverage="0", unprotected_ms=12)], Tone.BAD, "1 of 1 NOT"),  # filled, its trades still to come
    ],
)
async def test_every_position_protected(stage: Stage, rows: list[dict[str, Any]], tone: Tone, word: str) -> None:
    stage.s4.rows = rows
    await stage.look()

    answer = verdicts.protected(stage.console.seen, stage.clock.monotonic_ms())

    assert (answer.tone, answer.word) == (tone, word)


async def test_what_is_older_than_three_seconds_answers_nothing(stage: Stage) -> None:
    """Never a remembered yes."""
    clock = stage.clock
    assert isinstance(clock, HandClock)
    await stage.show_tick()
    await stage.look()
    seen = stage.console.seen

    clock.pass_ms(3_000)
    assert verdicts.protected(seen, clock.mono_ms).tone is Tone.GOOD
    clock.pass_ms(1)

    assert verdicts.protected(seen, clock.mono_ms).tone is Tone.UNKNOWN
    assert verdicts.may_trade(seen, clock.mono_ms).tone is Tone.UNKNOWN
    assert verdicts.fresh(seen, clock.utc_ms, clock.mono_ms).tone is Tone.BAD


async def test_the_page_before_anybody_has_answered(stage: Stage) -> None:
    bar = await seen(stage, "bar")

    assert "UNKNOWN S4 has not said whose" in bar
    assert bar.count("Unknown") == 2
    assert "S4 has not answered yet" in bar
    assert "Yes" not in bar


async def test_positions_show_where_each_guard_rests(stage: Stage) -> None:
    await stage.show_tick()
    await stage.look()

    row = await seen(stage, "positions")

    for told in ("LONG 0.02", "65,800.0", "65,742.1 at the venue", "65,968.3 at the venue", "✓ 100 %", "worst 41 ms",
                 "+0.43", "realised net −1.51", "12 closed"):  # noqa: RUF001  # a true minus  # fmt: skip
        assert told in row


async def test_a_bare_position_is_said_in_words(stage: Stage) -> None:
    stage.s4.rows = [a_position(stop=None, coverage="0", covered_qty="0", unprotected_ms=730)]
    await stage.look()

    assert "✕ none" in await seen(stage, "positions")
    assert "BTCUSDT 730 ms without full stop" in await seen(stage, "bar")


async def test_an_old_section_is_greyed_and_says_so(stage: Stage) -> None:
    await stage.show_tick()
    await stage.look()
    assert "old" not in await seen(stage, "positions")
    clock = stage.clock
    assert isinstance(clock, HandClock)

    clock.pass_ms(5_000)

    assert "old: S4 last answered 5.0 s ago" in await seen(stage, "positions")
    assert "market is old: the newest tick came 5.0 s ago" in await seen(stage, "market")
    assert "old: S3 last answered 5.0 s ago" in await seen(stage, "decisions")


async def test_decisions_say_why_skips_too(stage: Stage) -> None:
    now = stage.clock.now_ms()
    stage.s3.rows = [a_skip(9 - i, now - i * 1000) for i in range(4)] + [a_decision(2, now - 5000)]
    await stage.look()

    told = await seen(stage, "decisions")

    assert "SKIP BTCUSDT" in told
    assert "CONCURRENT_ENTRIES 1 entry is open, 1 is the limit" in told
    assert "Before that" in told
    assert "× 3" in told  # noqa: RUF001  # as shown; the newest stands above
    assert "open BTCUSDT R023" in told
    assert "rule R023" in told


async def test_a_doubt_floats_to_the_top(stage: Stage) -> None:
    take = stage.console.watch._take_event
    for ref, status in (("a", "IN_DOUBT"), ("b", "NEW"), ("c", "FILLED"), ("b", "CANCELED"), ("d", "NEW")):
        await stage.tell_order(ref, "ENTRY", status)
    for entry in await stage.bus.tail(ROUTER_EVENTS, after="0", count=10, block_ms=0):
        take(entry.fields)

    html = await stage.drawn("orders", "/orders")

    assert re.findall(r'href="/orders/(\w)"', html) == ["a", "d", "b", "c"]
    assert "▲ in doubt" in html


async def test_an_older_word_of_an_order_changes_nothing(stage: Stage) -> None:
    await stage.tell_order("a", "STOP", "CANCELED", event_id="k:9")
    await stage.tell_order("a", "STOP", "NEW", event_id="k:8")
    for entry in await stage.bus.tail(ROUTER_EVENTS, after="0", count=10, block_ms=0):
        stage.console.watch._take_event(entry.fields)

    assert stage.console.seen.orders["a"].status == "CANCELED"


async def test_text_of_others_is_never_markup(stage: Stage, client: httpx2.AsyncClient) -> None:
    await stage.tell_alert("X", "<script>alert(1)</script>")
    for entry in await stage.bus.tail(ALERTS, after="0", count=10, block_ms=0):
        stage.console.watch._take_alert(entry.fields)

    html = (await client.get("/")).text

    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html


async def test_modes_differ_in_word_and_shape() -> None:
    shapes = {}
    named = {"sim": ("SIM", "simulated"), "demo": ("TESTNET", "test money"), "live": ("LIVE", "real money")}
    for environment, (mode, words_of_mode) in named.items():
        stage = Stage(HandClock())
        stage.s4.told["environment"] = environment
        await stage.look()
        bar = await stage.drawn("bar")
        assert f"<b>{mode}</b>" in bar
        assert words_of_mode in bar
        shapes[mode] = re.search(r"<(path|circle) [^>]*>", bar)[0]  # type: ignore[index]  # else it fails
    assert len(set(shapes.values())) == 3


@pytest.mark.parametrize("said", [{}, {"environment": "prod"}])
async def test_nobody_s_money_is_called_simulated_before_s4_has_said_so(said: dict[str, str]) -> None:
    stage = Stage(HandClock())
    assert "<b>UNKNOWN</b>" in await stage.drawn("bar")
    stage.s4.told = {"status": "ok", "checks": {}} | said

    await stage.look()

    bar = await stage.drawn("bar")
    assert "<b>UNKNOWN</b>" in bar
    assert "S4 has not said whose" in bar


async def drawings(stage: Stage) -> dict[str, str]:
    return {name: await stage.drawn(name) for name in ("bar", "deeds", "positions", "market", "fills", "alerts")}


async def test_a_section_is_drawn_again_only_when_it_has_changed(stage: Stage) -> None:
    await stage.show_tick()
    await stage.look()
    before = await drawings(stage)
    clock = stage.clock
    assert isinstance(clock, HandClock)

    clock.pass_ms(100)
    await stage.show_tick("65825.05")
    await stage.look()
    after = await drawings(stage)

    assert [name for name in before if before[name] != after[name]] == ["market"]
    assert "65,825.05" in after["market"]


async def test_a_section_that_cannot_be_drawn_says_so_and_the_others_go_on(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.look()

    def broken(_: object) -> str:
        raise KeyError("an answer of a new shape")

    monkeypatch.setitem(stage.console.page._jinja.globals, "price_places", broken)

    assert "cannot be drawn: KeyError" in words(await stage.drawn("positions"))
    assert "Alerts" in await stage.drawn("alerts")


async def test_a_source_that_fails_keeps_its_last_word_and_says_the_reason(stage: Stage) -> None:
    await stage.look()
    stage.s4.error = NotSent("connection refused")
    with pytest.raises(NotSent):
        await stage.console.watch.look_at_positions()
    stage.console.seen.missed(stage.console.seen.s4, "connection refused")
    clock = stage.clock
    assert isinstance(clock, HandClock)

    clock.pass_ms(4_000)

    assert stage.console.seen.positions[0].symbol == "BTCUSDT"
    answer = verdicts.protected(stage.console.seen, clock.mono_ms)
    assert answer.because == ("S4 is silent: connection refused",)
