"""The client of S3's configuration: bundles, the active revision, a candidate on trial. Answers are plain documents."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from chimera.client.http import in_path, read_plain
from chimera.client.service import ServiceClient

LONG_MS: Final = 60_000  # ten thousand rules are linted and written

Document = dict[str, Any]


class BundleClient(ServiceClient):
    """Making a bundle may safely be repeated."""

    usual_ms = LONG_MS

    async def lint(self, bundle: Mapping[str, Any]) -> Document:
        return await self._post("/bundles/lint", bundle)

    async def create(self, bundle: Mapping[str, Any], *, who: str, why: str) -> Document:
        return await self._post("/bundles", {**bundle, "who": who, "why": why})

    async def bundles(self, newest: int) -> Document:
        return await self._get(f"/bundles?newest={newest}")

    async def show(self, bundle_id: str) -> Document:
        return await self._get(f"/bundles/{in_path(bundle_id)}")

    async def diff(self, first: str, second: str) -> Document:
        return await self._get(f"/bundles/{in_path(first)}/diff/{in_path(second)}")

    async def standing(self) -> Document:
        return await self._get("/config")

    async def history(self, newest: int) -> Document:
        return await self._get(f"/config/history?newest={newest}")

    async def activate(self, bundle_id: str, *, who: str, why: str) -> Document:
        return await self._post("/config/activate", {"bundle_id": bundle_id, "who": who, "why": why})

    async def roll_back(self, *, who: str, why: str, to_rev: int | None = None) -> Document:
        back = {} if to_rev is None else {"to_rev": to_rev}
        return await self._post("/config/rollback", {"who": who, "why": why, **back})

    async def begin_trial(
        self, bundle_id: str, *, who: str, why: str, share: Decimal, limit: Mapping[str, Any] | None = None
    ) -> Document:
        """``share`` 0 is a shadow. ``limit``: ``{metric, most, after?}``."""
        body = {"bundle_id": bundle_id, "who": who, "why": why, "share": share}
        return await self._post("/config/trial", body if limit is None else {**body, "limit": limit})

    async def end_trial(self, *, who: str, why: str) -> Document:
        return await self._post("/config/trial/end", {"who": who, "why": why})

    async def differences(self, newest: int, trial: int | None = None) -> Document:
        of_one = "" if trial is None else f"&trial={trial}"
        return await self._get(f"/config/differences?newest={newest}{of_one}")

    async def _get(self, path: str) -> Document:
        return read_plain(await self._http.get(path))

    async def _post(self, path: str, body: Mapping[str, Any]) -> Document:
        return read_plain(await self._http.post(path, body))
