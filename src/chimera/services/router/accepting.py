"""Taking an intent: once per id for ever, admitted by the state of the moment, claimed before anything leaves.

It is judged twice: before the claim, so that the caller hears at once, and after it, since the ledger may have been
slow, against whoever owns the position by then. Between the second judgement and the owner's hearing nothing waits.
"""

import asyncio
from collections.abc import Callable, Mapping

from chimera.admit.admission import no_price, objections
from chimera.admit.tidying import tidied
from chimera.services.router import breaking
from chimera.services.router.api import Outcome
from chimera.services.router.breaking import Breaking
from chimera.services.router.capability import Capability
from chimera.services.router.changing import change
from chimera.services.router.ground import Ground
from chimera.services.router.intake import Intake
from chimera.services.router.market import MarketView
from chimera.services.router.owner import Owner
from chimera.services.router.preparing import Preparing
from chimera.services.router.previewing import LastHop, preview
from chimera.services.router.remembering import Remembering
from chimera.services.router.routing import Routing
from chimera.services.router.standing_in import StandingIn
from chimera.services.router.watchdogs import Watchdogs
from chimera.trading.errors import Refused
from chimera.trading.execution import Plan
from chimera.trading.facts import Submitted
from chimera.trading.intent import Intent, IntentKind
from chimera.wire.policies import not_enabled


class Accepting:
    """Of one account on one market."""

    def __init__(
        self,
        ground: Ground,
        intake: Intake,
        preparing: Preparing,
        market: MarketView,
        breaker: Breaking,
        capability: Capability,
        memory: Remembering,
        watchdogs: Watchdogs,
        standing_in: StandingIn,
        *,
        routing: Routing,
        stop_optional: bool,
        asked: Callable[[], bool],
    ) -> None:
        """``asked``: whether what must be known of the account before anything may enter has been answered."""
        self._ground = ground
        self._intake = intake
        self._preparing = preparing
        self._market = market
        self._breaker = breaker
        self._capability = capability
        self._memory = memory
        self._watchdogs = watchdogs
        self._standing_in = standing_in
        self._routing = routing
        self._stop_optional = stop_optional
        self._asked = asked

    async def take(self, intent: Intent, body_hash: str, wait_ms: int | None) -> Outcome:
        """Accept once and answer; asked again, answer the same. Raises ``Refused`` or ``StoreUnavailable``."""
        with self._ground.admissions.asked(intent):
            return await self._take(intent, body_hash, wait_ms)

    async def _take(self, intent: Intent, body_hash: str, wait_ms: int | None) -> Outcome:
        known, seen = await asyncio.gather(self._intake.known(intent, body_hash), self._glance(intent))
        if known is not None:
            owner = None if self._standing_in.at(intent.key) else self._ground.owners.get(intent.key)
            return await self._intake.await_end(owner, intent.intent_id, known, wait_ms)
        asked = self._owner_for(intent)
        rules, policy = self._ground.instruments[intent.symbol], self._ground.policy
        intent, notes = tidied(intent, rules, policy, asked.holding)
        if not seen:
            await self._market.ask(intent.symbol)
        if self._intake.lives(intent.intent_id):  # another call with it came first: not judged against itself
            return await self._take(intent, body_hash, wait_ms)
        self._watchdogs.price_looked(intent.symbol)
        self._object(intent, asked)
        await self._preparing.prepare(intent, lambda: asked.holding)
        if not await self._intake.claim(intent, body_hash):
            return await self._take(intent, body_hash, wait_ms)  # somebody was faster: hear their answer
        if self._intake.lives(intent.intent_id):  # the ledger was slow: another call with this claim came first
            return await self._take(intent, body_hash, wait_ms)
        self._object(intent, owner := self._owner_for(intent))  # again, by who owns it as nothing comes in between now
        self._preparing.hold(intent)
        plan = self._plan(intent, owner).but(notes=notes)
        owner.hear(Submitted(intent=intent, plan=plan, body_hash=body_hash))
        self._ground.admissions.taken(intent)
        row = self._intake.row(intent.intent_id, {})
        return await self._intake.await_end(owner, intent.intent_id, row, wait_ms)

    async def _glance(self, intent: Intent) -> bool:
        """Beside the ledger, at the feed alone: a request that is only repeated costs no weight at the venue."""
        return intent.key in self._ground.owners and await self._market.glance(intent.symbol)

    async def change(self, name: str, document: Mapping[str, object]) -> Outcome:
        """Change an order that lives. Raises ``Refused``."""
        return await change(self._ground, self._intake, self._routing, self._object_to_entry, name, document)

    def _plan(self, intent: Intent, owner: Owner) -> Plan:
        return self._routing.plan(intent, self._ground.scene(owner.holding), owner.holding.position.entry_px)

    async def preview(self, intent: Intent, last_hop: LastHop) -> dict[str, object]:
        """What would come of it, by the same words; claims, prepares, sends and keeps nothing. Raises ``Refused``."""
        asked = self._owner_for(intent)
        if intent.kind is IntentKind.PROTECT:
            raise not_enabled("exec_policy.type", "STOP_MARKET in a preview")
        intent, notes = tidied(intent, self._ground.instruments[intent.symbol], self._ground.policy, asked.holding)
        await self._market.refresh(intent.symbol)
        objection: Refused | None = None
        try:
            self._object(intent, owner := self._owner_for(intent))
        except Refused as no:
            owner, objection = asked, no
        scene = self._ground.scene(owner.holding)
        if scene.near is None:
            raise objection or no_price(intent)
        if not intent.qty:
            assert objection is not None  # less than a step
            raise objection
        plan = self._plan(intent, owner).but(notes=notes)
        sight = self._routing.sight(intent.symbol, scene)
        return preview(intent, plan, objection, owner.holding, scene, sight, last_hop)

    def _owner_for(self, intent: Intent) -> Owner:
        ground = self._ground
        if intent.market is not ground.market:
            only = f"only market {ground.market} is enabled"
            raise Refused("NOT_ENABLED", only, field="market", value=str(intent.market))
        owner = ground.owners.get(intent.key)
        early = ground.not_loaded("symbol", intent.symbol) if owner is None else None
        if early is not None:
            raise early
        if owner is None or not (intent.reduce_only or intent.symbol in ground.symbols):  # taken over, or dropped
            traded = ", ".join(key.symbol for key in ground.owners)
            raise Refused(
                "UNKNOWN_SYMBOL", "not traded here", field="symbol", value=intent.symbol, accepted=traded or "none yet"
            )
        if self._standing_in.at(intent.key):
            raise Refused("RECOVERING", "the ledger does not answer: protecting and closing only; try again")
        if not (owner.recovered.is_set() and (intent.reduce_only or self._asked())):
            raise Refused("RECOVERING", f"{intent.symbol} has not heard the venue since the start; try again")
        return owner

    def _object(self, intent: Intent, owner: Owner) -> None:
        """Raises the first objection to trading it now."""
        if not intent.reduce_only:
            self._object_to_entry(intent)
        self._memory.refuse_old(intent)
        scene = self._ground.scene(owner.holding)
        for objection in objections(intent, owner.holding, scene, stop_optional=self._stop_optional):
            raise objection

    def _object_to_entry(self, intent: Intent) -> None:
        no_slots = self._capability.no_slots(intent.symbol)
        if no_slots is not None:
            raise no_slots
        blocked = self._breaker.objection()
        if blocked is not None:
            raise Refused(breaking.CODE, blocked[0], accepted="exits; or later")
        barrier = self._ground.barriers.before(intent.symbol)
        if barrier is not None:
            raise barrier
