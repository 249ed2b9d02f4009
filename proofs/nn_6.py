"""NN-6: how long until everything is verified flat, and until a hundred positions are known and protected again.

(a) Twenty positions on twenty symbols; a global kill with flatten; the clock stops at the signed receipt that the venue
shows nothing any more, its signature checked. (b) One account with a hundred positions, each with a stop and a target,
which is all the conditional orders an account may have (S4 keeps the last two for the successor of a stop, so the
hundredth position is a human's); S4 is killed with -9, and the clock runs from the start of its
process, and from its first question to the venue, to ready. The venue enforces its limits; S4 starts into a fresh
minute of them. Then the same with the ledger lost: S4 knows what the venue says and takes the positions over.
"""

import asyncio
import base64
import json
import random
import tempfile
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from chimera.adapters.binance.account import open_futures
from chimera.adapters.binance.hosts import hosts_named
from chimera.adapters.binance.http import AiohttpTransport
from chimera.services.clock import SteadyClock, SystemClock
from chimera.simulate.venue.account_spec import READY_ACCOUNT
from chimera.simulate.venue.audit import AuditRecord, Kind
from chimera.trading.ids import ClientOrderId, Symbol
from chimera.trading.market import Side
from chimera.trading.money import Price, Qty
from chimera.trading.order import NewOrder, OrderType
from proofs.measured import Measured
from proofs.real import Stage, stage
from world.oracle import is_entry

BAR: Final = "100 positions and 200 algo orders recovered in <= 5 s from process start, protection asked for first"
FEW, MANY = 20, 100
RECOVERED_S: Final = 5.0
PATIENCE_S: Final = 600.0
AT_ONCE: Final = 2
OF_SYMBOLS: Final = ("openAlgoOrders", "openOrders", "positionRisk", "userTrades")


def prove() -> Measured:
    measured = asyncio.run(_measured())
    known = measured["recovered"]
    good = known["ready_s"] <= RECOVERED_S and known["protection_first"] and measured["flat"]["verified"]
    return Measured(measured, BAR, passed=good and known["positions"] == MANY and known["algos"] == 2 * MANY)


async def _measured() -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="chimera-nn6-") as folder:
        (Path(folder) / "a").mkdir()
        (Path(folder) / "b").mkdir()
        return {"flat": await _flat(Path(folder) / "a"), **await _recovered(Path(folder) / "b")}


async def _flat(folder: Path) -> dict[str, Any]:
    async with stage(folder, _symbols(FEW)) as house:
        await _open(house, FEW)
        began = time.monotonic()
        body = {"by": "bench", "reason": "drill", "scope": "GLOBAL", "flatten": True}
        status, receipt = await house.ask("POST", f"{house.s4_url}/kill", body, headers={"prefer": "wait=30"})
        took_s = time.monotonic() - began
        account = await _account(house)
        flat = not (account["positions"] or account["open_orders"] or account["open_algos"])
        verified = status == 200 and receipt["verified"] and flat and _signed(receipt)
        return {"positions": FEW, "seconds": round(took_s, 2), "verified": verified}


async def _recovered(folder: Path) -> dict[str, Any]:
    async with stage(folder, _symbols(MANY)) as house:
        await _open(house, MANY - 1)
        await house.s4.kill()
        await _by_hand(house, house.symbols[-1])
        known = await _start(house)
        await house.s4.kill()
        await asyncio.to_thread(_lose_ledger, folder)
        return {"recovered": known, "ledger_lost": await _start(house)}


def _lose_ledger(folder: Path) -> None:
    for path in folder.glob("s4.sqlite*"):
        path.unlink()


async def _start(house: Stage) -> dict[str, Any]:
    """Into a fresh minute of the venue's limits."""
    await _fresh_minute()
    before, account = len(house.audit()), await _account(house)
    began, began_us = time.monotonic(), time.time_ns() // 1000
    await house.s4.start()
    await house.until_ready(house.s4_url)
    took_s = time.monotonic() - began
    happened = house.audit()[before:]
    asked = [record for record in happened if record.kind is Kind.REQUEST]
    reached_s = (asked[0].at_us - began_us) / 1_000_000
    later = await _account(house)
    return {
        "positions": len(account["positions"]),
        "algos": len(account["open_algos"]),
        "positions_after": len(later["positions"]),
        "algos_after": len(later["open_algos"]),
        "ready_s": round(took_s, 2),
        "from_first_question_s": round(took_s - reached_s, 2),
        "questions": len(asked),
        "protection_first": _protection_first(asked, happened),
    }


