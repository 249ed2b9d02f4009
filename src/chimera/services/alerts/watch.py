"""Whether those who would tell of trouble still live: ``GET /health`` of each, every few seconds.

A service that is dead tells nobody. It only asks whether somebody answers; what is wrong there they tell themselves.
A router that stands by is no answer: where none acts nobody puts stops under fills, and none of them would tell. (One
whose gate knows us not says that it is up, and no more.)
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

import structlog

from chimera.client.http import ServiceHttp, read_plain
from chimera.ports.clock import Clock
from chimera.trading.errors import NotSent, OutcomeUnknown, Refused
from chimera.trading.events import Severity

EVERY_S: Final = 5.0
TIMEOUT_MS: Final = 3_000
SILENT: Final = "SERVICE_SILENT"
STANDS_BY: Final = "standby"  # the status of a process that waits for its turn
_SEVERITY: Final = {"s4": Severity.FATAL}  # it alone puts stops under fills

log = structlog.get_logger(__name__)

Raise = Callable[[str, str | None, str, Severity], None]  # code, why, subject, how bad


class Watch:
    """``addresses`` by name; of several one that acts is enough. ``silent_ms``: after so long it is an alert."""

    def __init__(self, addresses: Mapping[str, Sequence[str]], silent_ms: int, clock: Clock, raised: Raise) -> None:
        self._addresses = dict(addresses)
        self._silent_ms = silent_ms
        self._clock = clock
        self._raise = raised
        self._heard_ms = dict.fromkeys(addresses, clock.monotonic_ms())  # a house that starts is given as long
        self._why: dict[str, str] = {}

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for name, addresses in self._addresses.items():
                tasks.create_task(self._keep(name, addresses), name=f"watch {name}")

    async def _keep(self, name: str, addresses: Sequence[str]) -> None:
        async with AsyncExitStack() as opened:
            faces = [ServiceHttp(address, timeout_ms=TIMEOUT_MS) for address in addresses]
            for face in faces:
                opened.push_async_callback(face.close)
            while True:
                await self.look(name, faces)
                await asyncio.sleep(EVERY_S)

    async def look(self, name: str, faces: Sequence[ServiceHttp]) -> None:
        """Once. A refusal is an answer, too."""
        for face in faces:
            try:
                stands_by = _stands_by(await face.get("/health"))
            except (NotSent, OutcomeUnknown) as away:
                self._why[name] = str(away)
                continue
            except Refused:
                stands_by = False
                log.info("watched_refused", name=name)
            if stands_by:
                self._why[name] = "whoever answers stands by, and nobody acts"
                continue
            self._heard_ms[name] = self._clock.monotonic_ms()
            self._why.pop(name, None)
            break
        silent_ms = self._clock.monotonic_ms() - self._heard_ms[name]
        why = None
        if silent_ms >= self._silent_ms:
            why = f"{name} has been silent for {silent_ms // 1000} s: {self._why.get(name, '')}".rstrip(": ")
        self._raise(SILENT, why, name, _SEVERITY.get(name, Severity.ERROR))

    def shown(self) -> dict[str, Any]:
        """For ``/health``."""
        now_ms = self._clock.monotonic_ms()
        return {
            name: {"up": name not in self._why, "silent_ms": now_ms - heard_ms if name in self._why else 0}
            for name, heard_ms in self._heard_ms.items()
        }


def _stands_by(answer: bytes) -> bool:
    try:
        return bool(read_plain(answer).get("status") == STANDS_BY)
    except OutcomeUnknown:  # not in the form of ours, and an answer all the same
        return False
