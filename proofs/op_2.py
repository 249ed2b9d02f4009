"""OP-2: each role at each endpoint; forged, replayed, expired and oversized requests; every face fuzzed; the canary.

Real processes over HTTP (``guarded``). S3's and S4's operations are fuzzed by DE-3 from the schemas that they publish;
here are the console, the alerts, the feed and the simulator's control (``fuzz_faces``). Every secret is drawn for this
run, and is looked for at its end in all that was answered, logged and kept.
"""

import asyncio
import secrets
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final

import aiohttp

from chimera.adapters.embedded.server import free_port
from chimera.services.access.gate import BODY_MOST
from chimera.services.access.table import ENDPOINTS, KEYS, ROLES, Endpoint, Role
from chimera.services.service import Service
from chimera.trading.money import Millis
from chimera.wire.signed import WINDOW_MS, sign
from proofs.fuzz_faces import Face
from proofs.guarded import Guarded, guarded
from proofs.measured import Measured
from proofs.real import Stage

BAR: Final = (
    "each role at each endpoint answered as the table says; every forged, replayed, expired or oversized request"
    " refused and nothing done; 2000 examples of each operation of console, alerts, feed and simulator's control below"
    " 500; no canary shown"
)
EXAMPLES: Final = 2_000
FIXED: Final = 20_261_122
OWN: Final = {"Origin": "", "X-Chimera-Console": "1"}
UNKNOWN: Final = (401, 429)  # 429: too many wrong tokens from one address
FEED: Final = (("GET", "/health"), ("GET", "/metrics"))
CONTROL: Final = (
    ("POST", "/sim/accounts"), ("POST", "/sim/keys"), ("DELETE", "/sim/keys"), ("GET", "/sim/state"),
    ("GET", "/sim/audit"), ("GET", "/sim/market"), ("POST", "/sim/market"), ("POST", "/sim/adl"),
    ("GET", "/sim/faults"), ("POST", "/sim/faults"), ("DELETE", "/sim/faults"), ("POST", "/sim/scenario"),
)  # fmt: skip


def prove(examples: int = EXAMPLES) -> Measured:
    measured = asyncio.run(tried(examples, FIXED))
    return Measured(measured, BAR, passed=stands(measured, examples), seed=FIXED)


def stands(measured: Mapping[str, Any], examples: int) -> bool:
    clean = not any(measured[name] for name in ("wrong", "taken", "found", "shown", "done"))
    return clean and bool(measured["fewest_examples"] >= examples)


async def tried(examples: int, number: int) -> dict[str, Any]:
    """Everything, in one house."""
    with tempfile.TemporaryDirectory(prefix="chimera-op2-") as folder:
        async with guarded(Path(folder)) as doors:
            by_role, wrong = await roles(doors)
            taken, refused_as = await attacked(doors)
            faces = await asyncio.to_thread(_fuzzed, doors, examples, number)
            faces |= {"sim": await _control(doors.house, examples, number)}
            done = await _done(doors)
            await asyncio.gather(*(each.stop() for each in doors.running))
            doors.heard += [line for face in faces.values() for line in face.heard]
            shown = doors.shown()
    counts = {f"{name} {operation}": tally for name, face in faces.items() for operation, tally in face.tally.items()}
    return {
        "asked_by_role": dict(by_role), "wrong": wrong[:20], "refused_as": dict(refused_as), "taken": taken,
        "operations": len(counts), "fewest_examples": min(sum(tally.values()) for tally in counts.values()),
        "by_operation": {name: dict(sorted(tally.items())) for name, tally in counts.items()},
        "found": [f"{what}: {told}" for face in faces.values() for what, told in face.found.items()][:20],
        "canaries": len(doors.canaries), "shown": shown[:20], "done": done,
    }  # fmt: skip


# ── each role at each endpoint ──


async def roles(doors: Guarded) -> tuple[Counter[str], list[str]]:
    """How often each asked; what was answered otherwise than the table says. No body asks for anything."""
    asked: Counter[str] = Counter()
    wrong: list[str] = []
    for endpoint in ENDPOINTS:
        for name in ("nobody", *ROLES, "s3", "late", "gone", "forged"):
            status = await _status(doors, endpoint, name)
            asked[name] += 1
            if not fits(endpoint, name, status):
                wrong.append(f"{endpoint.service} {endpoint.method} {endpoint.path} asked by {name}: {status}")
    return asked, wrong


