"""The stall: ledger and bus away for a minute while makers fill in parts, every wait on the wire a fixed one (FL-5).

The market is scripted and does not move, so the only things that happen are those under test: a maker that rests when
the stores go away and fills in several parts, a MARKET order that left just before, a stop that somebody takes away at
the venue, and entries asked for while the stores are gone. What follows from it is measured on the venue's log.
"""

import gc
import logging
from collections.abc import Iterator
from typing import Final

import structlog

from chimera.services.stage.loop import DetLoop
from chimera.services.stage.tape import Tape
from chimera.services.stage.trip import is_entry
from chimera.simulate.door.messages import WireRequest
from chimera.simulate.venue.account_spec import READY_ACCOUNT
from chimera.simulate.venue.audit import AuditRecord, Kind
from chimera.trading.intent import MakerThenTaker, MarketNow
from chimera.trading.market import MarketEvent, Side
from chimera.trading.money import Qty
from chimera.trading.value import Value
from world import oracle, quiet
from world.composed import INSTRUMENT, World
from world.fences import fenced
from world.flat import SHOWN, against, flat_market
from world.plan import Away, Plan
from world.workload import Wish

STALL_S, FOR_S, WHOLE_S = 20.0, 60.0, 150.0
PARTS_S: Final = (0.2, 0.45, 0.4505, 0.9, 1.4, 1.9)  # after the stall began; two of them nearly at once
PART: Final = Qty(INSTRUMENT.step * 4)
STOP_TAKEN_S: Final = 6.0
WIRE: Final = ("frame:", "there:", "back:", "connect")


class Scene(Value):
    """``one_way_ms`` of every message to and from the venue; the MARKET order is asked for so long before the stall."""

    one_way_ms: int
    market_before_ms: int
    side: Side = Side.BUY

    @property
    def bound_us(self) -> int:
        """A fill's way to us, its stop's way back, and 5 ms."""
        return 2 * self.one_way_ms * 1000 + 5_000


class Seen(Value):
    """What the venue's log says of one scene; times in us of virtual time from the run's begin."""

    cover: tuple[oracle.Cover, ...]  # of each entry fill that came in the stall
    maker_parts: int
    market_fills: int
    stops_replaced_us: tuple[int, ...]  # after a stop was taken away at the venue: until the position was covered again
    left_us: tuple[int, ...]  # when an entry left in the stall
    accepted_late_us: tuple[int, ...]  # when the venue took one that cannot have left before it
    own_faults: tuple[str, ...]


class Even(Tape):
    """No luck on the wire: every wait is the typical one, and each way to and from the venue the same."""

    def __init__(self, seed: int, one_way_ms: int) -> None:
        super().__init__(seed)
        self._one_way_us = one_way_ms * 1000

    def latency_us(self, label: str, typical_us: int) -> int:
        return self._one_way_us if label.startswith(WIRE) else typical_us


def play(scene: Scene) -> Seen:
    """One scene from begin to end."""
    stall = tuple(Away(what=what, at_s=STALL_S, for_s=FOR_S) for what in ("ledger", "bus"))
    loop = DetLoop(scene.one_way_ms, fifo=True)
    tape = Even(scene.one_way_ms, scene.one_way_ms)
    plan = Plan(rates={}, blows=stall, offset_ms=0)
    world = World(scene.one_way_ms, loop, tape, plan, market=_market(scene.side))
    left: list[int] = []
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    gc.disable()
    try:
        with fenced(loop):
            world.start(market_s=WHOLE_S - 10)
            world.venue.sent = lambda request: _note(left, loop, request)
            for wish in _wishes(scene):
                world.callers.want(wish)
            loop.call_later(STALL_S + STOP_TAKEN_S, _take_stop_away, world)
            loop.run_for(WHOLE_S)
            world.power_off()
    finally:
        gc.enable()
        structlog.configure(**before)
    audit = [record.but(at_us=record.at_us - quiet.EPOCH_US) for record in world.twin.audit]
    seen = _seen(scene, audit, left, [*loop.unheard(), *world.own_faults])
    loop.close()
    return seen


def _note(left: list[int], loop: DetLoop, request: WireRequest) -> None:
    if is_entry(request):
        left.append(loop.now_us)


def _take_stop_away(world: World) -> None:
    """As somebody at the venue's own page might: every stop that waits is cancelled."""
    world.twin.tick(world.clock.now_ms())
    exchange = world.twin.usdm
    account = exchange.floor.accounts[READY_ACCOUNT.name]
    for algo in tuple(exchange.floor.algos.waiting_of(account, INSTRUMENT.symbol)):
        exchange.cancel_algo(algo)
    world.venue.pump()


def _wishes(scene: Scene) -> Iterator[Wish]:
    maker = Wish(
        number=0,
        at_s=STALL_S - 0.4,
        side=scene.side,
        qty=Qty(PART * (len(PARTS_S) + 1)),  # one part is left: it still rests when its time is over
        policy=MakerThenTaker(wait_ms=2_900, slices=1, gap_ms=0),
        stop_bps=60,
        target_bps=None,
        hold_s=110,
    )
    # One before, so that leverage is set: it ends well before the stall.
    yield maker.but(number=9, at_s=5.0, qty=PART, policy=MarketNow(), hold_s=4)
    yield maker
    yield maker.but(
        number=1, at_s=STALL_S - scene.market_before_ms / 1000, qty=Qty(INSTRUMENT.step * 5), policy=MarketNow()
    )
    for number, after_s in ((2, 1.0), (3, 12.0), (4, 40.0)):
        yield maker.but(number=number, at_s=STALL_S + after_s, qty=PART, policy=MarketNow(), hold_s=20)


def _market(side: Side) -> Iterator[MarketEvent]:
    """Each trade fills a part; what stands in front of us goes with the first."""
    sizes = [(STALL_S + after_s, Qty(PART + (SHOWN if number == 0 else 0))) for number, after_s in enumerate(PARTS_S)]
    return flat_market([against(side, at_s, qty) for at_s, qty in sizes], until_s=WHOLE_S)


def _seen(scene: Scene, audit: list[AuditRecord], left: list[int], faults: list[str]) -> Seen:
    begun, ended = round(STALL_S * 1e6), round((STALL_S + FOR_S) * 1e6)
    covers = [cover for cover in oracle.covers(audit) if begun < cover.fill_us <= ended]
    makers = {record.trade_id for record in audit if record.kind is Kind.FILL and record.maker}
    taken = begun + round(STOP_TAKEN_S * 1e6)
    bare = oracle.uncovered_spans(audit, round(WHOLE_S * 1e6))
    last_us = begun + scene.one_way_ms * 1000  # an entry that left before is there by now
    return Seen(
        cover=tuple(covers),
        maker_parts=sum(cover.trade_id in makers for cover in covers),
        market_fills=sum(cover.trade_id not in makers for cover in covers),
        stops_replaced_us=tuple(span.to_us - span.from_us for span in bare if span.from_us == taken),
        left_us=tuple(at_us for at_us in left if begun < at_us <= ended),
        accepted_late_us=tuple(
            record.at_us
            for record in audit
            if record.kind is Kind.ACCEPT and oracle.is_entry(record) and last_us < record.at_us <= ended
        ),
        own_faults=tuple(faults),
    )
