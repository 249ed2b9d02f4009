"""The exchange's key changed under a running S4, over real HTTP: real processes, the twin's keys, SIGHUP."""

import asyncio
import secrets
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest

from chimera.simulate import ready_key
from chimera.simulate.venue.audit import AuditRecord, Kind
from proofs.real import Stage, stage
from world import oracle

pytestmark = [pytest.mark.slow, pytest.mark.req("CONF-1")]

PATIENCE_S: Final = 40
NOT_ROTATED: Final = "KEY_NOT_ROTATED"


class Keyed:
    """A house whose S4 reads its key from two files, and whoever changes them."""

    def __init__(self, house: Stage, folder: Path) -> None:
        self.house = house
        self.files = folder / "key", folder / "secret"
        self.drawn: list[str] = []
        self.write(ready_key.API_KEY, ready_key.SECRET)
        house.s4 = house.router(
            S4_BINANCE_KEY_FILE=str(self.files[0]), S4_BINANCE_SECRET_FILE=str(self.files[1]), S4_SPOT_SYMBOLS="BTCUSDT"
        )

    async def ask(self, method: str, path: str, body: object = None, at: str = "", **headers: str) -> tuple[int, Any]:
        return await self.house.ask(method, (at or self.house.s4_url) + path, body, headers=headers)

    async def key_of(self, owner: str, **changes: Any) -> tuple[str, str]:
        """One more at the venue: of an account that is there, or of a new one."""
        made = f"canary{secrets.token_hex(24)}", f"canary{secrets.token_hex(24)}"
        self.drawn += made
        path = "/sim/keys" if owner == "main" else "/sim/accounts"
        spec = {"name": owner, "api_key": made[0], "secret": made[1], **changes}
        status, told = await self.ask("POST", path, spec, at=self.house.venue_url)
        assert status == 200, told
        return made

    async def revoke(self, key: str) -> None:
        status, _ = await self.ask("DELETE", f"/sim/keys?api_key={key}", at=self.house.venue_url)
        assert status == 200

    def write(self, key: str, secret: str) -> None:
        for path, content in zip(self.files, (key, secret), strict=True):
            path.write_text(content)
            path.chmod(0o600)

    async def change(self, pair: tuple[str, str], code: str) -> str:
        """Write it, say so, and the log's line in which ``code`` is told."""
        before = len(self.told(code))
        self.write(*pair)
        self.house.s4.signal(signal.SIGHUP)
        async with asyncio.timeout(PATIENCE_S):
            while len(self.told(code)) == before:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.02)
        return self.told(code)[-1]

    def told(self, code: str) -> list[str]:
        lines = (self.house.folder / "s4.log").read_text(encoding="utf-8").splitlines()
        return [line for line in lines if f'"{code}"' in line and '"event_id"' in line]

    async def order(self, name: str, **changes: Any) -> dict[str, Any]:
        """Posted, and its row once it is filled; an entry that has to wait for the stream is asked for again."""
        body: dict[str, Any] = {
            "client_order_id": name,
            "market": "FUT",
            "symbol": "BTCUSDT",
            "side": "BUY",
            "qty": "0.003",
        }
        body |= {"exec_policy": {"type": "MARKET"}}  # one entry each
        async with asyncio.timeout(PATIENCE_S):
            while True:
                status, row = await self.ask("POST", "/orders", body | changes, prefer="wait=2")
                if status == 200 and row["status"] == "FILLED":
                    found: dict[str, Any] = row
                    return found
                assert status in (202, 409, 503) or row.get("accepted"), row
                await asyncio.sleep(0.05)

    def audit(self) -> list[AuditRecord]:
        return self.house.audit()


@pytest.fixture
async def keyed(tmp_path: Path) -> AsyncIterator[Keyed]:
    async with stage(tmp_path, spot=("BTCUSDT",)) as house:
        made = Keyed(house, tmp_path)
        await house.s4.start()
        await house.until_open()
        yield made


async def test_only_a_key_of_the_same_account_that_may_trade_takes_over(keyed: Keyed) -> None:
    """The old one is revoked before the new one comes, as when it has leaked; whose it was S4 knows by then."""
    old = ready_key.API_KEY, ready_key.SECRET
    good = await keyed.key_of("main")
    wrong = {
        "another account": await keyed.key_of("other"),
        "may not trade FUT": await keyed.key_of("main", permissions=["read", "spot"]),
        "may not trade SPOT": await keyed.key_of("main", permissions=["read", "futures"]),
        "S4_BINANCE_SECRET does not belong": (good[0], "canary" + "0" * 48),
    }
    for number, (why, pair) in enumerate(wrong.items()):
        said = await keyed.change(pair, NOT_ROTATED)
        assert why in said
        assert "the key that was in force stays so" in said
        assert (await keyed.order(f"old-{number}"))["status"] == "FILLED"
        await keyed.change(old, f"{NOT_ROTATED}_OVER")
    assert keyed.told("KEY_ROTATED") == []

    await keyed.revoke(old[0])
    revoked = keyed.audit()[-1].seq
    await keyed.change(good, "KEY_ROTATED")
    assert (await keyed.order("new"))["status"] == "FILLED"

    asked = [(each.method, each.path) for each in keyed.audit() if each.kind is Kind.REQUEST and each.seq > revoked]
    made_anew = asked.index(("POST", "/fapi/v1/listenKey"))
    assert ("GET", "/fapi/v1/openOrders") in asked[made_anew:], "what the old stream may have missed is asked for"
    log = (keyed.house.folder / "s4.log").read_text(encoding="utf-8")
    assert [each for each in (*keyed.drawn, ready_key.SECRET) if each in log] == []
    spans = oracle.uncovered_spans(keyed.audit(), time.time_ns() // 1000)
    assert oracle.longest_us(spans) < 1_500_000


async def test_an_order_in_flight_while_the_key_changes_is_sent_once_and_found(keyed: Keyed) -> None:
    """It was executed under the old key, its answer was lost, and that key is gone before anybody can ask."""
    lost = {"name": "timeout_after", "match": {"path": "/fapi/v1/order", "method": "POST"}, "count": 1}
    deaf = {"name": "frame_drop", "match": {"route": "private"}, "id": "deaf"}
    good = await keyed.key_of("main")
    for fault in (lost, deaf):
        status, told = await keyed.ask("POST", "/sim/faults", fault, at=keyed.house.venue_url)
        assert status == 200, told
    posted = asyncio.create_task(keyed.order("a"))
    async with asyncio.timeout(PATIENCE_S):
        while not entries(keyed.audit()):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.005)
    await keyed.change(good, "KEY_ROTATED")
    await keyed.revoke(ready_key.API_KEY)
    await keyed.ask("DELETE", "/sim/faults?id=deaf", at=keyed.house.venue_url)
    row = await posted
    _, state = await keyed.ask("GET", "/sim/state", at=keyed.house.venue_url)

    assert (row["filled_qty"], len(entries(keyed.audit()))) == (0.003, 1)
    assert oracle.entered_once(keyed.audit()) == []
    assert len(state["accounts"]["main"]["open_algos"]) >= 1, "its stop stands"
    assert keyed.told("KEY_REFUSED") == []
    assert (await keyed.order("b"))["status"] == "FILLED"


def entries(audit: list[AuditRecord]) -> list[AuditRecord]:
    return [each for each in audit if each.kind is Kind.ACCEPT and oracle.is_entry(each)]
