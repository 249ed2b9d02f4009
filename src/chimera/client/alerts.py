"""The client of the alerts: what stands, and the few deeds on it."""

from typing import Any

import aiohttp

from chimera.client.credentials import Credentials
from chimera.client.http import TIMEOUT_MS, ServiceHttp, read_plain

TEST_MS = 15_000  # a receiver may take ten seconds


class AlertsClient:
    """Every method raises ``Refused``, ``NotSent`` or ``OutcomeUnknown``."""

    def __init__(
        self,
        base_url: str,
        *,
        timeout_ms: int = TIMEOUT_MS,
        session: aiohttp.ClientSession | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        self._http = ServiceHttp(base_url, timeout_ms=timeout_ms, session=session, credentials=credentials)

    async def __aenter__(self) -> "AlertsClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close_session()

    async def close_session(self) -> None:
        await self._http.close()

    async def alerts(self, state: str = "standing", newest: int = 100) -> dict[str, Any]:
        """``alerts``, their ``counts``, and the ``worst`` that stands."""
        return read_plain(await self._http.get(f"/alerts?state={state}&newest={newest}"))

    async def alert(self, name: str) -> dict[str, Any]:
        return read_plain(await self._http.get(f"/alerts/{name}"))

    async def acknowledge(self, name: str, *, by: str = "", note: str = "") -> dict[str, Any]:
        """May be asked again: the first word stays."""
        return read_plain(await self._http.post(f"/alerts/{name}/ack", {"by": by, "note": note}))

    async def resolve(self, name: str, *, by: str = "", note: str = "", force: bool = False) -> dict[str, Any]:
        """May be asked again: the first word stays."""
        return read_plain(await self._http.post(f"/alerts/{name}/resolve", {"by": by, "note": note, "force": force}))

    async def test(self) -> dict[str, Any]:
        """A message to every channel; what each receiver said."""
        return read_plain(await self._http.post("/alerts/test", {}))

    async def health(self) -> dict[str, Any]:
        return read_plain(await self._http.get("/health"))

    async def ready(self) -> bool:
        return bool(read_plain(await self._http.call("GET", "/ready", accept=(503,))).get("ready"))
