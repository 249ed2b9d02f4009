"""A small stage for one hand-written story in the virtual-time world: S4, its adapter and the twin, all of them real.

A story says what callers want, how the market moves, which of the twin's faults strike, when S4 dies, and what the
account's owner does at the venue with his own hands. Nothing is drawn but waits on the wire. What it did is read from
the venue's log and from what the ledger holds in the end, never from S4's memory.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from unittest import mock
from urllib.parse import parse_qs

from chimera.adapters.binance.account import open_futures
from chimera.services.stage.clock import EPOCH_MS
from chimera.services.stage.proc import Proc
from chimera.simulate.door.messages import WireRequest
from chimera.simulate.trouble.scenario import read
from chimera.simulate.trouble.schedule import Schedule
from chimera.simulate.venue.account_spec import READY_ACCOUNT
from chimera.simulate.venue.audit import AuditRecord, Kind
from chimera.trading.ids import ClientOrderId, child_of
from chimera.trading.intent import ExecPolicy, MakerThenTaker, MarketNow
from chimera.trading.market import Marked, MarketEvent, Side, TopOfBook, Traded
from chimera.trading.money import ZERO, Millis, Price, Qty
from chimera.trading.order import NewOrder, OrderType
from chimera.trading.venue import OrderRef, VenueOrder
from chimera.wire import keys
from world import oracle, quiet
from world.composed import INSTRUMENT, World
from world.oracle import Violation
from world.plan import Blow, Plan
from world.run import CALLERS, Options, run
from world.seams import place_of
from world.workload import Wish

BID = Decimal("65800.0")
TICK = Decimal("0.1")
SHOWN = Qty(Decimal(5))  # on either side: what stands before a maker who joins
EVERY_S = 0.25
SYMBOL = INSTRUMENT.symbol
STEP = INSTRUMENT.step


def steps(count: int) -> Qty:
    """So many lots of the smallest size; one is about 66 USDT."""
    return Qty(STEP * count)


def a_wish(number: int = 0, at_s: float = 3.0, **more: Any) -> Wish:
    """A long at market of ten lots, its stop half a percent away, held to the end of the story's rough part."""
    wish = Wish(
        number=number, at_s=at_s, side=Side.BUY, qty=steps(10), policy=MarketNow(), stop_bps=50, target_bps=None,
        hold_s=14,
    )  # fmt: skip
    return wish.but(**more)


def policy_of(**more: Any) -> ExecPolicy:
    """A maker who waits, then a taker; in slices where more than one is asked for."""
    return MakerThenTaker(**({"wait_ms": 800, "slices": 1, "gap_ms": 0} | more))


@dataclass
class Story:
    """``moves``: (at_s, bps from the first bid); ``trades``: (at_s, side of the makers who are met, quantity).

    ``touch``: in place of ``moves``, (bid, ask, what stands at each) at a moment in seconds.
    ``faults``: mappings as in a scenario file, ``from_ms`` and ``to_ms`` counted from the world's begin. ``hands``:
    (at_s, what the owner does). ``wipe_s``: the moments at which the ledger loses every holding.
    """

    wishes: tuple[Wish, ...] = ()
    moves: tuple[tuple[float, int], ...] = ()
    trades: tuple[tuple[float, Side, Qty], ...] = ()
    touch: Callable[[float], tuple[Price, Price, Qty]] | None = None
    faults: tuple[dict[str, Any], ...] = ()
    hands: tuple[tuple[float, "Deed"], ...] = ()
    blows: tuple[Blow, ...] = ()
    down_ms: int = 500
    rough_s: float = 24.0
    calm_s: float = 40.0
    wipe_s: tuple[float, ...] = ()
    bare_s: float = 1.5  # the longest a position may be bare where nobody could know better
    seed: int = 1
    extra: tuple[Callable[["Stage"], None], ...] = ()
    probe: bool = False  # S4 asks at its start which forms of stop the venue takes


