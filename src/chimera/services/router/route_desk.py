"""The route table as an operator changes it while we run: its revisions, what is proposed, approving, going back.

``chimera route fit`` proposes; a change here is the one that ``chimera route approve`` makes, on the same files, and is
in every plan from then on. The files are read and written beside the loop. One change at a time.
"""

import asyncio
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from chimera.learn.revisions import Log, WrongRevision, approve, roll_back
from chimera.ports.clock import Clock
from chimera.ports.streams import Snapshots
from chimera.services import route_files
from chimera.services.router.routing import Routing
from chimera.trading.errors import Refused, StoreUnavailable
from chimera.trading.money import Millis
from chimera.wire.codec import encode, plain
from chimera.wire.keys import ROUTE_CURVES

SHOWN: Final = 50  # revisions
FIELD: Final = "S4_ROUTE_TABLE_PATH"


class RouteDesk:
    """Of the table in ``path``, by which all ``routings`` plan."""

    def __init__(self, path: Path, routings: Iterable[Routing], snapshots: Snapshots, clock: Clock) -> None:
        self._path = path
        self._routings = tuple(routings)
        self._snapshots = snapshots
        self._clock = clock
        self._changing = asyncio.Lock()

    async def shown(self) -> dict[str, Any]:
        """Revisions, the newest first, and what is proposed. Raises ``Refused`` for files that cannot be read."""
        return self._told(await asyncio.to_thread(self._read))

    async def approve(self, proposed_ms: Millis, by: str) -> dict[str, Any]:
        """What was proposed at that moment is in force. Raises ``Refused`` (``ROUTES_MOVED``, ``ROUTES_FIXED``)."""

        def approved(log: Log) -> Log:
            if log.proposed is not None and log.proposed.at_ms != proposed_ms:
                raise WrongRevision(f"another table was proposed at {log.proposed.at_ms}: look at it first")
            return approve(log, by, self._clock.now_ms())

        return await self._change(approved)

    async def roll_back(self, rev: int, by: str) -> dict[str, Any]:
        """That revision's table is in force again, under the next number. Raises ``Refused``, likewise."""
        return await self._change(lambda log: roll_back(log, rev, by, self._clock.now_ms()))

    async def _change(self, change: Callable[[Log], Log]) -> dict[str, Any]:
        async with self._changing:
            before = await asyncio.to_thread(self._read)
            try:
                log = change(before)
            except WrongRevision as wrong:
                raise Refused("ROUTES_MOVED", str(wrong), accepted="what GET /routes tells") from wrong
            try:
                await asyncio.to_thread(route_files.write, self._path, log, before)
            except Refused as fixed:
                raise Refused("ROUTES_FIXED", fixed.message, field=FIELD, value=str(self._path)) from fixed
            curves = await self._publish(log)
            for routing in self._routings:
                routing.look_at_table()
                await routing.look_at_curves()
            return self._told(log) | {"curves": curves}

    async def _publish(self, log: Log) -> str:
        """The curves that belong to the table; where the bus is away, the words that say so: older ones stay."""
        try:
            await self._snapshots.put(ROUTE_CURVES, encode(log.curves))
        except StoreUnavailable as away:
            return f"not published, those before stay in force: {away}"
        return "published"

    def _read(self) -> Log:
        try:
            return route_files.read(self._path, self._clock.now_ms())
        except Refused as wrong:
            raise Refused("ROUTES_UNREADABLE", wrong.message, field=FIELD, value=str(self._path)) from wrong

    def _told(self, log: Log) -> dict[str, Any]:
        return {
            "rev": log.in_force.rev,
            "planned_by": sorted({routing.table.rev for routing in self._routings}),
            "writable": os.access(self._path.parent, os.W_OK),
            "revisions": plain(log.revisions[: -SHOWN - 1 : -1]),
            "proposed": plain(log.proposed),
        }
