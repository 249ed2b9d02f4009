"""``chimera why``, ``decisions``, ``replay`` and ``decide --suppose`` over a real server, as people read them."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from strategy_world import D, Served, a_rule, activate
from test_strategy_http import post
from typer.testing import CliRunner, Result

from chimera.cli import explaining
from chimera.cli.codes import Exit
from chimera.cli.main import app
from chimera.client.bundles import BundleClient


@pytest.fixture
def chimera(served: Served) -> Any:
    async def call(*words: str) -> Result:
        arguments = [*words, "--s3", served.url]
        return await asyncio.to_thread(CliRunner().invoke, app, arguments)

    return call


async def decide(served: Served, **wishes: Any) -> str:
    status, answer = await post(f"{served.url}/decide", json.dumps({"symbol": "BTCUSDT", **wishes}).encode())
    assert status == 200
    return str(answer["signal_id"])


@pytest.mark.req("S3-PER-1", "S3-API-2")
async def test_why_a_symbol_is_not_entered_now(served: Served, chimera: Any) -> None:
    await served.stage.show(ask=D(65830))
    await decide(served, sideHint="BUY")
    served.stage.clock.ms += 240_000
    await served.stage.show(ask=D(65830))

    told = await chimera("why", "btcusdt")
    whole = await chimera("why", "BTCUSDT", "--json")
    document = json.loads(whole.stdout.splitlines()[-1])  # the server logs beside it
    stranger = await chimera("why", "NOPE", "--json")

    assert told.exit_code == 0
    assert "BTCUSDT is not entered:" in told.output
    assert "gate FUT, for 4 min (since 2025-11-13T02:13:20Z): SPREAD: spread_bps" in told.output
    assert "one of these would let it trade:" in told.output
    assert "-> 3: R-023 fired: BUY" in told.output
    assert document["symbol"]["blockers"][0]["code"] == "SPREAD"
    assert document["now"]["needed"]["single"][0]["changes"][0]["needed"] == 3
    assert (stranger.exit_code, json.loads(stranger.stdout)["code"]) == (Exit.REFUSED, "UNKNOWN_SYMBOL")


async def test_why_nothing_stands_in_the_way(served: Served, chimera: Any) -> None:
    told = await chimera("why", "BTCUSDT")
    assert "BTCUSDT: nothing stands in the way" in told.output
    assert "decided now, without a trace: open" in told.output


@pytest.mark.req("S3-PER-1")
async def test_why_a_decision_came_out_so(served: Served, chimera: Any) -> None:
    opened = await decide(served, sideHint="BUY")
    await served.stage.show(ask=D(65830))
    skipped = await decide(served, sideHint="BUY")

    entry, skip = await chimera("why", opened), await chimera("why", skipped)
    nothing = await chimera("why", "00000000-0000-4000-8000-000000000000")

    assert f"open BTCUSDT FUT  {opened}" in entry.output
    assert "rule R-023 fired: size_mult" in entry.output
    assert "gate ok   SPREAD" in entry.output
    assert " DONE (S4 has answered for it): ACCEPTED" in entry.output
    assert "gate SHUT SPREAD" in skip.output
    assert "bundle demo-1, revision 1" in skip.output
    assert "-> 3" in skip.output
    assert nothing.exit_code == Exit.REFUSED
    assert "NOT_FOUND" in nothing.output
    assert "accepted: a signal_id of GET /decisions" in nothing.output


async def test_decisions_are_listed_page_by_page(served: Served, chimera: Any) -> None:
    ids = []
    for side in ("BUY", "SELL", "BUY"):
        served.stage.clock.ms += 1_000
        await served.stage.show(ask=D(65830) if ids else D(65801))
        ids.append(await decide(served, sideHint=side))

    page = await chimera("decisions", "--newest", "2")
    cursor = page.output.strip().splitlines()[-1].removeprefix("more: --cursor ")
    rest = await chimera("decisions", "--newest", "2", "--cursor", cursor)
    skips = json.loads((await chimera("decisions", "--outcome", "skip", "--symbol", "btcusdt", "--json")).stdout)
    none = await chimera("decisions", "--since", "nonsense")

    assert [line.split()[4] for line in page.output.splitlines()[:2]] == ids[:0:-1]
    assert ids[0] in rest.output
    assert "more:" not in rest.output
    assert [row["decision"] for row in skips["decisions"]] == ["skip", "skip"]
    assert none.exit_code == Exit.REFUSED
    assert "(--since = nonsense); accepted: 24h (s, m, h, d: so long ago), a UTC date" in none.output


@pytest.mark.req("S3-PER-1")
async def test_a_replay_says_the_same_of_what_decides_and_otherwise_of_another(
    served: Served, chimera: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explaining, "PAGE", 2)  # several pages
    for side in ("BUY", "SELL", "BUY"):
        served.stage.clock.ms += 1_000
        await served.stage.show()
        await decide(served, sideHint=side)
        await served.stage.settle(served.strategy)
    async with BundleClient(served.url) as client:
        rule = a_rule("N-1", {"type": "skip_entry"})
        await client.create({"bundle_id": "never", "rules": [rule]}, who="ann", why="y")

    same = await chimera("replay", "--bundle", "active")
    other = await chimera("replay", "--bundle", "never")
    document = await chimera("replay", "--bundle", "never", "--since", "2025-01-01", "--symbol", "btcusdt", "--json")
    bounded = await chimera("replay", "--bundle", "active", "--most", "1")
    long_ago = await chimera("replay", "--bundle", "active", "--until", "2024-01-01")
    nothing = await chimera("replay", "--bundle", "none")

    assert same.exit_code == 0
    assert "3 decisions under demo-1" in same.output
    assert "     3  the same" in same.output
    assert other.exit_code == Exit.DIFFERS
    assert "skips: 2025-11-13T02:13:21Z BTCUSDT" in other.output
    assert "decision open -> skip" in other.output
    report = json.loads(document.stdout)
    assert document.exit_code == Exit.DIFFERS
    assert (report["decisions"], report["tally"]["skips"], report["tally"]["same"]) == (3, 3, 0)
    assert bounded.exit_code == 0
    assert "1 decisions under demo-1; there are more" in bounded.output
    assert "0 decisions" in long_ago.output
    assert nothing.exit_code == Exit.REFUSED


@pytest.mark.req("S3-API-2")
async def test_decide_supposes(served: Served, chimera: Any) -> None:
    told = await chimera("decide", "BTCUSDT", "--side", "BUY", "--dry-run", "--suppose", "spread_bps=9")
    real = await chimera("decide", "BTCUSDT", "--side", "BUY", "--suppose", "spread_bps=9")
    odd = await chimera("decide", "BTCUSDT", "--dry-run", "--suppose", "spread_bps")

    assert "supposing spread_bps 9 (seen: 0.1519" in told.output
    assert "SPREAD" in told.output
    assert (real.exit_code, odd.exit_code) == (Exit.REFUSED, Exit.REFUSED)
    assert "CONTEXT_IS_WHAT_IF" in real.output
    assert await served.stage.rows() == []


@pytest.mark.parametrize(("given", "ago_ms"), [("24h", 86_400_000), ("90m", 5_400_000), ("2d", 172_800_000)])
def test_a_span_is_that_long_ago(given: str, ago_ms: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chimera.cli.explaining.time.time", lambda: 1_763_000_000.0)
    assert explaining._moment("since", given) == str(1_763_000_000_000 - ago_ms)
    assert explaining._moment("since", "2026-11-20") == "2026-11-20"
    assert explaining._moment("since", None) is None


async def test_a_decision_whose_bundle_is_gone_says_so(served: Served, chimera: Any) -> None:
    await activate(served.stage, 2, a_rule("NO", {"type": "skip_entry"}))
    async with BundleClient(served.url) as client:
        assert (await client.standing())["rev"] == 2
    await served.stage.show(ask=D(65830))
    signal_id = await decide(served, sideHint="BUY")
    row = dict((await served.stage.rows())[0])
    await served.stage.ledger.put("signals", signal_id, {**row, "bundle_id": "gone"})

    told = await chimera("why", signal_id)

    assert told.exit_code == 0
    assert "what would have to change cannot be told" in told.output


FIXTURES = Path(__file__).parents[2] / "fixtures" / "decisions"


@pytest.mark.req("S3-PER-1")
def test_a_decision_s_file_is_decided_again_without_a_service(tmp_path: Path) -> None:
    def chimera(*words: str) -> Result:
        return CliRunner().invoke(app, ["replay", *words])

    kept = FIXTURES / "opens_by_r023.json"
    other = tmp_path / "other.json"
    other.write_text(kept.read_text().replace('"qty": "0.007"', '"qty": "0.009"'))

    same, differs = chimera("--fixture", str(kept)), chimera("--fixture", str(other))
    document = json.loads(chimera("--fixture", str(kept), "--json").stdout)
    nothing = chimera("--fixture", str(tmp_path / "none.json"), "--json")

    assert (same.exit_code, "BTCUSDT, bundle demo-1: the same" in same.output) == (0, True)
    assert (differs.exit_code, "qty 0.009 -> 0.007" in differs.output) == (Exit.DIFFERS, True)
    assert (document["same"], document["differences"]) == (True, [])
    assert (nothing.exit_code, json.loads(nothing.stdout)["field"]) == (Exit.REFUSED, "--fixture")
    assert chimera("--fixture", str(kept), "--bundle", "b").exit_code == Exit.USAGE
    assert chimera().exit_code == Exit.USAGE
