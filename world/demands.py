"""What callers ask of a position or an order that is there already: a sale that only reduces, a stop of their own, a
change of an order that lives; and its owner moves his money to the other wallet and back (spot).

Drawn with the seed, in a share of the runs of its own, so that a run without them is what it was before there were any.
Each demand is about the intent of one wish, or the position it made. What was taken up is counted by kind.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from decimal import Decimal
from typing import Any, Final, Protocol

from chimera.services.router.router import Router
from chimera.services.stage.clock import VirtualClock
from chimera.services.stage.loop import DetLoop
from chimera.services.stage.network import Venue
from chimera.services.stage.tape import Tape
from chimera.trading.errors import NotSent, OutcomeUnknown, Refused, StoreUnavailable
from chimera.trading.ids import ClientOrderId, IntentId, stem_of
from chimera.trading.instrument import Instrument
from chimera.trading.intent import ExecPolicy, Intent, IntentKind, MakerThenTaker, MarketNow, StopAlone, StopSpec
from chimera.trading.market import Market
from chimera.trading.money import BPS, Millis, Price, Qty, text
from chimera.trading.value import Value
from world.link import Link
from world.others import Others
from world.plan import Deed
from world.workload import AGAIN_S, CALL_MS, ON_SPOT, Callers, Request, Wish

SELL, STOP, CHANGE, MONEY = "sell", "stop", "change", "money"
KINDS: Final = (SELL, SELL, STOP, STOP, CHANGE, CHANGE, MONEY)
RESTS_MS: Final = (0, 0, 300, 5_000)  # of a sale, as asked for: on spot a plan grants a second of it (``route.plan``)
TRIES: Final = 6  # of one demand


class Demand(Value):
    """One of ``KINDS``, about ``wish``. ``bps``: of a stop, away from mid; ``qty``: base asset; ``for_s``: of money."""

    number: int
    kind: str
    at_s: float
    wish: Wish
    bps: int
    qty: Qty
    wait_ms: int
    for_s: float


class Asked(Protocol):
    """What demands need of a world, or of one market of it."""

    instrument: Instrument
    taken: Counter[str]

    @property
    def loop(self) -> DetLoop: ...
    @property
    def tape(self) -> Tape: ...
    @property
    def clock(self) -> VirtualClock: ...
    @property
    def venue(self) -> Venue: ...
    @property
    def link(self) -> Link[Request, Any]: ...
    @property
    def callers(self) -> Callers: ...
    @property
    def others(self) -> Others: ...
    def mid(self) -> Decimal: ...


def _drawn(world: Asked, near: Sequence[Wish], *, last_s: float, share: float) -> Iterator[Demand]:
    """Two to five of them in ``share`` of the runs."""
    tape = world.tape
    if tape.u("demands?") >= share or not near:
        return
    market = world.instrument.market
    scale = 1 if market is Market.FUT else ON_SPOT
    for number in range(tape.whole("demands", 2, 5)):
        wish = tape.pick("demand_of", near)
        kind = tape.pick("demand_kind", KINDS if market is Market.SPOT else KINDS[:-1])
        at_s = wish.at_s + 0.02 + tape.u("demand_after") ** 2 * wish.hold_s
        yield Demand(
            number=number,
            kind=kind,
            at_s=min(at_s, last_s),
            wish=wish,
            bps=tape.whole("demand_bps", 3, 60),
            qty=Qty(world.instrument.step * tape.whole("demand_qty", 2, 40) * scale),
            wait_ms=tape.pick("demand_wait_ms", RESTS_MS),
            for_s=tape.between("demand_for", 1, 10),
        )


def demanded(world: Asked, near: Sequence[Wish], *, last_s: float, share: float, first: int = 0) -> None:
    """Drawn, and pursued each from its moment on; ``first``: an even number that they count from."""
    asking = _Asking(world)
    for demand in _drawn(world, near, last_s=last_s, share=share):
        asking.want(demand.but(number=demand.number + first))


class _Asking:
    """Who asks; what was taken up is counted in ``World.taken``."""

    def __init__(self, world: Asked) -> None:
        self._world = world
        self._asks: dict[str, Callable[[Demand], Coroutine[Any, Any, None]]] = {
            SELL: self._submit, STOP: self._submit, CHANGE: self._change, MONEY: self._move_money,
        }  # fmt: skip

    def want(self, demand: Demand) -> None:
        self._world.loop.outside(self._later(demand), name=f"{demand.kind} {demand.number}")

    async def _later(self, demand: Demand) -> None:
        await asyncio.sleep(demand.at_s)
        await self._asks[demand.kind](demand)

    async def _submit(self, demand: Demand) -> None:
        intent = self._stop(demand) if demand.kind == STOP else self._sale(demand)
        self._world.callers.intended[stem_of(intent.client_order_id)] = intent.qty

        async def submit(router: Router) -> Any:
            return await router.submit(intent, f"hash-{intent.intent_id}", wait_ms=1_000)

        await self._insist(demand, submit)

    async def _change(self, demand: Demand) -> None:
        """Another quantity where the number is even, another stop where it is odd."""
        name, stop = f"s3-w{demand.wish.number}", text(self._stop_price(demand))
        body: dict[str, object] = {"sl": {"price": stop}}
        if demand.number % 2 == 0:
            body = {"qty": text(demand.qty)}
            intended, stem = self._world.callers.intended, stem_of(ClientOrderId(name))
            intended[stem] = max(intended.get(stem, Decimal(0)), demand.qty)

        async def replace(router: Router) -> Any:
            return await router.replace(name, body)

        await self._insist(demand, replace)

    async def _move_money(self, demand: Demand) -> None:
        """Nearly all of it goes, and comes back: what is bought meanwhile lacks it."""
        for what in ("money_out", "money_back"):
            self._world.others.do(Deed(what=what, at_s=0))
            self._world.venue.pump()
            await asyncio.sleep(demand.for_s)
        self._world.taken[f"demand_{MONEY}"] += 1

    async def _insist(self, demand: Demand, request: Request) -> None:
        """The same again until it is taken up: what it is about may come a moment later."""
        for _ in range(TRIES):
            try:
                await self._world.link.call(None, request, timeout_ms=CALL_MS)
            except (Refused, NotSent, OutcomeUnknown, StoreUnavailable):
                await asyncio.sleep(AGAIN_S)
            else:
                self._world.taken[f"demand_{demand.kind}"] += 1
                return

    def _sale(self, demand: Demand) -> Intent:
        wait_ms = demand.wait_ms
        policy = MakerThenTaker(wait_ms=wait_ms, slices=1, gap_ms=0) if wait_ms else MarketNow()
        return self._intent(demand, policy, qty=demand.qty, kind=IntentKind.EXIT)

    def _stop(self, demand: Demand) -> Intent:
        stop = StopSpec(price=self._stop_price(demand))
        return self._intent(demand, StopAlone(), qty=Qty(Decimal(0)), kind=IntentKind.PROTECT, stop=stop)

    def _stop_price(self, demand: Demand) -> Price:
        away = demand.wish.side.sign
        wanted = self._world.mid() * (1 - away * demand.bps / BPS)
        return self._world.instrument.stop_toward_entry(wanted, demand.wish.side.opposite)

    def _intent(self, demand: Demand, policy: ExecPolicy, **more: Any) -> Intent:
        rules = self._world.instrument
        return Intent(
            intent_id=IntentId(f"d-{demand.number}"),
            client_order_id=ClientOrderId(f"s3-d{demand.number}"),
            market=rules.market,
            symbol=rules.symbol,
            side=demand.wish.side.opposite,
            policy=policy,
            created_ms=Millis(self._world.clock.now_ms()),
            reduce_only=True,
            **more,
        )
