"""Faults over the wire: the control API and the command line against a simulator that runs, and what a socket meets."""

import asyncio
import errno
import json
import math
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import aiohttp.web
import pytest
from typer.testing import CliRunner

from chimera.cli.main import app
from chimera.services.simulator.server import SimulatorServer
from chimera.services.simulator.settings import SimulatorSettings
from chimera.simulate.trouble.catalogue import CATALOGUE
from chimera.trading.market import Marked, MarketEvent, TopOfBook
from support.sim_client import KEY, SimClient

pytestmark = pytest.mark.slow

D = Decimal
WAIT_S = 5
QUIET: list[MarketEvent] = [
    TopOfBook(symbol="BTCUSDT", at_us=1, bid=D("65799.9"), bid_qty=D(5), ask=D("65800.0"), ask_qty=D(5)),
    Marked(symbol="BTCUSDT", at_us=1, mark=D(65800), index=D(65800), funding_rate=D(0), next_funding_ms=0),
]
ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}


class Client(SimClient):
    """It also speaks to the control API, and through the command line."""

    async def ok(self, method: str, path: str, **more: Any) -> Any:
        status, body = await self.send(method, path, **more)
        assert status == 200, body
        return body

    async def cli(self, *words: str) -> tuple[int, Any]:
        """``chimera faults ...`` in a thread, for it asks this very loop."""
        run = await asyncio.to_thread(CliRunner().invoke, app, ["faults", *words, "--sim", self.base, "--json"])
        return run.exit_code, json.loads(run.stdout)


async def journal_failing(client: Client, parts: set[str]) -> Any:
    """What is told of the simulator's files once exactly these fail."""
    async with asyncio.timeout(WAIT_S):
        while True:
            journal = (await client.ok("GET", "/sim/state"))["journal"]
            if set(journal["failing"]) == parts:
                return journal
            await asyncio.sleep(0.02)


def told(tmp_path: Path) -> SimulatorSettings:
    state, audit = tmp_path / "state.json", tmp_path / "audit.jsonl"
    return SimulatorSettings(port=0, speed=math.inf, state_file=state, audit_file=audit)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    server = SimulatorServer(told(tmp_path), QUIET)
    await server.start()
    async with aiohttp.ClientSession() as session, asyncio.timeout(4 * WAIT_S):
        await server.market_ended.wait()
        yield Client(session, server)
    await server.stop()


async def test_faults_are_listed_armed_and_cleared(client: Client) -> None:
    body = await client.ok("GET", "/sim/faults")
    assert [entry["name"] for entry in body["catalogue"]] == list(CATALOGUE)
    assert body["armed"] == []
    one = await client.ok("POST", "/sim/faults", json={"name": "unavailable_503", "id": "mine", "count": 1})
    two = await client.ok("POST", "/sim/faults", json=[{"name": "latency"}, {"name": "latency", "params": {"ms": 1}}])
    assert one == {"ids": ["mine"]}
    assert len(set(two["ids"])) == 2
    assert (await client.signed("POST", "/fapi/v1/order", **ORDER))[0] == 503
    assert (await client.signed("POST", "/fapi/v1/order", **ORDER))[0] == 200
    armed = {row["id"]: row for row in (await client.ok("GET", "/sim/faults"))["armed"]}
    assert (armed["mine"]["struck"], armed["mine"]["active"], armed[two["ids"][1]]["params"]["ms"]) == (1, False, 1)
    assert await client.ok("DELETE", "/sim/faults?id=mine") == {"cleared": ["mine"]}
    assert set((await client.ok("DELETE", "/sim/faults"))["cleared"]) == set(two["ids"])
    assert (await client.ok("GET", "/sim/faults"))["armed"] == []


