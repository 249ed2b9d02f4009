"""What trading cost or would have, by commands in processes of their own: documents, refusals, one at a time, kept."""

import asyncio
from pathlib import Path

import pytest
from console_stage import HandClock

from chimera.adapters.embedded.ledger import SqliteLedger
from chimera.services.console.costs import KEPT_MS, Costs
from chimera.services.console.replaying import AGAIN_MS, Replays
from chimera.trading.errors import NotSent
from chimera.wire import keys
from support.tca_rows import fill, parent

pytestmark = pytest.mark.slow


async def a_ledger(path: Path, at_ms: int) -> None:
    ledger = await SqliteLedger.open(path)
    try:
        await ledger.put(keys.ORDERS, "i1", parent("i1", accepted_ms=at_ms, done_ms=at_ms + 500))
        await ledger.put(keys.FILLS, "f1", fill("f1", "i1", at_ms=at_ms + 100))
    finally:
        await ledger.close()


async def test_a_report_is_made_beside_and_kept_for_a_minute(tmp_path: Path) -> None:
    clock, path = HandClock(), tmp_path / "s4.sqlite"
    await a_ledger(path, clock.now_ms() - 60_000)
    costs = Costs(clock, path)

    first, second = await asyncio.gather(costs.report(), costs.report())
    assert first is second, "one report for all pages"
    assert (first["intents"], first["groups"][0]["by"]) == (1, "quote")
    clock.pass_ms(KEPT_MS + 1)
    assert await costs.report() is not first


async def test_a_ledger_that_is_not_there_is_said_in_the_command_s_words(tmp_path: Path) -> None:
    with pytest.raises(NotSent, match="there is no such file"):
        await Costs(HandClock(), tmp_path / "none.sqlite").report()


async def test_an_order_is_replayed_beside_and_again_while_its_recording_may_grow(tmp_path: Path) -> None:
    clock, path = HandClock(), tmp_path / "s4.sqlite"
    await a_ledger(path, clock.now_ms() - 60_000)
    replays = Replays(clock, path)

    first, second = await asyncio.gather(replays.replay("i1"), replays.replay("i1"))
    assert first is second, "one child for all pages"
    assert (first["was"]["cost"]["price_bps"], first["missing"][:25]) == ("100", "no recording was named: -")
    clock.pass_ms(AGAIN_MS + 1)
    again = await replays.replay("i1")
    assert again is not first
    again["complete"] = True
    clock.pass_ms(AGAIN_MS + 1)
    assert await replays.replay("i1") is again, "nothing can be added to it"
    with pytest.raises(NotSent, match="no such order"):
        await replays.replay("--help")
