"""What the clients of all services have in common: how they are opened and closed, and whether the service lives."""

from collections.abc import Callable
from typing import Any, ClassVar, Self

import aiohttp

from chimera.client.credentials import Credentials
from chimera.client.http import TIMEOUT_MS, Http, ServiceHttp, read_plain


class ServiceClient:
    """``async with`` it, or close it yourself. Every method raises ``Refused``, ``NotSent`` or ``OutcomeUnknown``."""

    reached_by: ClassVar[Callable[..., Http]] = ServiceHttp
    usual_ms: ClassVar[int] = TIMEOUT_MS

    def __init__(
        self,
        base_url: str,
        *,
        timeout_ms: int | None = None,
        session: aiohttp.ClientSession | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        """``timeout_ms`` of one call, None: as long as its answers usually take."""
        self._http = self.reached_by(
            base_url,
            timeout_ms=self.usual_ms if timeout_ms is None else timeout_ms,
            session=session,
            credentials=credentials,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close_session()

    async def close_session(self) -> None:
        await self._http.close()

    async def health(self) -> dict[str, Any]:
        return read_plain(await self._http.get("/health"))

    async def ready(self) -> bool:
        return bool(read_plain(await self._http.call("GET", "/ready", accept=(503,), again=True)).get("ready"))