@pytest.mark.parametrize(
    ("method", "path", "body", "field", "accepted"),
    [
        ("POST", "/sim/faults", {"name": "latency", "params": {"ms": "x"}}, "params.ms", "whole ms, 0 or more"),
        ("POST", "/sim/faults", [{"name": "latency"}, {"name": "odd"}], "[1].name", "latency"),
        ("POST", "/sim/scenario", {"faults": [{"name": "latency", "count": 0}]}, "faults[0].count", "above 0"),
        ("POST", "/sim/scenario", [], "body", "a JSON object"),
        (
            "POST",
            "/sim/scenario",
            {"accounts": [{"name": "x", "api_key": KEY, "secret": "s"}]},
            "accounts[0]",
            "nobody",
        ),
        ("POST", "/sim/scenario", {"accounts": [{"name": "x", "api_key": "y"}]}, "accounts[0]", "one secret"),
        ("DELETE", "/sim/faults?id=none", None, "id", "none is armed"),
    ],
)
async def test_what_does_not_fit_arms_nothing_and_says_why(
    client: Client, method: str, path: str, body: Any, field: str, accepted: str
) -> None:
    status, said = await client.send(method, path, json=body)
    assert (status, said["code"], said["field"]) == (400, -1130, field)
    assert accepted in said["accepted"]
    assert (await client.ok("GET", "/sim/faults"))["armed"] == []


@pytest.mark.parametrize("path", ["/sim/faults", "/sim/scenario", "/sim/accounts", "/sim/adl"])
async def test_what_is_nested_too_deeply_is_no_json(client: Client, path: str) -> None:
    status, said = await client.send("POST", path, data='{"a":' * 5_000 + "0" + "}" * 5_000)
    assert (status, said["code"]) == (400, -1130)


async def test_a_frame_nested_too_deeply_is_answered_and_ends_nothing(client: Client) -> None:
    async with await client.listen("/public/ws") as stream:
        await stream.send_str("[" * 5_000 + "]" * 5_000)
        assert "Invalid JSON" in str(await stream.receive_json())
        await stream.send_json({"id": 1, "method": "LIST_SUBSCRIPTIONS"})
        assert (await stream.receive_json())["id"] == 1


@pytest.mark.parametrize(
    ("remote", "control"), [("10.0.0.9", 403), ("::ffff:10.0.0.9", 403), (None, 403), ("::1", 200)]
)
async def test_the_control_api_is_this_machines_alone(
    client: Client, monkeypatch: pytest.MonkeyPatch, remote: str | None, control: int
) -> None:
    """Whatever the simulator listens on; the exchange it plays answers everybody."""
    monkeypatch.setattr(aiohttp.web.BaseRequest, "remote", remote)

    assert (await client.send("GET", "/sim/state"))[0] == control
    assert (await client.send("POST", "/sim/faults", json={"name": "latency"}))[0] == control
    assert (await client.send("GET", "/fapi/v1/ping"))[0] == 200


async def test_the_command_line_arms_plays_and_clears(client: Client, tmp_path: Path) -> None:
    code, armed = await client.cli(
        "arm", "stuck_triggering", "cancel=-4117", "ms=900", "--match", "symbol=BTC*", "--chance", "0.5", "--id", "s"
    )
    assert (code, armed) == (0, {"ids": ["s"]})
    _, [row] = await client.cli("list", "--armed")
    assert (row["params"], row["match"]) == ({"ms": 900, "cancel": "-4117"}, {"market": "usdm", "symbol": "BTC*"})
    assert row["chance"] == "0.5"
    page = tmp_path / "s.toml"
    page.write_text(
        'name="x"\n[[faults]]\nname="latency"\nid="slow"\n[[accounts]]\nname="b"\napi_key="b-key-1234"\nsecret="b-secret"\n'
    )
    assert await client.cli("play", str(page)) == (0, {"name": "x", "seed": 0, "ids": ["slow"]})
    assert "b" in (await client.ok("GET", "/sim/state"))["accounts"]
    assert await client.cli("clear", "slow") == (0, {"cleared": ["slow"]})
    code, refused = await client.cli("arm", "latency", "ms=-1")
    assert (code, refused["field"], refused["value"]) == (4, "params.ms", -1)


def test_the_catalogue_is_listed_without_a_simulator() -> None:
    run = CliRunner().invoke(app, ["faults", "list"])
    assert run.exit_code == 0
    assert all(f"\n{name} " in f"\n{run.stdout}" for name in CATALOGUE)


