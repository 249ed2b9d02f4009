"""The client of the alerts: what stands, and the few deeds on it."""

from typing import Any

from chimera.client.http import read_plain
from chimera.client.service import ServiceClient

TEST_MS = 15_000  # a receiver may take ten seconds


class AlertsClient(ServiceClient):
    """What stands, acknowledging and resolving it, and a test of the channels."""

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
