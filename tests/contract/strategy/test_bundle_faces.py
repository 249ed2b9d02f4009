"""Bundles by HTTP and by the command line, over a real server: each call, each refusal, and one whole life."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from strategy_world import Served, a_rule
from typer.testing import CliRunner, Result

from chimera.adapters.memory.faults import NoFaults
from chimera.cli.codes import Exit
from chimera.cli.main import app
from chimera.client.bundles import BundleClient
from chimera.trading.errors import OutcomeUnknown, StoreUnavailable

pytestmark = pytest.mark.slow

TABLE = yaml.safe_load((Path(__file__).parent.parent / "errors_strategy.yaml").read_text(encoding="utf-8"))


def a_bundle(bundle_id: str, side: str, **more: Any) -> dict[str, Any]:
    return {"bundle_id": bundle_id, "rules": [a_rule("N-1", {"type": "side", "value": side})], **more}


@pytest.mark.parametrize("row", [pytest.param(row, id=row["name"]) for row in TABLE["config"]])
async def test_every_refusal(served: Served, row: dict[str, Any]) -> None:
    async with aiohttp.ClientSession() as session:
        for _ in range(2 if row.get("twice") else 1):
            async with session.request(row.get("as", "POST"), served.url + row["path"], data=row.get("body")) as answer:
                status, body = answer.status, await answer.json()

    assert (status, body["code"], body["field"]) == (row["status"], row["code"], row["field"])
    assert body["result"] == "FAIL"


@pytest.mark.req("S3-CFG-1", "S3-CFG-2")
async def test_a_bundle_s_life_by_http(served: Served) -> None:
    by = {"who": "ann", "why": "calmer"}
    async with BundleClient(served.url) as client:
        linted = await client.lint(a_bundle("n", "SELL"))
        made = await client.create(a_bundle("n", "SELL", flags={"spot": False}), **by)
        again = await client.create(a_bundle("n", "SELL", flags={"spot": False}), **by)
        activated = await client.activate("n", **by)
        diff = await client.diff("demo-1", "active")
        shown = await client.show("active")
        standing = await client.standing()
        back = await client.roll_back(who="bob", why="no", to_rev=1)
        history = await client.history(10)

    assert linted["ok"]
    assert made["bundle"] == again["bundle"]
    assert made["digest"] != linted["digest"]  # the flag is part of it
    assert (activated["revision"]["rev"], activated["loaded"]) == (2, True)
    assert (diff["added"], diff["removed"], diff["same"]) == (["N-1"], ["D-010", "D-020", "D-021", "R-023"], False)
    assert {part["path"] for part in diff["head"]} >= {"$.flags.spot", "$.bounds.size_mult"}
    assert shown["bundle"]["rules"][0]["rule_id"] == "N-1"
    assert (standing["active"]["rev"], standing["loaded_rev"], standing["trial"]) == (2, 2, None)
    assert (back["revision"]["kind"], back["revision"]["back_to"]) == ("ROLLBACK", 1)
    assert [(line["rev"], line["who"]) for line in history["history"]] == [(3, "bob"), (2, "ann")]


async def test_the_bundle_on_the_bundles_page_is_one(served: Served) -> None:
    told = (Path(__file__).parents[3] / "docs" / "bundles.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```json\n(.*?)```", told, re.DOTALL)

    async with BundleClient(served.url) as client:
        answer = await client.lint(json.loads(block))

    assert (answer["ok"], answer["findings"], answer["advice"]) == (True, [], [])


async def test_what_is_shown_can_be_made_again_under_another_name_with_the_same_digest(served: Served) -> None:
    by = {"who": "ann", "why": "copy"}
    rule = a_rule("W", {"type": "size_mult", "value": "1.2"}, when={"f": "atr", "op": "in", "v": [1, "2", 2.5]})
    async with BundleClient(served.url) as client:
        made = await client.create({"bundle_id": "one", "rules": [rule]}, **by)
        shown = (await client.show("one"))["bundle"]
        copy = {"bundle_id": "two", **{name: shown[name] for name in ("rules", "bounds", "flags")}}
        other = await client.create(copy, **by)

    assert made["digest"] == other["digest"]


async def test_a_change_whose_store_goes_away_is_unknown_and_the_history_tells(served: Served) -> None:
    class Away(NoFaults):
        async def after(self, operation: str, key: str) -> None:
            if operation == "insert" and key.startswith("config_revisions"):
                raise StoreUnavailable("gone")

    async with BundleClient(served.url) as client:
        await client.create(a_bundle("n", "SELL"), who="ann", why="y")
        served.stage.ledger.faults = Away()
        with pytest.raises(OutcomeUnknown, match="history"):
            await client.activate("n", who="ann", why="y")
        served.stage.ledger.faults = NoFaults()
        history = await client.history(1)
        standing = await client.standing()

    assert [line["bundle_id"] for line in history["history"]] == ["n"]
    assert standing["active"]["bundle_id"] == "n"


@pytest.mark.req("S3-CFG-1")
async def test_a_bundle_s_life_on_the_command_line(served: Served, tmp_path: Path) -> None:
    file = tmp_path / "n.json"
    file.write_text(json.dumps(a_bundle("n", "SELL")))
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps({"bundle_id": "w", "rules": [a_rule("N-1", {"type": "explode"})]}))

    async def chimera(*words: str) -> Result:
        arguments = ["bundle", *words, "--s3", served.url]
        return await asyncio.to_thread(CliRunner().invoke, app, arguments)

    refused = await chimera("lint", str(wrong))
    assert refused.exit_code == Exit.REFUSED
    assert "N-1 $.action.type" in refused.output
    assert "chimera: 1 finding: S3 would refuse it" in refused.output
    wrong.write_text(json.dumps(a_rule("N-1", {"type": "skip_entry"})))
    alone = await chimera("lint", str(wrong))
    assert alone.exit_code == Exit.REFUSED
    assert "the file holds a rule; a bundle has it inside" in alone.output
    assert "lint finds nothing" in (await chimera("lint", str(file))).output
    assert "kept: n," in (await chimera("create", str(file), "--why", "first", "--who", "ann")).output
    assert "+ N-1" in (await chimera("diff", "active", "n")).output
    assert "revision 2  ACTIVATE n; loaded" in (await chimera("activate", "n", "--why", "now", "--who", "ann")).output
    assert "active: n, revision 2" in (await chimera("status")).output
    assert "revision 3  ROLLBACK demo-1 (of revision 1)" in (await chimera("rollback", "--why", "no")).output
    assert "revision 4  SHADOW n" in (await chimera("shadow", "n", "--why", "look")).output
    assert "on trial: n, revision 4, shadow" in (await chimera("status")).output
    assert "revision 5  END_TRIAL n" in (await chimera("end", "--why", "seen")).output
    canary = await chimera("canary", "n", "--why", "try", "--share", "0.1", "--metric", "skip_share", "--most", "0.5")
    assert "revision 6  CANARY n" in canary.output
    assert "canary of 0.1" in (await chimera("status")).output
    assert "ann: now" in (await chimera("history")).output
    assert json.loads((await chimera("show", "n")).output)["bundle"]["rules"][0]["rule_id"] == "N-1"
    assert "no difference" in (await chimera("differences")).output
    assert "n  1 rules" in (await chimera("list")).output
    too_much = await chimera("canary", "n", "--why", "try", "--share", "2")
    assert (too_much.exit_code, "from 0 to 1" in too_much.output) == (Exit.REFUSED, True)
