"""The client of what S3 decided and why: traces, what would have changed one, replays, blockers. Plain documents."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from chimera.client.http import in_path, read_plain
from chimera.client.service import ServiceClient

LONG_MS: Final = 60_000  # a large bundle is compiled, five hundred decisions are made anew

Document = dict[str, Any]


class ExplainClient(ServiceClient):
    """Looking: nothing here changes anything."""

    usual_ms = LONG_MS

    async def decisions(self, asked: Mapping[str, object]) -> Document:
        """A page, newest first: ``{decisions, cursor}``. ``asked``: symbol, outcome, since, until, limit, cursor."""
        return await self._get("/decisions", {"limit": 50, **asked})

    async def decision(self, signal_id: str) -> Document:
        return await self._get(f"/decisions/{in_path(signal_id)}")

    async def needed(self, signal_id: str) -> Document:
        return await self._get(f"/decisions/{in_path(signal_id)}/needed")

    async def fixture(self, signal_id: str) -> bytes:
        """A file that decides it again, as it is."""
        return await self._http.get(f"/decisions/{in_path(signal_id)}/fixture")

    async def skips(self, asked: Mapping[str, object]) -> Document:
        """A page, newest first, by hour. ``asked``: symbol, since, until, limit, cursor."""
        return await self._get("/skips", asked)

    async def replay(self, bundle_id: str, asked: Mapping[str, object]) -> Document:
        """A page, oldest first. ``asked``: symbol, since, until, limit, cursor."""
        return await self._get(f"/bundles/{in_path(bundle_id)}/replay", asked)

    async def blockers(self, symbol: str | None = None) -> Document:
        return await self._get("/blockers", {"symbol": symbol})

    async def what_if(self, wishes: Mapping[str, object]) -> Document:
        """A dry run with what would have to change."""
        given = {name: value for name, value in wishes.items() if value is not None}
        return read_plain(await self._http.post("/decide", {**given, "dry_run": True, "explain": True}))

    async def _get(self, path: str, asked: Mapping[str, object] | None = None) -> Document:
        query = urlencode({name: value for name, value in (asked or {}).items() if value is not None})
        return read_plain(await self._http.get(f"{path}?{query}" if query else path))
