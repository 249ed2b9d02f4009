"""What the venue says of a kill, and the signed receipt of it.

Invariant: "verified" means that the venue itself was asked after the kill and showed nothing that should be gone; what
could not be asked is named among what remains. Neither store holds up a receipt.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final, Protocol

import structlog

from chimera.ports.clock import Clock
from chimera.ports.ledger import Rows
from chimera.ports.streams import Bus
from chimera.ports.venue import Records
from chimera.services.router.owner import Owner
from chimera.trading.errors import ChimeraError, StoreUnavailable, VenueRejected
from chimera.trading.events import Severity
from chimera.trading.ids import VENUE, AccountId, PositionKey, Symbol
from chimera.trading.market import Market, Side
from chimera.trading.money import ZERO, Millis, text
from chimera.trading.order import Order
from chimera.trading.position import Lot
from chimera.trading.refusal import Refusal
from chimera.trading.standstill import Kill, Scope
from chimera.trading.value import Value
from chimera.trading.venue import VenueOrder
from chimera.wire import keys
from chimera.wire.alerts import S4, described
from chimera.wire.codec import encode
from chimera.wire.events import fields_of

log = structlog.get_logger()

FIRST_PAUSE_S: Final = 0.25  # between two looks, then doubled: a look costs weight, which exits need
LONGEST_PAUSE_S: Final = 2.0
_OF_THE_KEY: Final = (Refusal.KEY, Refusal.SIGNATURE, Refusal.NOT_PERMITTED)
KNOWN_BY: Final = 1_000  # newest orders, by which a strategy is known
NAMES_TOLD: Final = 20
ONE_LOOK_S: Final = 2.0  # how long the first look may take, however little patience there is


class Seal(Protocol):
    """Signs receipts."""

    @property
    def key_id(self) -> str:
        """Which key: the public part, base64."""
        ...

    def sign(self, body: bytes) -> str:
        """The signature of exactly these bytes, base64."""
        ...


class Verdict(Value):
    """What the venue said of everything under a kill. ``remains``: what should be gone and is not, or was not told."""

    at_ms: Millis
    remains: tuple[str, ...]
    positions: dict[str, str]  # symbol (spot: ``SPOT symbol``, what is ours of it) to signed quantity, base asset


class Witness:
    """Asks the venue, signs, keeps and tells."""

    def __init__(
        self,
        account_id: AccountId,
        owners: Mapping[PositionKey, Owner],
        *,
        rows: Rows,
        bus: Bus,
        records: Mapping[Market, Records],
        clock: Clock,
        seal: Seal,
        complete: Callable[[], bool],
    ) -> None:
        """``complete``: whether ``owners`` has every position of the account yet."""
        self._account_id = account_id
        self._owners = owners
        self._rows = rows
        self._bus = bus
        self._records = records
        self._clock = clock
        self._seal = seal
        self._complete = complete

    async def verify(self, kill: Kill, *, patience_s: float) -> Verdict:
        """The venue's word on every symbol the kill reaches, asked again until all is gone or patience runs out."""
        deadline_ms = self._clock.monotonic_ms() + round(patience_s * 1000)
        verdict = Verdict(at_ms=self._clock.now_ms(), remains=("the venue was not heard in time",), positions={})
        pause_s = FIRST_PAUSE_S
        try:
            async with asyncio.timeout(max(patience_s, ONE_LOOK_S)):
                verdict = await self._look_round(kill)
                while self._may_go(kill, verdict) and (left_ms := deadline_ms - self._clock.monotonic_ms()) > 0:
                    await asyncio.sleep(min(pause_s, left_ms / 1000))
                    pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
                    verdict = await self._look_round(kill)
        except TimeoutError:
            log.warning("venue_slow_after_kill", scope=kill.scope, name=kill.name)
        return verdict.but(remains=(*verdict.remains, *await self._strange_to_us(kill)))

    async def _strange_to_us(self, kill: Kill) -> tuple[str, ...]:
        """Of a strategy that no order here is of: it reaches everything, and that nothing of it is left proves nothing
        where its name is mistyped. Of symbols and markets the venue knows (``_look_where_nobody_trades``).
        """
        if kill.scope is not Scope.STRATEGY:
            return ()
        known = {name for owner in self._owners.values() for name in _strategies(owner)}
        if kill.name in known:
            return ()
        try:
            async with asyncio.timeout(ONE_LOOK_S):
                rows = await self._rows.find(keys.ORDERS, newest=KNOWN_BY)
        except (StoreUnavailable, TimeoutError):
            return (f"whether any order was of {kill.scope} {kill.name} cannot be read just now",)
        known |= {str(row["strategy_id"]) for row in rows if row.get("strategy_id")}
        return () if kill.name in known else (f"no order here is of {kill.scope} {kill.name}; known: {_some(known)}",)

    def _may_go(self, kill: Kill, verdict: Verdict) -> bool:
        """Whether waiting can change the verdict. What nobody here trades is as it is."""
        return bool(verdict.remains) and (not self._complete() or bool(self._reached(kill)))

    def _reached(self, kill: Kill) -> list[Owner]:
        return [owner for key, owner in self._owners.items() if kill.reaches(key)]

    async def _look_round(self, kill: Kill) -> Verdict:
        reached = self._reached(kill)
        found = await asyncio.gather(*(self._look(owner, kill) for owner in reached))
        held = {_named(owner.holding.key): qty for owner, (_, qty) in zip(reached, found, strict=True)}
        unasked: list[str] = []
        if not self._complete():
            unasked = ["positions are not loaded yet"]
        elif not reached:
            unasked, held = await self._look_where_nobody_trades(kill)
        remains = (*unasked, *(line for remains, _ in found for line in remains))
        if not remains:  # it weighs as much as seven symbols: only before all is said to be gone
            strange, others = await self._strange(kill)
            remains, held = tuple(strange), held | others
        return Verdict(
            at_ms=self._clock.now_ms(),
            remains=remains,
            positions={symbol: qty for symbol, qty in held.items() if qty is not None},
        )

    async def _look_where_nobody_trades(self, kill: Kill) -> tuple[list[str], dict[str, str | None]]:
        """What remains, and positions, of a symbol that nobody here owns: by each market that knows it.

        A name that none of them knows may be another's with a typing error, and is never verified.
        """
        remains: list[str] = []
        held: dict[str, str | None] = {}
        for market, records in self._records.items() if kill.scope is Scope.SYMBOL else ():
            key = PositionKey(venue=VENUE, account=self._account_id, market=market, symbol=Symbol(kill.name))
            try:
                snapshot = await records.survey(key.symbol, self._clock.now_ms())
            except ChimeraError as error:
                if isinstance(error, VenueRejected) and error.refusal not in _OF_THE_KEY:
                    continue  # it does not know the symbol
                remains.append(f"{_named(key)}: the venue was not heard: {error}")
                continue
            qty = snapshot.position.qty if market.reduces_only else ZERO  # what a wallet holds is not ours
            held[_named(key)] = text(qty)
            remains += [f"{order.ref} rests on the venue" for order in snapshot.orders if not _only_reduces(order, key)]
            if kill.flatten and qty:
                remains.append(f"{_named(key)}: {text(qty)} is still held")
        if not held and not remains:
            told = f"nothing that is traded here is under {kill.scope} {kill.name}".rstrip()
            traded = {str(key.symbol) for key in self._owners}
            remains.append(f"{told}; traded: {_some(traded)}" if kill.scope is Scope.SYMBOL else told)
        return remains, held

    async def _strange(self, kill: Kill) -> tuple[list[str], dict[str, str | None]]:
        """What the venue shows under the kill in symbols that nobody here owns; on spot that is somebody else's."""
        remains: list[str] = []
        positions: dict[str, str | None] = {}
        wide = kill.scope in (Scope.GLOBAL, Scope.MARKET)
        for market, records in self._records.items() if wide else ():
            if not market.reduces_only:
                continue
            unowned = partial(self._unowned, kill, market)
            try:
                seen = await records.whole()
            except ChimeraError as error:
                remains.append(f"the whole account was not heard: {error}")
                continue
            orders = [order for order in seen.orders if unowned(order.symbol)]
            remains += [f"{o.ref} rests on the venue" for o in orders if not (o.reduce_only or o.close_position)]
            positions |= {each.symbol: text(each.qty) for each in seen.positions if unowned(each.symbol)}
        if kill.flatten:
            remains += [f"{symbol}: {qty} is still held" for symbol, qty in positions.items()]
        return remains, positions

    def _unowned(self, kill: Kill, market: Market, symbol: Symbol) -> bool:
        key = PositionKey(venue=VENUE, account=self._account_id, market=market, symbol=symbol)
        return kill.reaches(key) and key not in self._owners

    async def _look(self, owner: Owner, kill: Kill) -> tuple[list[str], str | None]:
        key, symbol = owner.holding.key, _named(owner.holding.key)
        try:
            snapshot = await self._records[key.market].survey(key.symbol, self._clock.now_ms())
        except ChimeraError as error:
            return [f"{symbol}: the venue was not heard: {error}"], None
        held = snapshot.position.qty if key.market.reduces_only else owner.holding.exposure  # a wallet has others' too
        remains = [] if owner.recovered.is_set() else [f"{symbol} has not heard the venue since the start"]
        remains += [f"{order.ref} is {order.status}" for order in entries_under(owner, kill)]
        remains += [
            f"{order.ref} rests on the venue"
            for order in snapshot.orders
            if not _only_reduces(order, key) and _under(owner, owner.holding.orders.get(order.ref), kill)
        ]
        if kill.flatten and kill.scope is Scope.STRATEGY:
            remains += [
                f"{symbol}: {text(lot.qty)} of {lot.intent_id} is still held" for lot in lots_under(owner, kill)
            ]
        elif kill.flatten and held:
            remains.append(f"{symbol}: {text(held)} is still held")
        return remains, text(held)

    async def receipt(self, code: str, body: dict[str, Any]) -> dict[str, Any]:
        """``body`` signed over its canonical JSON (``wire.codec.encode``), kept and told."""
        body = {"account_id": self._account_id, **body}
        signed = {**body, "key_id": self._seal.key_id, "signature": self._seal.sign(encode(body))}
        name = f"controls:{self._account_id}:{body['rev']}:{code}"
        place = " ".join(filter(None, (str(body["scope"]), body["name"])))
        told = {"event_id": name} | described(
            service=S4,
            account_id=self._account_id,
            severity=Severity.FATAL if code == "KILLED" else Severity.WARN,
            code=code,
            text=f"{place} by {body['by']}: {body['reason']}",
            at_ms=self._clock.now_ms(),
            subject=place,
            lasts=code == "KILLED",
        )
        fields = fields_of(told) | {"data": encode({"kind": code, **told, **signed}).decode()}
        await asyncio.gather(  # together: who waits for a receipt has waited long enough where both are away
            _try(lambda: self._rows.put(keys.RECEIPTS, name, {"kind": code, **signed}), code),
            _try(lambda: self._bus.publish(keys.ALERTS, name, fields), code),
        )
        return signed