@dataclass
class Stage:
    """What a story sees of its world; filled while it runs."""

    world: World
    rough_s: float
    requests: list[tuple[float, WireRequest]] = field(default_factory=list)
    alerts: list[dict[str, Any]] = field(default_factory=list)
    orders: list[dict[str, Any]] = field(default_factory=list)
    fills: list[dict[str, Any]] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        transport = self.world.venue.transport(Proc(self.world.loop, "human", 0))
        key, secret = READY_ACCOUNT.api_key, READY_ACCOUNT.secret
        self._account = open_futures(transport, key, secret, self.world.clock, jitter=random.Random(1))
        self.raw = self._account.raw

    async def place(self, ref: str, side: Side, qty: Qty, **more: Any) -> VenueOrder:
        """The owner places an order of his own, at market unless told otherwise."""
        await self._account.rulebook.server_offset_ms()
        order = NewOrder(
            **({"ref": ClientOrderId(ref), "symbol": SYMBOL, "side": side, "type": OrderType.MARKET, "qty": qty} | more)
        )
        return await self._account.venue.place(order, timeout_ms=3_000)

    async def cancel(self, ref: str, *, conditional: bool = True) -> None:
        await self._account.rulebook.server_offset_ms()
        named = OrderRef(symbol=SYMBOL, ref=ClientOrderId(ref), conditional=conditional)
        await self._account.venue.cancel(named, timeout_ms=3_000)

    def cancel_all_algos(self) -> None:
        """As somebody at the venue's own page might: every stop and target that waits is gone."""
        world = self.world
        world.twin.tick(world.clock.now_ms())
        exchange = world.twin.usdm
        account = exchange.floor.accounts[READY_ACCOUNT.name]
        for algo in tuple(exchange.floor.algos.waiting_of(account, SYMBOL)):
            exchange.cancel_algo(algo)
        world.venue.pump()

    async def ask_s4(self, name: str, request: Callable[[Any], Awaitable[Any]]) -> Any:
        """One call to S4's own face; what it answered stays under ``name``."""
        self.answers[name] = answer = await self.world.link.call(None, request, timeout_ms=6_000)  # type: ignore[arg-type]
        return answer


_ENDS = (Kind.CANCEL, Kind.EXPIRE, Kind.TRIGGER, Kind.REJECT)
Deed = Callable[[Stage], Awaitable[None]]


@dataclass
class Told:
    """What came of a story."""

    violations: tuple[Violation, ...]
    audit: list[AuditRecord]  # times in us of virtual time from the world's begin
    answers: dict[str, str]
    longest_bare_ms: int
    stage: Stage

    @property
    def broken(self) -> list[str]:
        return [f"{violation.invariant} {violation.text}" for violation in self.violations]

    def broken_but(self, *known: str) -> list[str]:
        """Without what the story itself brings about: violations whose sentence begins so."""
        return [each for each in self.broken if not each.startswith(known)]

    @property
    def alerts(self) -> list[str]:
        """Codes, oldest first."""
        return [str(alert["code"]) for alert in self.stage.alerts]

    @property
    def requests(self) -> list[tuple[float, WireRequest]]:
        """What S4 (and the owner) sent, with its moment in seconds."""
        return self.stage.requests

    def only(self, kind: Kind, role: str = "", *, conditional: bool | None = None) -> list[AuditRecord]:
        """Records of one kind, of S4's orders in one role; ``conditional``: of the Algo service or not."""
        return [
            record
            for record in self.audit
            if record.kind is kind
            and (not role or role_of(record) == role)
            and (conditional is None or (record.order_id is None) is conditional)
        ]

    @property
    def entries(self) -> list[AuditRecord]:
        """Orders that could add exposure and that the venue took, S4's alone."""
        return [each for each in self.only(Kind.ACCEPT) if oracle.is_entry(each) and role_of(each) in ("m", "t")]

    @property
    def bought(self) -> Decimal:
        """What S4's entries filled."""
        mine = [each for each in self.only(Kind.FILL) if oracle.is_entry(each) and role_of(each) in ("m", "t")]
        return sum((each.qty or ZERO for each in mine), ZERO)

    def position(self, at_s: float) -> Decimal:
        """The venue's, signed, at a moment."""
        held = ZERO
        for record in self.only(Kind.FILL):
            if record.at_us <= at_s * 1e6:
                held += (record.qty or ZERO) * (1 if record.side == "BUY" else -1)
        return held

    def live(self, at_s: float, role: str = "", *, conditional: bool = True) -> list[str]:
        """Client ids of the orders that wait at a moment."""
        waiting: dict[int, str] = {}
        for record in self.audit:
            if record.at_us > at_s * 1e6 or (record.order_id is None) is not conditional:
                continue
            key = (record.algo_id if conditional else record.order_id) or 0
            if record.kind is Kind.ACCEPT and (not role or role_of(record) == role):
                waiting[key] = record.client_order_id
            elif record.kind in _ENDS or (record.kind is Kind.FILL and record.status == "FILLED"):
                waiting.pop(key, None)
        return list(waiting.values())


def role_of(record: AuditRecord) -> str:
    """The letter of our child ids; "" for somebody else's order."""
    child = child_of(ClientOrderId(record.client_order_id))
    return child[1] if child else ""


def asked(request: WireRequest) -> dict[str, str]:
    """Its parameters."""
    return {name: values[-1] for name, values in parse_qs(f"{request.query}&{request.body}").items()}


