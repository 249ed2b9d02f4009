"""RT-2: what S4 adds to an order, against the sum of what an honest order cannot do without; each term is printed.

Real processes: S4, the venue, the feed, Valkey, and a FastAPI application that does nothing. One caller asks for all
terms in turns, each while the others rest, so that whatever else runs here hits them alike. ``orders`` is `POST
/orders` MARKET to its 200, filled and durable; ``venue`` the same order signed and sent to the venue by the caller,
from an account of his own; ``commit`` a row as large as the holding, on the same disk, synced; ``claim`` a SET NX.
"""

import asyncio
import json
import statistics
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

import msgspec

from chimera.simulate.venue.account_spec import AccountSpec
from proofs.bare import Claims, Commits, Wire, bare_fastapi, body_size, seconds, signed_order, wired
from proofs.measured import Measured
from proofs.real import Stage, stage

BAR: Final = (
    "(/orders MARKET - bare signed call) <= 2 x (bare FastAPI POST + 2 durable commits + 1 Redis claim), P50,"
    " all power-safe"
)
ROUNDS: Final = 300
WARM: Final = 30
PACE_S: Final = 0.33  # the venue's limits: an entry, its stop, its close; 300 orders in 10 s, some kept for stops
TIMES: Final = 4  # each bare term in a round
MOST: Final = 2.0
BARE: Final = AccountSpec(name="bare", api_key="bare-key", secret="bare-secret")  # noqa: S106 - of a simulated venue


def prove(rounds: int = ROUNDS) -> Measured:
    took, size = asyncio.run(terms(rounds))
    measured = _told(took) | {"commit_bytes": size}
    return Measured(measured, BAR, passed=measured["ratio"] <= MOST)


async def terms(rounds: int) -> tuple[dict[str, list[float]], int]:
    """Seconds of every term in the order of the rounds, ``TIMES`` of a bare one in each; bytes of a commit."""
    with tempfile.TemporaryDirectory(prefix="chimera-rt2-") as temporary:
        accounts = Path(temporary) / "accounts.json"
        accounts.write_bytes(msgspec.json.encode([BARE]))
        more = ("--accounts", str(accounts))
        async with stage(Path(temporary), limits=False, more=more) as house, bare_fastapi() as fastapi:
            for service in (house.feed, house.s4):
                await (await service.start()).wait_ready()
            await house.until_open()
            return await asyncio.to_thread(_measured, house, fastapi, rounds)


def _measured(house: Stage, fastapi: str, rounds: int) -> tuple[dict[str, list[float]], int]:
    with ExitStack() as open_:
        s4, venue, floor = (open_.enter_context(wired(each)) for each in (house.s4_url, house.venue_url, fastapi))
        claims = open_.enter_context(closing(Claims(house.redis_address)))
        _enter(s4, _body("first"))
        size = body_size(house.ledger_path("s4"))
        commits = open_.enter_context(closing(Commits(house.folder / "bare.sqlite", size)))
        bare = {
            "venue": lambda side: _order_bare(venue, side),
            "fastapi": lambda _: floor.ask("POST", "/orders", _body("bare")),
            "commit": lambda _: commits.commit(),
            "claim": lambda _: claims.claim(),
        }
        _close(s4)
        took: dict[str, list[float]] = {name: [] for name in ("orders", *bare)}
        for number in range(WARM + rounds):
            time.sleep(PACE_S / 2)
            body = _body(f"bench-{number}")
            took["orders"].append(seconds(lambda body=body: _enter(s4, body)))  # type: ignore[misc]  # B023
            _close(s4)
            time.sleep(PACE_S / 2)
            for turn in range(TIMES):
                for name, act in bare.items():
                    took[name].append(seconds(lambda act=act, turn=turn: act("BUY" if turn % 2 else "SELL")))  # type: ignore[misc]  # B023
    warm = {name: WARM * (1 if name == "orders" else TIMES) for name in took}
    return {name: found[warm[name] :] for name, found in took.items()}, size


def _body(name: str) -> bytes:
    intent = {"intent_id": name, "market": "FUT", "symbol": "BTCUSDT", "side": "BUY", "qty": "0.002"}
    return json.dumps(intent | {"exec_policy": {"type": "MARKET"}}).encode()


def _enter(s4: Wire, body: bytes) -> None:
    status, answer = s4.ask("POST", "/orders", body)
    assert status == 200 and json.loads(answer)["status"] == "FILLED", answer  # noqa: PT018 - one answer


def _close(s4: Wire) -> None:
    status, answer = s4.ask("POST", "/positions/BTCUSDT/close", b"{}")
    while status == 202:
        time.sleep(0.01)
        status, answer = s4.ask("POST", "/positions/BTCUSDT/close", b"{}")
    assert status == 200, answer


def _order_bare(venue: Wire, side: str) -> None:
    order = {"symbol": "BTCUSDT", "side": side, "type": "MARKET", "quantity": "0.002"}
    signed_order(venue, BARE.api_key, BARE.secret, **order)


def _told(took: dict[str, list[float]]) -> dict[str, Any]:
    """Milliseconds."""
    p50 = {name: statistics.median(found) * 1_000 for name, found in took.items()}
    floor = p50["fastapi"] + 2 * p50["commit"] + p50["claim"]
    added = p50["orders"] - p50["venue"]
    return {
        "ratio": round(added / floor, 3),
        "added_p50_ms": round(added, 3),
        "floor_p50_ms": round(floor, 3),
        **{f"{name}_p50_ms": round(value, 3) for name, value in p50.items()},
        **{f"{name}_p95_ms": round(statistics.quantiles(took[name], n=20)[18] * 1_000, 3) for name in took},
        "rounds": len(took["orders"]),
    }