def _protection_first(asked: Sequence[AuditRecord], happened: Sequence[AuditRecord]) -> bool:
    """Of what is asked about positions, stops and targets came first; and nothing that opens went out."""
    of_symbols = [name for record in asked if (name := record.path.rpartition("/")[2]) in OF_SYMBOLS]
    entries = [record for record in happened if record.kind is Kind.ACCEPT and is_entry(record)]
    return of_symbols[0] == OF_SYMBOLS[0] and not entries


async def _fresh_minute() -> None:
    await asyncio.sleep(61 - time.time() % 60)


async def _open(house: Stage, count: int) -> None:
    """One position with stop and target on each of so many symbols, through S4."""
    await (await house.feed.start()).wait_ready()  # it asks for each book once, which takes most of a minute's weight
    await _fresh_minute()
    await house.s4.start()
    await house.until_ready(house.s4_url, PATIENCE_S)
    waiting = list(enumerate(house.symbols[:count]))
    async with asyncio.timeout(PATIENCE_S):
        while waiting:
            now, waiting = waiting[:AT_ONCE], waiting[AT_ONCE:]
            took = await asyncio.gather(*(_enter(house, number, symbol) for number, symbol in now))
            left = [each for each, good in zip(now, took, strict=True) if not good]
            waiting = left + waiting
            if left:  # the venue's limits: later
                await asyncio.sleep(1)
        while len((await _account(house))["open_algos"]) != 2 * count:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.2)


async def _by_hand(house: Stage, symbol: str) -> None:
    """The same by somebody else with the account's key."""
    hosts = hosts_named("sim", rest=house.venue_url, streams=house.venue_url.replace("http", "ws", 1))
    clock = SteadyClock(SystemClock())
    key, secret = READY_ACCOUNT.api_key, READY_ACCOUNT.secret
    account = open_futures(AiohttpTransport(hosts), key, secret, clock, jitter=random.Random(1))  # noqa: S311
    await account.rulebook.server_offset_ms()
    mark = await account.rulebook.mark(Symbol(symbol))
    away = {
        OrderType.MARKET: None,
        OrderType.STOP_MARKET: Decimal("0.97"),
        OrderType.TAKE_PROFIT_MARKET: Decimal("1.05"),
    }
    for kind, share in away.items():
        order = NewOrder(
            ref=ClientOrderId(f"hand-{kind.value}"),
            symbol=Symbol(symbol),
            side=Side.BUY if share is None else Side.SELL,
            type=kind,
            qty=Qty(Decimal("0.2")),
            trigger_price=None if share is None else Price((mark * share).quantize(Decimal("0.01"))),
            reduce_only=share is not None,
        )
        await account.venue.place(order, timeout_ms=3_000)
    await account.close()


async def _enter(house: Stage, number: int, symbol: str) -> bool:
    """Whether S4 took it; each try has ids of its own, for a refused one keeps its answer."""
    _, state = await house.ask("GET", f"{house.venue_url}/sim/state")
    mark = float(state["marks"][symbol])
    body = {
        "intent_id": f"bench-{number}-{time.monotonic_ns()}",
        "market": "FUT",
        "symbol": symbol,
        "side": "BUY",
        "qty": "0.2",
        "exec_policy": {"type": OrderType.MARKET.value},
        "sl": {"price": f"{mark * 0.97:.2f}"},
        "tp": {"price": f"{mark * 1.05:.2f}"},
    }
    _, row = await house.ask("POST", f"{house.s4_url}/orders", body)
    return row.get("status") in ("FILLED", "PARTIALLY_FILLED", "NEW", "ACCEPTED")


async def _account(house: Stage) -> dict[str, Any]:
    _, state = await house.ask("GET", f"{house.venue_url}/sim/state")
    account: dict[str, Any] = state["accounts"]["main"]
    return account


def _signed(receipt: dict[str, Any]) -> bool:
    """Raises ``InvalidSignature``."""
    said = {name: value for name, value in receipt.items() if name not in ("key_id", "signature")}
    text = json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
    Ed25519PublicKey.from_public_bytes(base64.b64decode(receipt["key_id"])).verify(
        base64.b64decode(receipt["signature"]), text
    )
    return True


def _symbols(count: int) -> list[str]:
    return [f"S{number:03d}USDT" for number in range(count)]
