"""The kill switch at work: block, cancel, flatten where asked, verify by asking the venue, give a signed receipt.

Invariants: a kill holds from the moment it is spoken, before any store hears of it, and needs none to hold; it is saved
until it is saved; what cannot be read at the start counts as killed; exits, stops, cancels and questions are untouched.
Arming takes two steps, the second repeats a word that the first gave, and is on disk before it holds.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from typing import Final

import msgspec
import structlog
from msgspec.structs import asdict

from chimera.ports.clock import Clock
from chimera.ports.ledger import Rows
from chimera.services.router.owner import Owner
from chimera.services.router.receipts import Witness, lots_under
from chimera.trading.errors import NewerSchema, Refused, StoreUnavailable
from chimera.trading.facts import CloseAsked, Ticked
from chimera.trading.ids import AccountId, PositionKey
from chimera.trading.money import ZERO, Qty
from chimera.trading.standstill import Kill, Scope, Standstill
from chimera.wire import keys
from chimera.wire.codec import encode, plain

log = structlog.get_logger()

RETRY_SAVE_S: Final = 0.25
UNREADABLE: Final = "UNREADABLE"


class Controls:
    """The standstill of one account's router."""

    def __init__(
        self,
        account_id: AccountId,
        owners: Mapping[PositionKey, Owner],
        *,
        rows: Rows,
        clock: Clock,
        witness: Witness,
    ) -> None:
        self.standstill = Standstill()
        self._account_id = account_id
        self._owners = owners
        self._rows = rows
        self._clock = clock
        self._witness = witness
        self._changed = asyncio.Event()
        self._saved_rev = 0

    # ── memory ──

    async def load(self) -> None:
        """What was in force; waits for the ledger. What is there and cannot be read is a kill of everything."""
        while True:
            try:
                row = await self._rows.get(keys.CONTROLS, self._account_id)
                break
            except StoreUnavailable:
                await asyncio.sleep(RETRY_SAVE_S)
            except NewerSchema as error:
                self._refuse_all(str(error))
                return
        if row is None:
            return
        try:
            found = msgspec.convert(row["standstill"], Standstill, strict=False)
        except (KeyError, TypeError, msgspec.ValidationError) as error:
            self._refuse_all(str(error))
            return
        self._saved_rev = found.rev
        for kill in self.standstill.kills:  # spoken while we were loading
            found = found.killed(kill)
        self.standstill = found

    def _refuse_all(self, why: str) -> None:
        log.critical("controls_unreadable", why=why)
        kill = Kill(scope=Scope.GLOBAL, by=UNREADABLE, reason=why, at_ms=self._clock.now_ms())
        self.standstill = self.standstill.killed(kill)

    async def run(self) -> None:
        """Save every change until it is saved."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            standing = self.standstill
            if standing.rev == self._saved_rev:
                continue
            try:
                await self._save(standing)
            except StoreUnavailable as error:
                log.warning("controls_unsaved", rev=standing.rev, error=str(error))
                self._changed.set()
                await asyncio.sleep(RETRY_SAVE_S)

    async def _save(self, standing: Standstill) -> None:
        document = {"standstill": plain(standing), "at_ms": self._clock.now_ms()}
        await self._rows.put(keys.CONTROLS, self._account_id, document)
        self._saved_rev = standing.rev
        if self.standstill.rev != standing.rev:
            self._changed.set()

    @property
    def saved(self) -> bool:
        """Whether what is in force is on disk."""
        return self._saved_rev == self.standstill.rev

    def shown(self) -> dict[str, object]:
        """What stands still, as ``GET /killed`` answers."""
        kills = [_row(kill) | {"confirm": self.word(*kill.place)} for kill in self.standstill.kills]
        return {"killed": bool(kills), "durable": self.saved, "rev": self.standstill.rev, "kills": kills}

    # ── kill ──

    def kill(self, kill: Kill) -> Kill:
        """In force when this returns; asked again it changes nothing but ``flatten``. The kill that stands there."""
        self.standstill = self.standstill.killed(kill)
        standing = self.standstill.at(*kill.place)
        assert standing is not None
        log.critical("killed", scope=kill.scope, name=kill.name, by=kill.by, reason=kill.reason, flatten=kill.flatten)
        for key, owner in tuple(self._owners.items()):
            if kill.reaches(key):
                owner.hear(Ticked())
                if standing.flatten:
                    _flatten(owner, standing)
        self._changed.set()
        return standing

    async def receipt(self, kill: Kill, *, patience_s: float) -> dict[str, object]:
        """What came of it by the venue's word, asked for at most ``patience_s``; signed."""
        verdict = await self._witness.verify(kill, patience_s=patience_s)
        body = _row(kill) | {
            "rev": self.standstill.rev,
            "durable": self.saved,
            "verified": not verdict.remains,
            "asked_ms": verdict.at_ms,
            "remains": list(verdict.remains),
            "positions": verdict.positions,
        }
        return await self._witness.receipt("KILLED", body)

    # ── arm ──

    def word(self, scope: Scope, name: str) -> str:
        """What must be repeated to arm this place; another one after each kill. Raises ``Refused`` where none is."""
        kill = self.standstill.at(scope, name)
        if kill is None:
            places = ", ".join(f"{each.scope} {each.name}".strip() for each in self.standstill.kills)
            raise Refused("NOT_KILLED", "nothing is killed there", field="scope", value=scope, accepted=places or None)
        return hashlib.sha256(encode(kill)).hexdigest()[:8]

    async def arm(self, scope: Scope, name: str, *, by: str, reason: str, confirm: str) -> dict[str, object]:
        """The second step: entries are taken again. Raises ``Refused`` for a wrong word, ``StoreUnavailable``."""
        expected = self.word(scope, name)
        if confirm != expected:
            raise Refused("CONFIRM", "that is not this kill's word", field="confirm", value=confirm)
        after = self.standstill.armed(scope, name)
        await self._save(after)  # the disk first: a crash must find it as it was answered
        self.standstill = after
        log.critical("armed", scope=scope, name=name, by=by, reason=reason)
        body = {"scope": str(scope), "name": name, "by": by, "reason": reason, "at_ms": self._clock.now_ms()}
        return await self._witness.receipt("ARMED", body | {"rev": after.rev})


def _row(kill: Kill) -> dict[str, object]:
    """Every field, those with their default too: this is signed."""
    return {name: str(value) if isinstance(value, Scope) else value for name, value in asdict(kill).items()}


def _flatten(owner: Owner, kill: Kill) -> None:
    """All of the position, or the lots of the strategy."""
    lots = lots_under(owner, kill)
    if kill.scope is not Scope.STRATEGY or (lots and len(lots) == len(owner.holding.position.lots)):
        owner.hear(CloseAsked(reason="KILL_SWITCH"))
    elif lots:
        qty = Qty(sum((lot.qty for lot in lots), ZERO))
        owner.hear(CloseAsked(reason="KILL_SWITCH", qty=qty, lots=tuple(lot.intent_id for lot in lots)))
