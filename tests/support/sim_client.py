"""A plain client of a simulator that runs: real HTTP, signed as Binance asks, with nothing of Chimera's own client.

It signs by itself, so that a mistake in Chimera's signing cannot agree with one in the simulator's.
"""

import hmac
import json
import time
from hashlib import sha256
from typing import Any

import aiohttp
from yarl import URL

from chimera.services.simulator.server import SimulatorServer

KEY, SECRET = "chimera-sim-key", "chimera-sim-secret"


def signature_of(query: str) -> str:
    """HMAC-SHA256 of the query as sent, in hex."""
    return hmac.new(SECRET.encode(), query.encode(), sha256).hexdigest()


class SimClient:
    """On the futures port of ``server``, with the account that every simulator has ready."""

    def __init__(self, session: aiohttp.ClientSession, server: SimulatorServer) -> None:
        self.session = session
        self.server = server
        self.base = f"http://127.0.0.1:{server.address[1]}"

    async def signed(self, method: str, path: str, **params: Any) -> tuple[int, Any]:
        query = "&".join(f"{k}={v}" for k, v in (params | {"timestamp": time.time_ns() // 1_000_000}).items())
        return await self.send(method, f"{path}?{query}&signature={signature_of(query)}")

    async def send(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        url = URL(self.base + path, encoded=True)
        async with self.session.request(method, url, headers={"X-MBX-APIKEY": KEY}, **more) as response:
            return response.status, json.loads(await response.read())

    async def listen(self, path: str) -> aiohttp.ClientWebSocketResponse:
        return await self.session.ws_connect(self.base + path)
