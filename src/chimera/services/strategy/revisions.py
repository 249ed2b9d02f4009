"""The log of revisions in the ledger, and the two places that show its newest line: ``config_active`` and Redis.

Invariants: a number is inserted once, so of two who activate at once both count, one after the other; inserting the
line is the deed. What shows it is brought up to it afterwards and at every look (``settle``), so a process that dies in
between leaves nothing half done. A ``config_active`` that somebody wrote by hand with a higher revision counts.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec

from chimera.decide.revisions import Deciding, Revision, Standing, Trial
from chimera.ports.ledger import Rows
from chimera.ports.streams import Bus
from chimera.services.strategy.compiling import BadConfig
from chimera.trading.errors import Refused, StoreUnavailable
from chimera.trading.money import sound
from chimera.wire.codec import SCHEMA_VERSION, check_version, plain
from chimera.wire.keys import CFG_ACTIVE_REV, CFG_EVENTS, CONFIG_ACTIVE, CONFIG_REVISIONS

ACTIVE: Final = "active"
TRIES: Final = 8  # others who take a number at the same moment
HISTORY_MAX: Final = 1_000
Step = Callable[[Standing], Revision]


class Revisions:
    """Every method raises ``StoreUnavailable`` of the ledger, never of the bus."""

    def __init__(self, ledger: Rows, bus: Bus) -> None:
        self._ledger = ledger
        self._bus = bus
        self.announced: dict[str, str] = {}  # the newest line that this process has told of, as it stands on the stream

    async def standing(self) -> Standing:
        """As whoever wants to change it must see it, unfinished business brought to its end."""
        line, shown = await self._newest(), await self._ledger.get(CONFIG_ACTIVE, ACTIVE)
        if line is None:
            return Standing() if shown is None else read_active(shown)
        if shown is not None and _later_by_hand(shown, line):
            by_hand = read_active(shown)
            return by_hand.but(rev=max(by_hand.rev, line.rev))
        await self.settle(line)
        return line.standing

    async def look(self) -> Standing:
        """The same for the watcher, which asks once where nobody has ever used the log. Raises ``BadConfig``."""
        shown = await self._ledger.get(CONFIG_ACTIVE, ACTIVE)
        if shown is None:
            raise BadConfig("config_active: nothing is active")
        return read_active(shown) if _by_hand(shown) else await self.standing()

    async def take(self, step: Step) -> Revision:
        """One step from the standing of now; raises ``Refused`` where the step does, or others are always first."""
        for _ in range(TRIES):
            line = step(await self.standing())
            row = {"schema_version": SCHEMA_VERSION, **plain(line)}
            if await self._ledger.insert(CONFIG_REVISIONS, f"{line.rev:012d}", row):
                with suppress(StoreUnavailable):  # it is done; the next look shows it
                    await self.settle(line)
                return line
        raise Refused("CONFIG_MOVED", "others change the configuration at the same time; try again")

    async def settle(self, line: Revision) -> None:
        """Show this line in ``config_active`` and Redis unless a newer one is shown, and announce it once."""
        if line.active is None:
            return
        document = {
            "schema_version": SCHEMA_VERSION,
            **plain(line.active),
            "log": line.rev,
            "trial": plain(line.trial),
            "who": line.who,
            "why": line.why,
            "at_ms": line.at_ms,
        }
        shown = await self._ledger.get(CONFIG_ACTIVE, ACTIVE)
        if shown is None or _log(shown) < line.rev:
            await self._ledger.put_newer(CONFIG_ACTIVE, ACTIVE, document, line.rev)
        with suppress(StoreUnavailable):  # the next look
            cached = await self._bus.get(CFG_ACTIVE_REV)
            if cached is None or not cached.isdigit() or int(cached) < line.active.rev:
                await self._bus.put(CFG_ACTIVE_REV, str(line.active.rev).encode())
            await self._announce(line, shown)

    async def history(self, newest: int) -> Sequence[Revision]:
        """Newest first."""
        return [_line(row) for row in await self._ledger.find(CONFIG_REVISIONS, newest=newest)]

    async def bundle_of(self, rev: int) -> Deciding | None:
        """What was active under a revision."""
        row = await self._ledger.get(CONFIG_REVISIONS, f"{rev:012d}")
        if row is not None and (active := _line(row).active) is not None and active.rev == rev:
            return active
        before = (line.before for line in await self.history(HISTORY_MAX))  # written by hand, before the log began
        return next((old for old in before if old is not None and old.rev == rev), None)

    async def before(self, active: Deciding) -> Deciding | None:
        """The bundle that was active until this one became so; that it was activated again is no step back."""
        earlier: Deciding | None = active
        while earlier is not None and earlier.bundle_id == active.bundle_id:
            row = await self._ledger.get(CONFIG_REVISIONS, f"{earlier.rev:012d}")
            earlier = None if row is None else _line(row).before
        return earlier

    async def _newest(self) -> Revision | None:
        rows = await self._ledger.find(CONFIG_REVISIONS, newest=1)
        return _line(rows[0]) if rows else None

    async def _announce(self, line: Revision, shown: Mapping[str, Any] | None) -> None:
        if shown is not None and _log(shown) >= line.rev:
            return
        fields = {"rev": str(line.rev), "kind": line.kind.value, "bundle_id": line.bundle_id, "who": line.who}
        self.announced = fields
        await self._bus.publish(CFG_EVENTS, f"cfg:{line.rev}:{line.at_ms}", fields)


def read_active(document: Mapping[str, Any]) -> Standing:
    """``config_active``, ours or written by hand; raises ``BadConfig`` or ``NewerSchema``."""
    version = document.get("schema_version", SCHEMA_VERSION)
    if not isinstance(version, int):
        raise BadConfig(f"config_active: schema_version needs a whole number, has {version!r}")
    check_version(version)
    rev, bundle_id = document.get("rev"), document.get("bundle_id")
    if isinstance(rev, bool) or not isinstance(rev, int) or not isinstance(bundle_id, str):
        raise BadConfig(f"config_active: needs rev and bundle_id, has {rev!r} and {bundle_id!r}")
    active = Deciding(rev=rev, bundle_id=bundle_id, digest=str(document.get("digest", "")))
    return Standing(rev=max(rev, _log(document)), active=active, trial=_trial(document.get("trial")))


def _trial(document: object) -> Trial | None:
    if document is None:
        return None
    trial = msgspec.convert(document, Trial, strict=False)
    if not sound(trial.share) or not 0 <= trial.share <= 1:
        raise BadConfig(f"config_active: a trial's share is from 0 to 1, not {trial.share}")
    return trial


def _line(row: Mapping[str, Any]) -> Revision:
    check_version(int(row.get("schema_version", SCHEMA_VERSION)))
    return msgspec.convert({k: v for k, v in row.items() if k != "schema_version"}, Revision, strict=False)


def _log(document: Mapping[str, Any]) -> int:
    """The line that a ``config_active`` shows; 0 where it was written by hand."""
    log = document.get("log", 0)
    return log if isinstance(log, int) else 0


def _by_hand(document: Mapping[str, Any]) -> bool:
    return _log(document) == 0


def _later_by_hand(document: Mapping[str, Any], line: Revision) -> bool:
    rev = document.get("rev")
    return _by_hand(document) and isinstance(rev, int) and (line.active is None or rev > line.active.rev)
