"""FL-5: ledger and Redis stalled for a minute: every fill has its stop in time all the same, and no entry leaves.

Sixty worlds in virtual time without other faults. Makers rest just before the stores stall, so that they fill during
it; more entries are asked for while the stores are away. Every wait on the wire is its typical one, so that "one venue
round trip" is a number: a frame from the venue and a request to it.
"""

import gc
import logging
from decimal import Decimal
from typing import Final

import structlog

from chimera.services.world import oracle, quiet
from chimera.services.world.composed import INSTRUMENT, World
from chimera.services.world.fences import fenced
from chimera.services.world.loop import DetLoop
from chimera.services.world.network import FRAME_US, ONE_WAY_US
from chimera.services.world.plan import Away, Plan
from chimera.services.world.tape import Tape
from chimera.services.world.workload import Wish
from chimera.simulate.audit import AuditRecord, Kind
from chimera.trading.ids import ClientOrderId, child_of
from chimera.trading.intent import MakerThenTaker, MarketNow
from chimera.trading.market import Side
from chimera.trading.money import Qty
from proofs.measured import Measured

BAR: Final = "stores stalled 60 s: every fill covered within one venue round trip (10 ms) + 5 ms; no entry leaves"
BOUND_US: Final = FRAME_US + ONE_WAY_US + 5_000
SEEDS: Final = range(1, 61)
STALL_S, FOR_S, WHOLE_S = 20.0, 60.0, 130.0
FEWEST_FILLS: Final = 10


class Even(Tape):
    """No luck on the wire: every wait is the typical one."""

    def latency_us(self, label: str, typical_us: int) -> int:
        return typical_us


def prove() -> Measured:
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    fills, late, left, longest_us = 0, [], [], 0
    try:
        for seed in SEEDS:
            audit = live(seed)
            stalled = [record for record in audit if STALL_S < record.at_us / 1e6 <= STALL_S + FOR_S]
            fills += sum(_is_entry_fill(record) for record in stalled)
            left += [f"seed {seed}: {record.client_order_id}" for record in stalled if _entry_left(record)]
            for span in oracle.uncovered_spans(audit, round(WHOLE_S * 1e6)):
                if STALL_S < span.from_us / 1e6 <= STALL_S + FOR_S:
                    longest_us = max(longest_us, span.to_us - span.from_us)
                    if span.to_us - span.from_us > BOUND_US:
                        late.append(f"seed {seed} at {span.from_us / 1e6:.3f} s: {span.to_us - span.from_us} us")
    finally:
        structlog.configure(**before)
    measured = {
        "worlds": len(SEEDS),
        "fills_while_stalled": fills,
        "longest_bare_ms": longest_us / 1000,
        "late": late[:5],
        "entries_left": left[:5],
    }
    return Measured(measured, BAR, passed=fills >= FEWEST_FILLS and not late and not left, seed=SEEDS.start)


def live(seed: int) -> list[AuditRecord]:
    """One world; the venue's log with times from its beginning."""
    blows = tuple(Away(what=what, at_s=STALL_S, for_s=FOR_S) for what in ("ledger", "bus"))
    loop = DetLoop(seed)
    world = World(seed, loop, Even(seed), Plan(rates={}, blows=blows, offset_ms=0))
    side = Side.BUY if seed % 2 else Side.SELL
    gc.disable()
    try:
        with fenced(loop):
            world.start(market_s=WHOLE_S - 20)
            for number in range(6):
                world.callers.want(_maker(number, side) if number < 4 else _taker(number, side))
            loop.run_for(WHOLE_S)
            world.s4.power_off()
    finally:
        gc.enable()
    audit = [record.but(at_us=record.at_us - quiet.EPOCH_US) for record in world.twin.audit]
    loop.close()
    return audit


def _maker(number: int, side: Side) -> Wish:
    """Rests from shortly before the stall on."""
    return Wish(
        number=number,
        at_s=STALL_S - 0.3 - number * 0.4,
        side=side,
        qty=Qty(INSTRUMENT.step * 20),
        policy=MakerThenTaker(wait_ms=2_900, slices=1, gap_ms=0),
        stop_bps=60,
        target_bps=None,
        hold_s=100,
    )


def _taker(number: int, side: Side) -> Wish:
    """Asked for while the stores are away."""
    return _maker(number, side).but(at_s=STALL_S + 5.0 * (number - 3), policy=MarketNow())


def _role(record: AuditRecord) -> str:
    child = child_of(ClientOrderId(record.client_order_id))
    return child[1] if child else ""


def _is_entry_fill(record: AuditRecord) -> bool:
    return record.kind is Kind.FILL and not record.reduce_only and _role(record) in ("m", "t")


def _entry_left(record: AuditRecord) -> bool:
    """A placement that adds exposure reached the venue later than one sent before the stall could have."""
    sent = record.kind is Kind.REQUEST and record.method == "POST" and _role(record) in ("m", "t")
    return sent and Decimal(record.at_us) > Decimal(round(STALL_S * 1e6) + ONE_WAY_US + 1_000)
