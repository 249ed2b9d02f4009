"""Calls to whichever of several processes of a service acts just now: S4's routers of one account.

Who acts is asked of all of them at once, by ``GET /health``, which changes nothing; a request goes to one. It goes to
another only where the first has done nothing with it (it stands by, nobody listens there), or where asked twice it
means the same (``again``). An unknown outcome stays one until that same request is answered, whoever refuses it
meanwhile. A stand-by's word on who acts is followed once, and to no address but those given. While nobody acts it
waits, for as long as the call may take: a successor needs some seconds.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

import aiohttp

from chimera.client.credentials import Credentials
from chimera.client.http import TIMEOUT_MS, Gone, Http, ServiceHttp, StandsBy, Unreached, read_plain
from chimera.trading.errors import ChimeraError, NotSent, Refused
from chimera.wire.failures import STANDBY, status_of

LOOK_MS: Final = 1_000  # one that is frozen takes the connection and never answers
EVERY_MS: Final = 100
PROBES: Final = ("/health", "/ready")  # who stands by has an answer of its own to these, which nobody wants here


def service_at(
    addresses: str,
    *,
    timeout_ms: int = TIMEOUT_MS,
    session: aiohttp.ClientSession | None = None,
    credentials: Credentials | None = None,
) -> Http:
    """``addresses``: one, or with commas those of all the processes of which one acts."""
    each = {
        address.strip(): ServiceHttp(address.strip(), timeout_ms=timeout_ms, session=session, credentials=credentials)
        for address in addresses.split(",")
    }
    return ActingHttp(each, timeout_ms) if len(each) > 1 else each.popitem()[1]


class ActingHttp(Http):
    """``each`` by its address; ``timeout_ms`` is of a whole call, whoever is asked in it."""

    def __init__(self, each: Mapping[str, ServiceHttp], timeout_ms: int) -> None:
        self._each = {address.rstrip("/"): http for address, http in each.items()}
        self._timeout_ms = timeout_ms
        self._acting: ServiceHttp | None = None  # as far as the last call knows

    async def close(self) -> None:
        for http in self._each.values():
            await http.close()

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        accept: tuple[int, ...] = (),
        again: bool = False,
    ) -> bytes:
        until_s = time.monotonic() + self._timeout_ms / 1000
        believed = None if path in PROBES else self._acting
        unknown: Gone | None = None
        followed = False
        try:
            while True:
                acting = believed or await self._found(until_s)
                believed = None
                try:
                    answer = await acting.call(
                        method, path, body=body, headers=headers, accept=accept, within_ms=max(_left_ms(until_s), 1)
                    )
                except Gone as gone:
                    self._forget(acting)
                    if not again:
                        raise
                    unknown = gone
                except (StandsBy, Unreached) as no:
                    self._forget(acting)
                    if not _left_ms(until_s):
                        raise
                    if isinstance(no, StandsBy) and not followed:
                        believed = self._each.get(no.at.rstrip("/"))
                    followed = believed is not None
                else:
                    self._acting = acting
                    return answer
        except (NotSent, Refused) as no:
            if unknown is not None and _says_nothing(no):
                raise unknown from no
            raise

    def _forget(self, acting: ServiceHttp) -> None:
        if self._acting is acting:
            self._acting = None

    async def _found(self, until_s: float) -> ServiceHttp:
        """Who acts. Raises ``Unreached`` where nobody listens at all, ``StandsBy`` where nobody has acted in time."""
        away = ""
        while (left_ms := _left_ms(until_s)) > 0:
            acting, others = await self._look(min(LOOK_MS, left_ms))
            if acting is not None:
                return acting
            if all(isinstance(other, Unreached) for other in others):
                raise Unreached("; ".join(map(str, others)))
            away = "".join(f"; {other}" for other in others if other is not None)
            await asyncio.sleep(min(EVERY_MS, left_ms) / 1000)
        raise StandsBy(f"{STANDBY}: no router acts for this account just now{away}")

    async def _look(self, within_ms: int) -> tuple[ServiceHttp | None, list[ChimeraError | None]]:
        """The first that says that it acts; else what came of the others, None of each that stands by."""
        asking = {asyncio.create_task(_acts(http, within_ms)): http for http in self._each.values()}
        waiting = set(asking)
        others: list[ChimeraError | None] = []
        try:
            while waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    told = task.result()
                    if told is True:
                        return asking[task], []
                    others.append(told or None)
            return None, others
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)


async def _acts(http: ServiceHttp, within_ms: int) -> bool | ChimeraError:
    """Whether it says so, or why it says nothing. A gate that hides its health from us does not say no."""
    try:
        return read_plain(await http.call("GET", "/health", within_ms=within_ms)).get("status") != "standby"
    except ChimeraError as error:
        return error


def _says_nothing(no: NotSent | Refused) -> bool:
    """Of a request that another may have begun: that it was not started here, or that we may not ask here."""
    return isinstance(no, NotSent) or status_of(no.code) in (401, 403)


def _left_ms(until_s: float) -> int:
    return max(round((until_s - time.monotonic()) * 1000), 0)