async def test_a_lost_answer_ends_the_connection_and_the_order_stands(client: Client) -> None:
    await client.ok("POST", "/sim/faults", json={"name": "timeout_after", "count": 1})
    with pytest.raises(aiohttp.ClientError):
        await client.signed("POST", "/fapi/v1/order", **ORDER, newClientOrderId="lost-1")
    status, found = await client.signed("GET", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId="lost-1")
    assert (status, found["status"]) == (200, "FILLED")


async def test_a_request_held_on_its_way_in_is_too_old(client: Client) -> None:
    params = {"way": "in", "ms": 60}
    await client.ok("POST", "/sim/faults", json={"name": "latency", "params": params, "match": {"path": "*/order"}})
    _, said = await client.signed("POST", "/fapi/v1/order", **ORDER, recvWindow=20)
    assert said["code"] == -1021


async def test_streams_are_cut_and_let_in_again_only_when_upkeep_is_over(client: Client) -> None:
    async with client.session.ws_connect(client.base + "/public/ws/btcusdt@bookTicker") as socket:
        await client.ok("POST", "/sim/faults", json={"name": "maintenance", "id": "upkeep"})
        async with asyncio.timeout(WAIT_S):
            kinds = [message.type async for message in socket]
        assert (kinds, socket.close_code) == ([], 1001)
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await client.session.ws_connect(client.base + "/public/ws/btcusdt@bookTicker")
    assert refused.value.status == 503
    assert (await client.send("GET", "/fapi/v1/ping"))[1]["code"] == -1016
    await client.ok("DELETE", "/sim/faults?id=upkeep")
    async with client.session.ws_connect(client.base + "/public/ws/btcusdt@bookTicker"):
        assert (await client.send("GET", "/fapi/v1/ping"))[0] == 200


async def test_only_the_route_that_is_aimed_at_is_cut(client: Client) -> None:
    _, key = await client.send("POST", "/fapi/v1/listenKey")
    private = f"{client.base}/private/ws/{key['listenKey']}"
    async with (
        client.session.ws_connect(private) as ours,
        client.session.ws_connect(client.base + "/public/ws") as other,
    ):
        await client.ok("POST", "/sim/faults", json={"name": "stream_cut", "match": {"route": "private"}})
        async with asyncio.timeout(WAIT_S):
            assert (await ours.receive()).type is aiohttp.WSMsgType.CLOSE
            await other.send_json({"id": 1, "method": "LIST_SUBSCRIPTIONS"})
            assert (await other.receive_json())["id"] == 1


async def test_a_simulator_whose_files_fail_answers_on_and_says_so(client: Client, tmp_path: Path) -> None:
    audit, state = tmp_path / "audit.jsonl", tmp_path / "state.json"
    [fault] = (await client.ok("POST", "/sim/faults", json={"name": "journal_fails", "params": {"part": "both"}}))[
        "ids"
    ]
    before = audit.read_bytes()
    assert (await client.signed("POST", "/fapi/v1/order", **ORDER))[0] == 200
    journal = await journal_failing(client, {"audit", "state"})
    kept = state.read_bytes()
    assert audit.read_bytes() == before
    assert journal["audit_missing"] >= 3, "request, accept, fill"
    assert "No space left" in journal["failing"]["state"]["error"]
    await client.ok("DELETE", f"/sim/faults?id={fault}")
    assert (await client.signed("POST", "/fapi/v1/order", **ORDER))[0] == 200
    journal = await journal_failing(client, set())
    numbers = [json.loads(line)["seq"] for line in audit.read_text().splitlines()]
    assert numbers[-1] - len(numbers) == journal["audit_missing"], "what is missing shows as a gap"
    assert state.read_bytes() != kept


async def test_a_disk_that_is_really_full_is_told_the_same_way(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(client.server._state, "replace", full)
    assert (await client.signed("POST", "/fapi/v1/order", **ORDER))[0] == 200
    journal = await journal_failing(client, {"state"})
    assert "No space left" in journal["failing"]["state"]["error"]
    monkeypatch.undo()
