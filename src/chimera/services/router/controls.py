"""The kill switch at work: block, cancel, flatten where asked, verify by asking the venue, give a signed receipt.

Invariants: a kill holds from the moment it is spoken, before any store hears of it, and needs none to hold; it is saved
until it is saved; what cannot be read at the start counts as killed; exits, stops, cancels and questions are untouched.
A flatten goes on until nothing of it is left, over what was not known or had not filled when it was asked, too: it is
not over before the venue was asked for the whole account.
Arming takes two steps, the second repeats a word that the first gave, and is on disk before it holds; a kill spoken
meanwhile wins. One write at a time goes to the disk, and until it is answered nobody claims to know what is there.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec
import structlog
from msgspec.structs import asdict

from chimera.execute.closing import alone
from chimera.ports.clock import Clock
from chimera.ports.ledger import Rows
from chimera.services.router.owner import Owner
from chimera.services.router.patience import STORE_AGAIN_S
from chimera.services.router.receipts import Witness, entries_under, lots_under
from chimera.trading.errors import ChimeraError, Refused, StoreUnavailable
from chimera.trading.facts import CloseAsked, Ticked
from chimera.trading.ids import AccountId, IntentId, PositionKey
from chimera.trading.money import ZERO, Qty
from chimera.trading.standstill import Kill, Scope, Standstill
from chimera.wire import keys
from chimera.wire.codec import encode, plain

log = structlog.get_logger()

FLATTEN_AGAIN_S: Final = 0.5  # doubled each time that something is left
LONGEST_FLATTEN_AGAIN_S: Final = 8.0
FIND_WITHIN_S: Final = 5.0  # nothing is closed again meanwhile
UNREADABLE: Final = "UNREADABLE"  # by whom a kill is, where what is stored cannot be read


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
        complete: Callable[[], bool],
    ) -> None:
        """``complete``: whether ``owners`` has every position of the account yet that the ledger knows."""
        self.standstill = Standstill()
        self._account_id = account_id
        self._owners = owners
        self._rows = rows
        self._clock = clock
        self._witness = witness
        self._complete = complete
        self._changed = asyncio.Event()
        self._disk = asyncio.Lock()
        self.loaded = asyncio.Event()  # what was in force is known
        self._saved_rev: int | None = None  # None: what is on disk is not known
        self._spoken = 0  # kills asked for since the start
        self._to_flatten = asyncio.Event()
        self._flattening: set[tuple[Scope, str]] = set()  # places of which something may still be held
        self._finding: list[Callable[[], Awaitable[None]]] = []
        self._flattens = 0  # asked for since the start
        self._found = 0  # of them, those since which the whole account was looked at

    def find_by(self, find: Callable[[], Awaitable[None]]) -> None:
        """``find`` has ``owners`` be all that one market's venue shows now, ours or not; raises ``ChimeraError``."""
        self._finding.append(find)

    # ── memory ──

    async def load(self) -> None:
        """What was in force; waits for the ledger. What is there and cannot be read is a kill of everything."""
        while True:
            try:
                row = await self._rows.get(keys.CONTROLS, self._account_id)
                found = Standstill() if row is None else msgspec.convert(row["standstill"], Standstill, strict=False)
                break
            except StoreUnavailable:
                await asyncio.sleep(STORE_AGAIN_S)
            except Exception as error:  # whatever is wrong with it: it counts as killed, and protection has to start
                log.exception("controls_unreadable")
                self._refuse_all(f"{type(error).__name__}: {error}")
                return
        self._saved_rev = found.rev
        for kill in self.standstill.kills:  # spoken while we were loading
            found = found.killed(kill)
        self.standstill = found
        self.loaded.set()
        self._flatten_at(*(kill.place for kill in found.kills if kill.flatten))

    def _refuse_all(self, why: str) -> None:
        kill = Kill(scope=Scope.GLOBAL, by=UNREADABLE, reason=why, at_ms=self._clock.now_ms())
        self.standstill = self.standstill.killed(kill)
        self.loaded.set()

    async def run(self) -> None:
        """Load, then save every change until it is saved. Nothing that goes wrong here may end what protects."""
        if not self.loaded.is_set():
            await self.load()
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                async with self._disk:
                    if not self.saved:
                        await self._save(self.standstill)
            except StoreUnavailable as error:
                log.warning("controls_unsaved", rev=self.standstill.rev, error=str(error))
                await asyncio.sleep(STORE_AGAIN_S)
            except Exception:  # a mistake of ours: the router's tasks live and die together
                log.exception("controls_fault", rev=self.standstill.rev)
                await asyncio.sleep(STORE_AGAIN_S)

    async def _save(self, standing: Standstill) -> None:
        """By the holder of ``_disk``. After a failure nobody knows whether it is there: what holds is saved again."""
        self._saved_rev = None
        try:
            document = {"standstill": plain(standing), "at_ms": self._clock.now_ms()}
            await self._rows.put(keys.CONTROLS, self._account_id, document)
            self._saved_rev = standing.rev
        finally:
            if not self.saved:
                self._changed.set()

    @property
    def saved(self) -> bool:
        """Whether what is in force is on disk."""
        return self._saved_rev == self.standstill.rev

    @property
    def killed(self) -> bool:
        """Whether anything stands still; what has not been read yet counts."""
        return bool(self.standstill.kills) or not self.loaded.is_set()

    def shown(self) -> dict[str, object]:
        """What stands still, as ``GET /killed`` answers."""
        kills = [_row(kill) | {"confirm": self.word(*kill.place)} for kill in self.standstill.kills]
        return {"killed": self.killed, "durable": self.saved, "rev": self.standstill.rev, "kills": kills}

    # ── kill ──

    def kill(self, kill: Kill) -> Kill:
        """In force when this returns; asked again it changes nothing but ``flatten``. The kill that stands there."""
        self._spoken += 1
        self.standstill = self.standstill.killed(kill)
        standing = self.standstill.at(*kill.place)
        assert standing is not None
        self._changed.set()
        log.critical("killed", scope=kill.scope, name=kill.name, by=kill.by, reason=kill.reason, flatten=kill.flatten)
        for key, owner in tuple(self._owners.items()):
            if kill.reaches(key):
                owner.hear(Ticked())
                if standing.flatten:
                    _flatten(owner, standing)
        if standing.flatten:
            self._flatten_at(standing.place)
        return standing

    def _flatten_at(self, *places: tuple[Scope, str]) -> None:
        self._flattening.update(places)
        if places:
            self._flattens += 1
            self._to_flatten.set()

    async def flatten(self) -> None:
        """For ever: close again what a flatten is about, until nothing of it is left.

        When it was asked a position may not have been loaded, an entry may have been on its way, another close may have
        been on, or the process may have died before the close was on disk.
        """
        while True:
            await self._to_flatten.wait()
            self._to_flatten.clear()
            pause_s = FLATTEN_AGAIN_S
            while self._flattening:
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_FLATTEN_AGAIN_S)
                try:
                    wanted = [kill for kill in self.standstill.kills if kill.place in self._flattening]
                    left = {kill.place for kill in wanted if self._close_again(kill)}
                    if not await self._sought():  # then nothing was waited for, and no place has come since
                        self._flattening = left
                except Exception:  # as above: a mistake of ours must not end what protects
                    log.exception("flatten_fault")

    async def _sought(self) -> bool:
        """Whether the whole account had to be looked at, so that more may be owned by now; or has to be yet."""
        asked = self._flattens
        if self._found == asked or not self._complete():
            return self._found != asked
        try:
            async with asyncio.timeout(FIND_WITHIN_S):
                await asyncio.gather(*(find() for find in self._finding))
            self._found = asked
        except (ChimeraError, TimeoutError) as error:
            log.warning("account_unseen", error=str(error) or "no answer in time")
        return True

    def _close_again(self, kill: Kill) -> bool:
        """Whether something of it may be left."""
        reached = [owner for key, owner in self._owners.items() if kill.reaches(key)]
        for owner in reached:
            if owner.recovered.is_set() and _held(owner, kill):
                _flatten(owner, kill)
        return not self._complete() or any(
            not owner.recovered.is_set() or _held(owner, kill) or entries_under(owner, kill) for owner in reached
        )

    async def receipt(self, kill: Kill, *, patience_s: float) -> dict[str, object]:
        """What came of it by the venue's word, asked for at most ``patience_s``; signed."""
        verdict = await self._witness.verify(kill, patience_s=patience_s)
        if self.standstill.at(*kill.place) is None:
            verdict = verdict.but(remains=(*verdict.remains, "armed again meanwhile"))
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

    async def arm(self, scope: Scope, name: str, *, by: str, reason: str, confirm: str | None) -> dict[str, object]:
        """The first step names the word, the second repeats it and has entries taken again.

        Raises ``Refused`` for a wrong word, ``StoreUnavailable``.
        """
        if confirm is None:
            word = self.word(scope, name)
            told = f"send the same with confirm {word} to take entries again"
            return {"scope": str(scope), "name": name, "status": "CONFIRM", "confirm": word, "message": told}
        if not self.loaded.is_set():
            raise Refused("NOT_READY", "what is killed is still being read; try again")
        async with self._disk:
            if confirm != self.word(scope, name):
                told, asked = "that is not this kill's word", "the word that the same request without confirm names"
                raise Refused("CONFIRM", told, field="confirm", value=confirm, accepted=asked)
            after, spoken = self.standstill.armed(scope, name), self._spoken
            try:
                await self._save(after)  # the disk first: a crash must find it as it was answered
                if self._spoken != spoken:
                    raise Refused(
                        "KILL_SWITCH", "killed again meanwhile; nothing was armed", field="scope", value=scope
                    )
            except BaseException:  # it may be on disk all the same: what holds gets a number of its own and goes there
                self.standstill = self.standstill.but(rev=max(self.standstill.rev, after.rev) + 1)
                self._changed.set()
                raise
            self.standstill = after
        log.critical("armed", scope=scope, name=name, by=by, reason=reason)
        body = {"scope": str(scope), "name": name, "by": by, "reason": reason, "at_ms": self._clock.now_ms()}
        return await self._witness.receipt("ARMED", body | {"rev": after.rev})