async def _try(deed: Callable[[], Awaitable[object]], code: str) -> None:
    try:
        await deed()
    except StoreUnavailable as error:
        log.warning("receipt_untold", code=code, error=str(error))


def _named(key: PositionKey) -> str:
    """A symbol of futures by its name alone, one of another market with it."""
    return key.symbol if key.market is Market.FUT else f"{key.market} {key.symbol}"


def _strategies(owner: Owner) -> set[str]:
    """Of what is held, and of what is known."""
    of_intents = {str(work.intent.strategy_id) for work in owner.holding.intents.values()}
    return of_intents | {str(lot.strategy_id) for lot in owner.holding.position.lots}


def _some(names: set[str]) -> str:
    """The first few, for a line."""
    more = f" and {len(names) - NAMES_TOLD} more" if len(names) > NAMES_TOLD else ""
    return (", ".join(sorted(names)[:NAMES_TOLD]) or "none") + more


def _only_reduces(order: VenueOrder, key: PositionKey) -> bool:
    """By its own word; on spot, where nothing is reduce-only, what sells adds to no position of ours."""
    sells = not key.market.reduces_only and order.side is Side.SELL
    return order.reduce_only or order.close_position or sells


def lots_under(owner: Owner, kill: Kill) -> list[Lot]:
    """The lots that the kill is about."""
    return [lot for lot in owner.holding.position.lots if kill.covers(owner.holding.key, lot.strategy_id)]


def entries_under(owner: Owner, kill: Kill) -> list[Order]:
    """Orders under the kill that may still add to the position, or did so and were not heard of."""
    return [
        order
        for order in owner.holding.orders.values()
        if not order.request.reduce_only and (order.owed or not order.status.final) and _under(owner, order, kill)
    ]


def _under(owner: Owner, order: Order | None, kill: Kill) -> bool:
    """Whether the order is under the kill; one of no known intent is, but for a strategy's kill."""
    working = None if order is None else owner.holding.working_of(order)
    if working is None:
        return kill.scope is not Scope.STRATEGY
    return kill.covers(owner.holding.key, working.intent.strategy_id)
