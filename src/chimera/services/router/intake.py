"""Accepting intents: once per id for ever, the same answer to the same request, and waiting for an intent's end.

An id is claimed in the ledger before anything is sent; the claim is permanent and decides between callers who raced.
Answers come from the holding while the intent lives there, then from memory, then from the ledger's rows.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Sequence
from typing import Any, Final

from chimera.ports.clock import Clock
from chimera.ports.ledger import Claim, Ledger
from chimera.services.router.api import Outcome
from chimera.services.router.legs import as_they_are
from chimera.services.router.owner import Owner
from chimera.services.router.whereabouts import Whereabouts
from chimera.trading.errors import Refused
from chimera.trading.events import Event, IntentChanged
from chimera.trading.execution import Phase
from chimera.trading.ids import ClientOrderId, IntentId, PositionKey, stem_of
from chimera.trading.intent import Intent
from chimera.trading.money import Millis
from chimera.wire import keys
from chimera.wire.codec import decode, encode
from chimera.wire.results import answer_of, done, in_doubt, order_result

RECENT_ROWS: Final = 10_000  # answers kept in memory for repeated questions; the ledger has them all
RECENT_MS: Final = 3_600_000  # and no longer than that: what is over leaves memory (I30)
DEFAULT_WAIT_MS: Final = 5_000  # beyond the plan's own schedule, how long POST /orders waits for the end
LONGEST_WAIT_MS: Final = 10_000  # S4_SUBMIT_WAIT_MS
BURIED: Final = "cancelled before it came"  # in place of a body's hash: no body has it
ORPHAN_POLL_S: Final = 0.02
ORPHAN_POLLS: Final = 50  # how long a claim may be without its intent before whoever made it counts as dead


class Intake:
    """Claims, answers and waits for all owners of one router."""

    def __init__(
        self,
        owners: dict[PositionKey, Owner],
        ledger: Ledger,
        clock: Clock,
        *,
        longest_wait_ms: int = LONGEST_WAIT_MS,
        claiming: Counter[str] | None = None,
    ) -> None:
        """``claiming``: intent ids and order names that are claimed just now, in any market of the account."""
        self._owners = owners
        self._ledger = ledger
        self._clock = clock
        self._longest_wait_ms = longest_wait_ms
        self._recent: OrderedDict[IntentId, dict[str, Any]] = OrderedDict()  # the least lately told first
        self._whereabouts = Whereabouts(owners)
        self._told: dict[IntentId, tuple[Millis, ClientOrderId]] = {}  # of each of them: when, monotonic; its order
        self._of_order: dict[str, IntentId] = {}
        self._waiting: dict[IntentId, list[asyncio.Future[None]]] = {}
        self._claiming: Counter[str] = Counter() if claiming is None else claiming

    async def known(self, intent: Intent, body_hash: str) -> dict[str, Any] | None:
        """The present answer for an id we have seen; None for a new one. Raises ``Refused`` for another body."""
        row: dict[str, Any] | None
        name = intent.intent_id
        owner = self._working_at(name)  # whatever symbol it was for: an id is used once
        if owner is not None:
            row = order_result(owner.holding, name) | {"body_hash": owner.holding.intents[name].body_hash}
        else:
            row = self._recent.get(name) or self._unwritten(name)
            if row is None or row.get("intent_id") != intent.intent_id:  # that is some other order by this name
                row = await self._row_of(intent.intent_id)
        known_hash = row.get("body_hash") if row else None
        if row is not None and known_hash not in (None, body_hash):
            raise other_body(intent)
        return row

    async def claim(self, intent: Intent, body_hash: str) -> bool:
        """Make both ids ours for ever; False when another call has the same intent. Raises on another body.

        Nothing may be awaited between this and the owner's hearing of it.
        """
        names = (intent.intent_id, intent.client_order_id)
        self._claiming.update(names)
        try:
            return await self._claim(intent, body_hash)
        finally:
            self._claiming -= Counter(names)

    async def _claim(self, intent: Intent, body_hash: str) -> bool:
        at_ms = self._clock.now_ms()
        name, body = intent.intent_id, encode(intent)
        root = intent.client_order_id
        asked = [
            Claim(id=f"intent:{name}", intent_id=name, body_hash=body_hash, at_ms=at_ms),
            Claim(id=keys.order_claim(root), intent_id=name, body_hash=body_hash, at_ms=at_ms, body=body),
        ]
        if (stem := stem_of(root)) != root:  # all that the venue shows of a long name
            asked.append(Claim(id=keys.order_claim(stem), intent_id=name, body_hash=body_hash, at_ms=at_ms))
        won = await asyncio.gather(*(self._ledger.claim(claim) for claim in asked))
        if any(claim.body_hash == BURIED for claim in won):
            raise canceled(intent)
        others = [claim.intent_id != name or claim.body_hash != body_hash for claim in won]
        if any(others):
            raise other_body(intent, of_order=not others[0])
        if all(mine == theirs for mine, theirs in zip(asked, won, strict=True)):
            return True
        return await self._orphaned(intent, won)

    async def bury(self, name: str) -> bool:
        """Make an id that nobody works nobody's for ever, be it an intent's or an order's: what comes by it later is
        refused, on either track and after a restart. False where it is being taken just now, or is carried on.

        Where a call has claimed it and died before it began, this decides between us and who would carry it on.
        """
        ids, none = (keys.order_claim(name), f"intent:{name}"), IntentId(name)
        won = await asyncio.gather(*(self._first(each, none, BURIED) for each in ids))
        for intent_id in {claim.intent_id for claim in won if claim.body_hash != BURIED}:
            if await self._appears(name) or self._claiming[name]:
                return False
            if (await self._first(f"begin:{intent_id}", intent_id, BURIED)).body_hash != BURIED:
                return False
        return True

    async def _first(self, claimed: str, intent_id: IntentId, body_hash: str) -> Claim:
        """Whoever claimed it first; we, where nobody had."""
        asked = Claim(id=claimed, intent_id=intent_id, body_hash=body_hash, at_ms=self._clock.now_ms())
        return await self._ledger.claim(asked, synced=True)  # no save follows where it buries

    async def _appears(self, name: str) -> bool:
        """Whether what was claimed by this name begins within a moment, or has ended."""
        for _ in range(ORPHAN_POLLS):
            if await self.find(name) is not None:
                return True
            await asyncio.sleep(ORPHAN_POLL_S)
        return False

    def lives(self, intent_id: IntentId) -> bool:
        """Whether this process has taken the intent up, or did lately."""
        return intent_id in self._recent or self._working_at(intent_id) is not None

    def _working_at(self, intent_id: IntentId) -> Owner | None:
        """The owner that holds the intent of this very id, which may be the order name of another."""
        owner, found = self.find_working(intent_id)
        return owner if found == intent_id else None

    async def _orphaned(self, intent: Intent, won: Sequence[Claim]) -> bool:
        """An earlier call claimed these ids: is it at work here, or did it die before it began?

        One process owns the key, so a claim whose intent does not appear within a moment belongs to a dead incarnation.
        """
        for _ in range(ORPHAN_POLLS):
            if await self.known(intent, won[0].body_hash) is not None:
                return False
            await asyncio.sleep(ORPHAN_POLL_S)
        begun = await self._first(f"begin:{intent.intent_id}", intent.intent_id, won[0].body_hash)
        if begun.body_hash == BURIED:
            raise canceled(intent)
        return True

    async def find(self, name: str) -> dict[str, Any] | None:
        """An order's row by order, client or intent id."""
        remembered = self._remembered(name)
        if remembered is not None:
            return remembered
        row = await self._ledger.get(keys.ORDERS, name)
        return await self._row_of(name) if row is None else row

    async def shown(self, name: str) -> dict[str, Any] | None:
        """The same; of an order that is over its stops and targets are as they are now."""
        row = await self.find(name)
        if row is None or not row.get("legs") or self.find_working(name)[0] is not None:
            return row
        return await as_they_are(row, (owner.holding for owner in self._owners.values()), self._ledger)

    async def _row_of(self, intent_id: str) -> dict[str, Any] | None:
        """The intent's row in the ledger."""
        rows = await self._ledger.find(keys.ORDERS, where={"intent_id": intent_id, "kind": "PARENT"}, newest=1)
        return rows[0] if rows else None

    def _remembered(self, name: str) -> dict[str, Any] | None:
        """As it is worked, or newer than its row, which the relay writes."""
        owner, intent_id = self.find_working(name)
        if owner is not None and intent_id is not None:
            return order_result(owner.holding, intent_id)
        known = self._of_order.get(name, IntentId(name))
        return self._recent.get(known) or self._unwritten(name)

    def _unwritten(self, name: str) -> dict[str, Any] | None:
        """The newest news of it that no row has yet: a relay may be held up for longer than memory lasts."""
        for owner in self._owners.values():
            for event in reversed(owner.holding.outbox):
                body = event.body
                if isinstance(body, IntentChanged) and name in (body.intent_id, body.client_order_id):
                    return decode(body.row, dict[str, Any])
        return None

    def find_working(self, name: str) -> tuple[Owner | None, IntentId | None]:
        """The owner that holds this intent, by intent or client id."""
        return self._whereabouts.of(name)

    def row(self, intent_id: IntentId, known: dict[str, Any]) -> dict[str, Any]:
        """The present row of an intent that lives here, or lived here lately; else what is ``known`` of it already."""
        owner, _ = self.find_working(intent_id)
        return order_result(owner.holding, intent_id) if owner is not None else self._recent.get(intent_id, known)

    async def await_end(
        self, owner: Owner | None, intent_id: IntentId, row: dict[str, Any], wait_ms: int | None
    ) -> Outcome:
        """The answer when the intent is done, or as it stands when the wait is over; durable either way.

        ``owner``: of its position; None where that is not traded here any more.
        """
        if owner is None:  # or it is not loaded yet, and then the ledger's row may be old: only an end is final
            return Outcome(row=answer_of(row), done=row.get("done") is not False, in_doubt=False)
        working = owner.holding.intents.get(intent_id)
        if working is None and not owner.untold(intent_id):
            return Outcome(row=answer_of(self._recent.get(intent_id, row)), done=True, in_doubt=False)
        stands = working is not None and working.phase is Phase.STANDING
        if working is not None and (working.phase is Phase.WORKING or (stands and not done(owner.holding, intent_id))):
            wait = min(_patience_ms(owner, intent_id), self._longest_wait_ms) if wait_ms is None else wait_ms
            if wait:
                await self._wait_done(intent_id, wait)
        row = self.row(intent_id, row)
        if not await owner.saved_soon():  # accepted, perhaps traded, and our memory away: neither success nor failure
            row = answer_of(self.row(intent_id, row)) | {"in_doubt": True}
            return Outcome(row=row, done=False, in_doubt=True)
        holding = owner.holding
        if intent_id not in holding.intents:  # it ended at once, or its lot was closed meanwhile
            return Outcome(row=answer_of(self._recent.get(intent_id, row)), done=True, in_doubt=False)
        phase = holding.intents[intent_id].phase
        return Outcome(
            row=order_result(holding, intent_id),
            done=done(holding, intent_id) if phase is Phase.STANDING else phase is Phase.DONE,
            in_doubt=in_doubt(holding, intent_id),
        )

    def heard(self, events: tuple[Event, ...]) -> None:
        """Keep the newest answers, and wake whoever waits for one."""
        for event in events:
            if not isinstance(event.body, IntentChanged):
                continue
            intent_id = event.body.intent_id
            self._recent[intent_id] = decode(event.body.row, dict[str, Any])
            self._recent.move_to_end(intent_id)
            self._told[intent_id] = (self._clock.monotonic_ms(), event.body.client_order_id)
            self._of_order[event.body.client_order_id] = intent_id
            if event.body.done:
                for waiter in self._waiting.pop(intent_id, []):
                    if not waiter.done():
                        waiter.set_result(None)
        self._forget()

    def _forget(self) -> None:
        """What is too old, or too many."""
        oldest_ms = self._clock.monotonic_ms() - RECENT_MS
        while self._recent:
            intent_id = next(iter(self._recent))
            told_ms, order = self._told[intent_id]
            if told_ms >= oldest_ms and len(self._recent) <= RECENT_ROWS:
                return
            del self._recent[intent_id], self._told[intent_id], self._of_order[order]

    @property
    def waiting(self) -> int:
        """Callers who wait for an intent's end."""
        return sum(len(waiters) for waiters in self._waiting.values())

    async def _wait_done(self, intent_id: IntentId, wait_ms: int) -> None:
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(intent_id, []).append(ended)
        try:
            async with asyncio.timeout(wait_ms / 1000):
                await ended
        except TimeoutError:
            return
        finally:
            waiting = self._waiting.get(intent_id, [])
            if ended in waiting:
                waiting.remove(ended)
            if not waiting:
                self._waiting.pop(intent_id, None)


def _patience_ms(owner: Owner, intent_id: IntentId) -> int:
    """MARKET and maker->taker answer at their end; a schedule of slices answers at once (ACCEPTED)."""
    plan = owner.holding.intents[intent_id].plan
    return 0 if len(plan.slices) > 1 else plan.maker.wait_ms + plan.maker.chase_ms + DEFAULT_WAIT_MS


def other_body(intent: Intent, *, of_order: bool = False) -> Refused:
    """``of_order``: it was the order's name; a name that stands in for both is that one, too."""
    told, root = "this id was used for another request", intent.client_order_id
    is_root = of_order or str(intent.intent_id) == root
    field, used = ("client_order_id", root) if is_root else ("intent_id", intent.intent_id)
    return Refused("DUPLICATE_ID", told, field=field, value=used, accepted="the same body, or new ids")


def canceled(intent: Intent) -> Refused:
    told = "one of its ids was cancelled before it came"
    return Refused("CANCELED", told, field="intent_id", value=intent.intent_id, accepted="new ids")


def not_working(name: str) -> Refused:
    return Refused("NOT_WORKING", f"{name} is not being worked any more", field="order_id", value=name)
