"""How long a signed MARKET order takes over HTTP on the loopback, from another process; beside it a bare echo.

The order: built, signed, sent on a kept-alive connection, answered with its fill. The echo is the same request to an
aiohttp server that answers with a constant: the floor that the transport alone sets here and now. Both are measured in
turns, by one blocking client without an HTTP library.

Run: ``python tests/bench/bench_http.py [ORDERS]``. Prints, asserts nothing; ``measure`` is for the proof.
"""

import hashlib
import hmac
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

ROOT: Final = Path(__file__).resolve().parents[2]
KEY, SECRET = "chimera-sim-key", b"chimera-sim-secret"
ORDERS: Final = 2_000
WARM: Final = 200
TURN: Final = 100  # orders, then as many echoes
READY_S: Final = 30.0
_ECHO: Final = """
import asyncio
from aiohttp import web
async def main():
    async def answer(request):
        await request.read()
        return web.Response(body=b"{}" * 300, content_type="application/json")
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print('{"address": "http://127.0.0.1:%d"}' % runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


class Wire:
    """One kept-alive HTTP/1.1 connection."""

    def __init__(self, address: str) -> None:
        at = urlsplit(address)
        assert at.hostname is not None and at.port is not None  # noqa: PT018  # as they were printed
        self.host = f"{at.hostname}:{at.port}"
        self._socket = socket.create_connection((at.hostname, at.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""

    def post(self, target: str) -> bytes:
        """The body of the answer."""
        head = f"POST {target} HTTP/1.1\r\nHost: {self.host}\r\nX-MBX-APIKEY: {KEY}\r\nContent-Length: 0\r\n\r\n"
        self._socket.sendall(head.encode())
        while b"\r\n\r\n" not in self._rest:
            self._rest += self._socket.recv(65_536)
        told, _, self._rest = self._rest.partition(b"\r\n\r\n")
        length = int(next(line for line in told.lower().split(b"\r\n") if line.startswith(b"content-length"))[15:])
        while len(self._rest) < length:
            self._rest += self._socket.recv(65_536)
        body, self._rest = self._rest[:length], self._rest[length:]
        return body

    def close(self) -> None:
        self._socket.close()


def an_order(number: int) -> str:
    """Buy and sell in turn, so that no position grows."""
    side = "SELL" if number % 2 else "BUY"
    query = (
        f"symbol=BTCUSDT&side={side}&type=MARKET&quantity=0.001&newClientOrderId=h{number}&newOrderRespType=RESULT"
        f"&timestamp={time.time_ns() // 1_000_000}"
    )
    return f"/fapi/v1/order?{query}&signature={hmac.new(SECRET, query.encode(), hashlib.sha256).hexdigest()}"


def measure(orders: int = ORDERS) -> dict[str, Any]:
    """Milliseconds at the median, and how many orders filled."""
    sim = [sys.executable, "-m", "chimera.cli.main", "sim", "--port", "0", "--markets", "fut", "--no-limits"]
    with running(sim) as venue, running([sys.executable, "-c", _ECHO]) as echo:
        at, floor = Wire(venue), Wire(echo)
        try:
            return _measured(at, floor, orders)
        finally:
            at.close()
            floor.close()


def _measured(at: Wire, floor: Wire, orders: int) -> dict[str, Any]:
    took: list[float] = []
    echoed: list[float] = []
    filled = 0
    for number in range(WARM + orders):
        began = time.perf_counter()
        body = at.post(an_order(number))
        took.append(time.perf_counter() - began)
        filled += b'"status":"FILLED"' in body
        if number % TURN == 0:
            for _ in range(TURN):
                target = an_order(number)
                began = time.perf_counter()
                floor.post(target)
                echoed.append(time.perf_counter() - began)
    order, bare = (statistics.median(found[WARM:]) * 1_000 for found in (took, echoed))
    return {
        "order_p50_ms": round(order, 3),
        "order_p99_ms": round(statistics.quantiles(took[WARM:], n=100)[98] * 1_000, 3),
        "echo_p50_ms": round(bare, 3),
        "ratio": round(order / bare, 2),
        "orders": orders,
        "filled": filled - WARM,
    }


@contextmanager
def running(command: list[str]) -> Iterator[str]:
    """A server as a process of its own; its address, from the line it prints once it answers."""
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        yield str(json.loads(process.stdout.readline())["address"])
    finally:
        process.terminate()
        process.wait(READY_S)


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]) if len(sys.argv) > 1 else ORDERS)))