def _row(kill: Kill) -> dict[str, object]:
    """Every field, those with their default too: this is signed."""
    return {name: str(value) if isinstance(value, Scope) else value for name, value in asdict(kill).items()}


def _held(owner: Owner, kill: Kill) -> bool:
    """Whether some of the position is what the kill is about."""
    return bool(lots_under(owner, kill) if kill.scope is Scope.STRATEGY else owner.holding.exposure)


def _flatten(owner: Owner, kill: Kill) -> None:
    """All of the position, or the lots of the strategy."""
    lots = lots_under(owner, kill)
    if kill.scope is not Scope.STRATEGY or (lots and alone(owner.holding, _concerned(owner, kill))):
        owner.hear(CloseAsked(reason="KILL_SWITCH"))
    elif lots:
        qty = Qty(sum((lot.qty for lot in lots), ZERO))
        owner.hear(CloseAsked(reason="KILL_SWITCH", qty=qty, lots=tuple(lot.intent_id for lot in lots)))


def _concerned(owner: Owner, kill: Kill) -> set[IntentId]:
    """The intents that the kill is about: of what is held, and of what is known."""
    known = owner.holding.intents.items()
    ours = {key for key, work in known if kill.covers(work.intent.key, work.intent.strategy_id)}
    return ours | {lot.intent_id for lot in lots_under(owner, kill)}