def fits(endpoint: Endpoint, name: str, status: int) -> bool:
    """Whether this status is one that the table of endpoints allows whoever asks."""
    if status == 500:
        return False
    if endpoint.least is Role.NOBODY:
        return status not in (403, 429) and (status != 401 or endpoint.path == "/login")
    at_page = endpoint.service is Service.CONSOLE and endpoint.method == "GET" and status == 303
    if name in ROLES:
        return (status == 403) is (ROLES[name] < endpoint.least) and status not in UNKNOWN
    if name == "s3":
        may = (endpoint.service, endpoint.method, endpoint.path) in KEYS["s3"]
        return (status == 403) is not may and status not in UNKNOWN
    return status in UNKNOWN or at_page


async def _status(doors: Guarded, endpoint: Endpoint, name: str) -> int:
    url = doors.url(endpoint.service)
    headers = {} if name == "nobody" else {"Authorization": f"Bearer chm_{secrets.token_urlsafe(32)}"}
    if name in doors.tokens:
        headers = doors.bearer(name)
    if endpoint.service is Service.CONSOLE and endpoint.method == "POST":
        headers |= OWN | {"Origin": url}
    body = b"{}" if endpoint.method == "POST" else None
    return (await doors.ask(endpoint.method, url + _path(endpoint), body, headers)).status


def _path(endpoint: Endpoint) -> str:
    parts = endpoint.path.split("/")
    return "/".join("x" if part.startswith("{") else part for part in parts)


# ── requests that nobody may make ──


async def attacked(doors: Guarded) -> tuple[list[str], Counter[str]]:
    """What was taken although it should not have been, and the codes of the refusals."""
    taken: list[str] = []
    codes: Counter[str] = Counter()
    async for what, answer_code, wanted in _attacks(doors):
        codes[answer_code] += 1
        if answer_code not in wanted:
            taken.append(f"{what}: {answer_code}, not {' or '.join(wanted)}")
    return taken, codes


async def _attacks(doors: Guarded) -> AsyncIterator[tuple[str, str, tuple[str, ...]]]:
    """Each with the code it was answered with and those that would be right. The orders are whole, but for who asks."""
    s4 = doors.house.s4_url
    order = b'{"symbol":"BTCUSDT","side":"BUY","qty":"0.003","client_order_id":"attack-%d","sl":{"price":"1"}}'
    now_ms = time.time_ns() // 1_000_000

    def signed(body: bytes, at_ms: int = 0, **other: Any) -> dict[str, str]:
        how: dict[str, Any] = {"key": doors.signing, "name": "signer", "method": "POST", "target": "/orders"} | other
        made = sign(
            how["key"], how["name"], how["method"], how["target"], body, now_ms=Millis(now_ms + at_ms),
            nonce=secrets.token_hex(16),
        )  # fmt: skip
        return {"Authorization": made.header()}

    async def code(headers: Mapping[str, str], body: bytes, url: str = f"{s4}/orders") -> str:
        answer = await doors.ask("POST", url, body, headers)
        return answer.code or str(answer.status)

    good = signed(b"{}")
    yield "signed, of no order", await code(good, b"{}"), ("MISSING_FIELD",)
    yield "replayed", await code(good, b"{}"), ("SIGNATURE_REPLAYED",)
    for number, (what, headers, body, wanted) in enumerate((
        ("forged key", signed(order % 0, key=secrets.token_bytes(32)), order % 0, "SIGNATURE_WRONG"),
        ("another's name", signed(order % 1, name="admin"), order % 1, "SIGNATURE_WRONG"),
        ("another body", signed(order % 2), order % 3, "SIGNATURE_WRONG"),
        ("another path", signed(order % 4, target="/kill"), order % 4, "SIGNATURE_WRONG"),
        ("another method", signed(order % 5, method="GET"), order % 5, "SIGNATURE_WRONG"),
        ("too late", signed(order % 6, -WINDOW_MS - 2_000), order % 6, "SIGNATURE_EXPIRED"),
        ("too early", signed(order % 7, WINDOW_MS + 5_000), order % 7, "SIGNATURE_EARLY"),
        ("no signature", {"Authorization": "Chimera-HMAC x"}, order % 8, "SIGNATURE_MALFORMED"),
        ("nobody", {}, order % 9, "TOKEN_NEEDED"),
        ("a guess", {"Authorization": f"Bearer chm_{secrets.token_urlsafe(32)}"}, order % 10, "TOKEN_WRONG"),
        ("revoked", doors.bearer("gone"), order % 11, "TOKEN_WRONG"),
        ("expired", doors.bearer("late"), order % 12, "TOKEN_EXPIRED"),
        ("a reader", doors.bearer("read"), order % 13, "ROLE_TOO_LOW"),
        ("a web page", doors.bearer("trade") | {"Origin": "http://evil.example"}, order % 14, "CROSS_ORIGIN"),
    )):  # fmt: skip
        if number % 4 == 3:
            await asyncio.sleep(1.0)  # ten wrong tokens in two seconds are too many
        yield what, await code(headers, body), (wanted, "TOO_MANY_REQUESTS")
    huge = b'{"symbol":"' + b"x" * (BODY_MOST + 1) + b'"}'
    for kind in (Service.S3, Service.S4):
        path = "/decide" if kind is Service.S3 else "/orders"
        yield f"oversized at {kind}", await code(doors.bearer("trade"), huge, doors.url(kind) + path), ("TOO_LARGE",)
        yield f"oversized and chunked at {kind}", await _chunked(doors, doors.url(kind) + path), ("TOO_LARGE", "broken")
        deep = b"[" * 20_000
        yield f"deep at {kind}", await code(doors.bearer("trade"), deep, doors.url(kind) + path), ("MALFORMED",)
    yield "oversized header", await _long_header(doors), ("400", "broken")