def play(story: Story, off: str | None = None) -> Told:
    """Run it, with the safeguard ``off`` removed."""
    script = _Script(story)
    options = Options(
        safety_s=story.rough_s, liveness_s=story.calm_s, market_stops_s=2, faults=False, who=CALLERS, fifo=True
    )
    verdict = run(
        story.seed,
        off,
        options,
        plan=Plan(rates={}, blows=story.blows, offset_ms=0, restart_ms=(story.down_ms, story.down_ms)),
        story=story.wishes or (_NEVER,),
        market=_market(story),
        keep_audit=True,
        script=script,
    )
    audit = [record.but(at_us=record.at_us - quiet.EPOCH_US) for record in verdict.audit]
    assert script.stage is not None
    longest_ms = verdict.counters["longest_bare_ms"]
    borne = story.bare_s > 1.5 and longest_ms <= story.bare_s * 1000
    violations = tuple(each for each in verdict.violations if not (borne and each.invariant == "I10"))
    return Told(violations, audit, verdict.answers, longest_ms, script.stage)


@contextmanager
def without(*seams: tuple[str, str, Any]) -> Iterator[None]:
    """Break the product for a while: (``package.module[:Class]``, attribute, what stands there instead)."""
    with ExitStack() as stack:
        for place, attribute, instead in seams:
            stack.enter_context(mock.patch.object(place_of(place), attribute, instead))
        yield


_NEVER = a_wish(number=99, at_s=10_000)  # a story without callers


class _Script:
    """``world.run.Script`` of one story."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self.stage: Stage | None = None

    def begin(self, world: World) -> None:
        story = self._story
        self.stage = stage = Stage(world, story.rough_s)
        world.probe = story.probe
        world.twin.begin(read({"seed": 1, "faults": list(story.faults)}))
        execute = world.venue.execute

        def heard(request: WireRequest) -> Any:
            stage.requests.append((world.loop.time(), request))
            return execute(request)

        world.venue.execute = heard  # type: ignore[method-assign]  # the story listens at the venue's door
        for at_s, deed in story.hands:
            world.loop.outside(_later(at_s, deed, stage), name=f"hand at {at_s}")
        for at_s in story.wipe_s:
            world.loop.call_later(at_s, world.ledger._seats.clear)
        world.loop.call_later(story.rough_s, self._heal)
        for more in story.extra:
            more(stage)

    def _heal(self) -> None:
        assert self.stage is not None
        faults = self.stage.world.twin.faults
        if isinstance(faults, Schedule):
            faults.clear(None)

    async def end(self, world: World) -> None:
        assert self.stage is not None
        rows = await world.ledger.find(keys.STRATEGY_EVENTS, newest=100_000)
        self.stage.alerts = [dict(row) for row in reversed(rows) if row.get("kind") == "ALERT"]
        self.stage.orders = [dict(row) for row in await world.ledger.find(keys.ORDERS, newest=100_000)]
        self.stage.fills = [dict(row) for row in await world.ledger.find(keys.FILLS, newest=100_000)]


async def _later(at_s: float, deed: Deed, stage: Stage) -> None:
    await asyncio.sleep(at_s)
    await deed(stage)


def _market(story: Story) -> Iterator[MarketEvent]:
    """The touch and the mark, four times a second and at every move; trades where the story wants them."""
    whole_s = story.rough_s + story.calm_s
    moments = {round(number * EVERY_S, 6) for number in range(round(whole_s / EVERY_S))}
    moments |= {at_s for at_s, _ in story.moves}
    events: list[MarketEvent] = []
    for at_s in sorted(moments):
        bid, ask, shown = story.touch(at_s) if story.touch else _touch(story, at_s)
        at_us = _us(at_s)
        events.append(TopOfBook(symbol=SYMBOL, at_us=at_us, bid=bid, bid_qty=shown, ask=ask, ask_qty=shown))
        rate, funding_ms = Decimal("0.0001"), Millis(EPOCH_MS + 28_800_000)
        events.append(
            Marked(symbol=SYMBOL, at_us=at_us, mark=bid, index=bid, funding_rate=rate, next_funding_ms=funding_ms)
        )
    for at_s, maker, qty in story.trades:
        bid = _bid(story, at_s)
        price = bid if maker is Side.BUY else Price(bid + TICK)
        events.append(Traded(symbol=SYMBOL, at_us=_us(at_s), price=price, qty=qty, taker=maker.opposite))
    yield from sorted(events, key=lambda event: event.at_us)


def _touch(story: Story, at_s: float) -> tuple[Price, Price, Qty]:
    bid = _bid(story, at_s)
    return bid, Price(bid + TICK), SHOWN


def _bid(story: Story, at_s: float) -> Price:
    bps = next((bps for moved_s, bps in reversed(story.moves) if moved_s <= at_s), 0)
    return Price((BID * (1 + Decimal(bps) / 10_000)).quantize(TICK))


def _us(at_s: float) -> int:
    return EPOCH_MS * 1000 + round(at_s * 1e6)
