"""What the parts of an order cost on their own, here and now: one blocking client, no HTTP library, no pool.

The floor that RT-2 adds up: a POST to a FastAPI application that does nothing, a signed order to the venue, a row
committed with a sync, a key claimed in Redis. Seconds by ``time.perf_counter``.
"""

import asyncio
import hashlib
import hmac
import json
import socket
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response

from chimera.adapters.embedded import schema
from chimera.services import serving
from proofs.real import ROOT

_ANSWER: Final = json.dumps({"result": "OK", "status": "FILLED", "text": "x" * 1_400}).encode()


class Wire:
    """One kept-alive HTTP/1.1 connection."""

    def __init__(self, address: str) -> None:
        at = urlsplit(address)
        assert at.hostname is not None
        assert at.port is not None
        self._host = f"{at.hostname}:{at.port}"
        self._socket = socket.create_connection((at.hostname, at.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""

    def ask(self, method: str, target: str, body: bytes = b"", head: str = "") -> tuple[int, bytes]:
        """Status and body. ``head``: more header lines, each with its end."""
        lines = f"{method} {target} HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/json\r\n{head}"
        self._socket.sendall(f"{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        while b"\r\n\r\n" not in self._rest:
            self._rest += self._more()
        told, _, self._rest = self._rest.partition(b"\r\n\r\n")
        length = int(next(line for line in told.lower().split(b"\r\n") if line.startswith(b"content-length"))[15:])
        while len(self._rest) < length:
            self._rest += self._more()
        answer, self._rest = self._rest[:length], self._rest[length:]
        return int(told[9:12]), answer

    def _more(self) -> bytes:
        got = self._socket.recv(65_536)
        if not got:
            raise ConnectionError(f"{self._host} hung up")
        return got

    def close(self) -> None:
        self._socket.close()


@contextmanager
def wired(address: str) -> Iterator[Wire]:
    wire = Wire(address)
    try:
        yield wire
    finally:
        wire.close()


def seconds(act: Callable[[], object]) -> float:
    """How long it took."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def signed_order(wire: Wire, key: str, secret: str, **order: object) -> bytes:
    """A futures order built, signed, sent and answered."""
    query = "&".join(f"{name}={value}" for name, value in order.items())
    query += f"&newOrderRespType=RESULT&timestamp={time.time_ns() // 1_000_000}"
    sign = hmac.new(secret.encode(), query.encode(), hashlib.sha256).hexdigest()
    status, body = wire.ask("POST", f"/fapi/v1/order?{query}&signature={sign}", head=f"X-MBX-APIKEY: {key}\r\n")
    assert status == 200, body
    return body


class Commits:
    """Rows of ``size`` bytes, one to a transaction, synced as the ledger's are: same pragmas, same disk."""

    def __init__(self, path: Path, size: int) -> None:
        self._db = schema.connect_writer(path)
        self._db.execute("PRAGMA synchronous = FULL")
        self._body = "x" * size
        self._rev = 0

    def commit(self) -> None:
        """Once over the row, on the disk."""
        self._rev += 1
        self._db.execute("BEGIN IMMEDIATE")
        self._db.execute(
            "INSERT INTO holdings VALUES ('bare', 1, 'bare', ?, ?)"
            " ON CONFLICT (key) DO UPDATE SET rev = excluded.rev, body = excluded.body",
            (self._rev, self._body),
        )
        self._db.execute("COMMIT")

    def close(self) -> None:
        self._db.close()


def body_size(ledger: Path) -> int:
    """Bytes of the largest holding in a ledger that is in use."""
    with sqlite3.connect(f"file:{ledger}?mode=ro", uri=True, timeout=10) as db:
        size = int(db.execute("SELECT max(length(body)) FROM holdings").fetchone()[0])
    db.close()
    return size


class Claims:
    """``SET key token NX PX`` on a unix socket."""

    def __init__(self, unix_address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(unix_address.removeprefix("unix:"))
        self._number = 0

    def claim(self) -> None:
        self._number += 1
        words = ("SET", f"bare:{self._number}", "token", "NX", "PX", "60000")
        told = "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
        self._socket.sendall(f"*{len(words)}\r\n{told}".encode())
        answer = self._socket.recv(64)
        assert answer == b"+OK\r\n", answer

    def close(self) -> None:
        self._socket.close()


# ── the application that does nothing ──


@asynccontextmanager
async def bare_fastapi() -> AsyncIterator[str]:
    """Its address. A process of its own, served as our services are."""
    command = (sys.executable, "-m", "proofs.bare")
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd=ROOT)
    try:
        assert process.stdout is not None
        yield str(json.loads(await process.stdout.readline())["address"])
    finally:
        process.terminate()
        await process.wait()


def _app() -> FastAPI:
    app = FastAPI(docs_url=None, redoc_url=None)

    @app.post("/orders")
    async def submit(request: Request) -> Response:
        await request.body()
        return Response(_ANSWER, media_type="application/json")

    return app


async def _serve() -> None:
    def ready(address: str) -> None:
        serving.say_ready("bare", address=address)

    async def nothing() -> None:
        await asyncio.Event().wait()

    stop: Any = serving.told_to_stop()
    await serving.serve_app(_app(), serving.listen("bare", "127.0.0.1", 0), nothing(), stop=stop, ready=ready)


if __name__ == "__main__":
    serving.run(_serve)