async def _chunked(doors: Guarded, url: str) -> str:
    """A body that does not say how long it is."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(BODY_MOST // 65_536 + 2):
            yield b"x" * 65_536

    try:
        async with doors.house.http.post(url, data=chunks(), headers=doors.bearer("trade")) as answer:
            told = await answer.json()
            return str(told.get("code"))
    except aiohttp.ClientError:
        return "broken"


async def _long_header(doors: Guarded) -> str:
    try:
        return str((await doors.ask("GET", f"{doors.house.s4_url}/ready", headers={"X-Long": "x" * 200_000})).status)
    except aiohttp.ClientError:
        return "broken"


async def _done(doors: Guarded) -> list[str]:
    """What came of all this at the venue, or stands in S4: nothing."""
    entries = [f"the venue took {record.client_order_id}" for record in doors.house.audit() if record.kind == "ACCEPT"]
    killed = await doors.ask("GET", f"{doors.house.s4_url}/killed", headers=doors.bearer("admin"))
    return entries + ([] if '"kills":[]' in killed.text.replace(" ", "") else [f"killed: {killed.text[:200]}"])


# ── faces ──


def _fuzzed(doors: Guarded, examples: int, number: int) -> dict[str, Face]:
    """The console by somebody who may trade, the alerts by an operator; the feed by anybody."""
    rows = {kind: [(row.method, row.path) for row in ENDPOINTS if row.service is kind] for kind in Service}
    url = doors.url(Service.CONSOLE)
    faces = {
        "console": Face(url, rows[Service.CONSOLE], doors.bearer("trade") | OWN | {"Origin": url}),
        "alerts": Face(doors.url(Service.ALERTS), rows[Service.ALERTS], doors.bearer("operate")),
        "feed": Face(doors.url(Service.FEED), FEED, {}),
    }
    for face in faces.values():
        face.run(examples, number)
    return faces


async def _control(house: Stage, examples: int, number: int) -> Face:
    """A venue of its own: it is set up, stopped and given faults on the way."""
    port, spot = free_port(), free_port()
    words = ["sim", "--port", str(port), "--spot-port", str(spot), "--markets", "both", "--symbols", "BTCUSDT"]
    venue = house.service(words, {})
    await (await venue.start()).wait_ready()
    face = Face(f"http://127.0.0.1:{port}", CONTROL, {})
    try:
        await asyncio.to_thread(face.run, examples, number)
    finally:
        await venue.stop()
    return face
