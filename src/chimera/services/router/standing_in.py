"""Who stands at each position while the ledger does not answer at a start: an owner who remembers nothing.

Invariants: a ledger that is away never ends the process and never leaves a position bare; a stand-in believes the
venue, at once where it shows more than he knows; nothing of his that must wait for a disk ever leaves, so he enters
nothing, closes no part and takes away no stop; his ids hang under a root of his own, which no other life shares. The
ledger is asked again and again, and who is loaded from it takes over by the one path there is: what a stand-in sent
shows at the venue under our ids, and is adopted or replaced. A whole close that he had begun goes on.

He stands at every symbol that is traded here and at each in which the venue shows a position or an order of ours. That
the ledger holds more than that, or another symbol, he cannot know.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from itertools import chain, repeat
from typing import Final

import structlog

from chimera.ports.ledger import Ledger
from chimera.ports.venue import Records
from chimera.services.router.ground import Ground
from chimera.services.router.owner import Owner
from chimera.services.router.patience import going_on, until_answered, until_kept
from chimera.services.router.relay import Relay
from chimera.services.router.remembering import Unkept
from chimera.services.router.traced import Carrier
from chimera.services.router.watchdogs import Watchdogs
from chimera.services.router.watching import Watch
from chimera.trading.events import Alert, Event
from chimera.trading.facts import CloseAsked, Gapped, Published, Restarted
from chimera.trading.holding import Holding
from chimera.trading.ids import PositionKey, Symbol, child_of, stand_in_root
from chimera.trading.money import ZERO, Millis
from chimera.trading.scene import Scene

log = structlog.get_logger()

CODE: Final = "LEDGER_AWAY_AT_BOOT"
UNEXPLAINED: Final = "POSITION_ADOPTED"
PATIENCE_S: Final = 1.5  # a disk under load answers in less; a bare position should not wait for longer
LOOKS_S: Final = (1.0, 2.0, 4.0)  # between the first looks at the whole account, then always the next
LOOK_S: Final = 10.0  # a look weighs 85 of the venue's 2,400 a minute
WHY: Final = "the ledger has not answered since the start: positions are protected by the venue's word alone"


class StandingIn:
    """The stand-ins of one router. Each is among its ``owners`` until the ledger gives back the one who remembers."""

    def __init__(
        self,
        ground: Ground,
        records: Records,
        ledger: Ledger,
        sender: Carrier,
        relay: Relay,
        watch: Watch,
        watchdogs: Watchdogs,
        *,
        begin: Callable[[], None],
        take_over: Callable[[Symbol], Awaitable[None]],
    ) -> None:
        """``begin``: starts every look that needs no memory of ours. ``take_over``: owns a symbol by the ledger."""
        self._ground = ground
        self._records = records
        self._ledger = ledger
        self._sender = sender
        self._relay = relay
        self._watch = watch
        self._watchdogs = watchdogs
        self._begin = begin
        self._take_over = take_over
        self._posts: dict[PositionKey, tuple[Owner, asyncio.Task[None]]] = {}
        self._began_ms: Millis | None = None  # venue clock

    async def until(self, read: Callable[[], Awaitable[None]]) -> None:
        """Read the ledger, however long that takes; past our patience with it, stand in meanwhile."""
        async with asyncio.TaskGroup() as group:
            standing = group.create_task(going_on("standing in", lambda: self._stand(group)), name="standing in")
            await read()
            standing.cancel()
            for key in tuple(self._posts):  # which the ledger does not know
                await until_kept(partial(self._take_over, key.symbol))
        if self._began_ms is not None:
            self._began_ms = None
            self._watchdogs.counted_again()
            self._ground.barriers.level(CODE, None)

    @property
    def on(self) -> bool:
        """Whether anybody stands in."""
        return bool(self._posts)

    @property
    def since_ms(self) -> Millis:
        """From when on a holding that begins now has to know the trades, venue clock: stand-ins' are nobody else's."""
        return self._ground.venue_now_ms if self._began_ms is None else self._began_ms

    def at(self, key: PositionKey) -> bool:
        """Whether somebody stands in at this position."""
        return key in self._posts

    def relieve(self, key: PositionKey) -> CloseAsked | None:
        """He sends nothing more from here on; the whole close that he had begun, if any, is for who takes over."""
        post = self._posts.pop(key, None)
        if post is None:
            return None
        owner, task = post
        owner.deposed = True
        task.cancel()
        wanted = owner.holding.exit
        return CloseAsked(reason=wanted.reason, name=wanted.name) if wanted is not None and wanted.qty is None else None

    async def _stand(self, group: asyncio.TaskGroup) -> None:
        if self._began_ms is None:
            await asyncio.sleep(PATIENCE_S)
            self._began_ms = self._ground.venue_now_ms
        log.critical("standing_in", why=WHY)
        self._ground.barriers.level(CODE, WHY)
        self._begin()
        for symbol in self._ground.symbols:
            self._post(symbol, group)
        for pause_s in _pauses():
            await self._look_round(group)
            await asyncio.sleep(pause_s)

    async def _look_round(self, group: asyncio.TaskGroup) -> None:
        """Somebody at each symbol with something of ours; who thinks otherwise of his position asks at once."""
        seen = await until_answered(self._records.whole)
        held = {position.symbol: position.qty for position in seen.positions if position.qty}
        ours = {order.symbol for order in seen.orders if child_of(order.ref) is not None}
        for symbol in sorted({*held, *ours}):
            self._post(symbol, group)
        for owner, _ in tuple(self._posts.values()):
            if owner.holding.position.qty != held.get(owner.holding.key.symbol, ZERO):
                owner.hear(Gapped())
            owner.hear(Published(through=owner.holding.event_seq))  # nobody relays: it must not grow for ever

    def _post(self, symbol: Symbol, group: asyncio.TaskGroup) -> None:
        ground = self._ground
        key = ground.key(symbol)
        if key in ground.owners or symbol not in ground.instruments:
            return
        owner = Owner(
            self._blank(key),
            rev=0,
            fence=0,
            ledger=Unkept(self._ledger, WHY),
            sender=self._sender,
            relay=self._relay,
            clock=ground.clock,
            scene=self._scene,
        )
        owner.listeners += [self._tell, self._watch.heard, self._watchdogs.heard]
        ground.owners[key] = owner
        self._watch.expect_fees(symbol)
        self._posts[key] = owner, group.create_task(owner.run(), name=f"stand-in {key}")
        owner.hear(Restarted())

    def _blank(self, key: PositionKey) -> Holding:
        """Trades of before now are in the position that the venue shows, and are not counted beside it."""
        now_ms = self._ground.venue_now_ms
        confirmed_ms = Millis(now_ms + self._ground.policy.trades_overlap_ms)
        return Holding(key=key, root=stand_in_root(key, now_ms), trades_confirmed_ms=confirmed_ms)

    def _scene(self, holding: Holding) -> Scene:
        """There is no knowledge of our own that would speak against the venue's larger position."""
        scene = self._ground.scene(holding)
        return scene.but(policy=scene.policy.but(strikes=1))

    def _tell(self, events: tuple[Event, ...]) -> None:
        """His events reach no row; what somebody should hear of goes where all alerts go. That nobody here has ordered
        a position is no news of one who remembers nothing: whoever is woken by it might close what is his own.
        """
        for event in events:
            if isinstance(event.body, Alert) and event.body.code != UNEXPLAINED:
                self._ground.tell(event.body)


def _pauses() -> Iterator[float]:
    return chain(LOOKS_S, repeat(LOOK_S))
