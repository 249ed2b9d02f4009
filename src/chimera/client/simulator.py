"""The client of the simulator's control API: its market and its faults. It is not Binance's, and needs no key."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

import aiohttp

from chimera.trading.errors import NotSent, OutcomeUnknown, Refused

TIMEOUT_S: Final = 5


class SimulatorClient:
    """Every method raises ``Refused`` with the simulator's words, ``NotSent`` or ``OutcomeUnknown``."""

    def __init__(self, base_url: str) -> None:
        self._base = base_url.rstrip("/")

    async def market(self) -> dict[str, Any]:
        return await self._ask("GET", "/sim/market")

    async def run_market(self, change: Mapping[str, Any]) -> dict[str, Any]:
        return await self._ask("POST", "/sim/market", change)

    async def faults(self) -> dict[str, Any]:
        """The catalogue, and what is armed."""
        return await self._ask("GET", "/sim/faults")

    async def arm(self, fault: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple((await self._ask("POST", "/sim/faults", fault))["ids"])

    async def clear(self, fault_id: str | None = None) -> tuple[str, ...]:
        path = "/sim/faults" if fault_id is None else f"/sim/faults?id={quote(fault_id, safe='')}"
        return tuple((await self._ask("DELETE", path))["cleared"])

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        wait = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=wait) as session:
            try:
                async with session.request(method, self._base + path, json=body) as answer:
                    status, told = answer.status, await answer.json(content_type=None)
            except aiohttp.ClientConnectorError as error:
                raise NotSent(f"no simulator answers at {self._base} ({error.strerror or error})") from error
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                raise OutcomeUnknown(f"{method} {path} at {self._base}: {error!r}") from error
        if not isinstance(told, dict):
            raise OutcomeUnknown(f"{method} {path}: the answer is no JSON object")
        if status != HTTPStatus.OK:
            about = {name: told.get(name) for name in ("field", "value", "accepted")}
            raise Refused("SIMULATOR", str(told.get("msg")), **about)
        return told
