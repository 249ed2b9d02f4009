"""I2, I25 and I28 in drawn worlds: what is on disk as an entry leaves, and what the streams tell of each state saved.

A witness stands beside the ledger and the wire. It reads the bytes that the ledger keeps, never S4's memory, so it
knows after each write, acknowledged or torn, what a process born at that moment would find.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from urllib.parse import parse_qs

import pytest

from chimera.ports.streams import Latest, Record
from chimera.services.router.relay import News, Relay
from chimera.simulate.door.messages import WireRequest
from chimera.simulate.venue.audit import Kind
from chimera.trading.events import Event
from chimera.trading.holding import Holding
from chimera.trading.ids import ClientOrderId, child_of
from chimera.wire import codec, keys
from chimera.wire.events import Publish, event_id, writes
from support.incident_stage import without
from world.composed import World
from world.oracle import is_entry
from world.plan import ROUGH, SLOW_DISK
from world.run import CALLERS, Options, Verdict, run

SHORT = Options(who=CALLERS, safety_s=25, liveness_s=60)
SEEDS = range(40, 46)


@dataclass
class Witness:
    """``world.run.Script``: what was on disk when; what each stream told, oldest first."""

    unwritten: list[str] = field(default_factory=list)  # entries that left before they were on disk
    entries: int = 0
    untold: list[str] = field(default_factory=list)  # state that was saved without its events
    events: dict[str, Event] = field(default_factory=dict)  # on disk at some moment, by event id
    streams: dict[str, list[str]] = field(default_factory=dict)  # event ids
    ended: Counter[str] = field(default_factory=Counter)  # of each intent, told in orders:executed
    asked: set[str] = field(default_factory=set)  # intents on disk at some moment

    def begin(self, world: World) -> None:
        self._world = world
        self._last: bytes | None = None
        self._holding: Holding | None = None
        save, sent = world.ledger.save, world._sent

        async def save_and_look(holding: Holding, *, rev: int, fence: int) -> int:
            try:
                return await save(holding, rev=rev, fence=fence)
            finally:
                self._look()

        def leaves(request: WireRequest) -> None:
            self._leaves(request)
            sent(request)

        world.ledger.save = save_and_look  # type: ignore[method-assign]  # the witness stands beside the disk
        world._sent = leaves  # type: ignore[method-assign]  # and at the door

    async def end(self, world: World) -> None:
        for stream in keys.STREAMS:
            told = await world.bus.tail(stream, after="0", count=100_000, block_ms=0)
            self.streams[stream] = [each.fields["event_id"] for each in told if "event_id" in each.fields]
            if stream == keys.ORDERS_EXECUTED:
                self.ended.update(each.fields["intent_id"] for each in told)

    def _look(self) -> None:
        """At what the disk holds now."""
        (seat,) = self._world.ledger._seats.values()
        if seat.body is None or seat.body == self._last:
            return
        before, self._last = self._holding, seat.body
        self._holding = now = codec.unseal(seat.body, Holding)
        carried = {event.seq: event for event in now.outbox}
        self.events |= {event_id(now.key, event): event for event in now.outbox}
        self.asked |= set(now.intents)
        since = 0 if before is None else before.event_seq
        self.untold += [f"event {seq}" for seq in range(since + 1, now.event_seq + 1) if seq not in carried]

    def _leaves(self, request: WireRequest) -> None:
        asked = {name: values[-1] for name, values in parse_qs(f"{request.query}&{request.body}").items()}
        ref = asked.get("newClientOrderId", "")
        child = child_of(ClientOrderId(ref))
        if request.method != "POST" or child is None or child[1] not in ("m", "t") or "reduceOnly" in asked:
            return
        self.entries += 1
        self._look()
        order = None if self._holding is None else self._holding.orders.get(ClientOrderId(ref))
        if order is None or (order.request.qty, order.request.side) != (Decimal(asked["quantity"]), asked["side"]):
            self.unwritten.append(ref)


def seen(seed: int, scenario: str, off: str | None = None) -> tuple[Verdict, Witness]:
    witness = Witness()
    verdict = run(seed, off, SHORT.but(scenario=scenario), script=witness, keep_audit=True)
    return verdict, witness


def not_published(witness: Witness) -> list[str]:
    """Events that were on disk and are missing in a stream."""
    holding = witness._holding
    if holding is None:
        return []
    return [
        f"{name} in {write.stream}"
        for name, event in witness.events.items()
        for write in writes(holding.key, event)
        if isinstance(write, Publish) and name not in witness.streams[write.stream]
    ]


def out_of_order(witness: Witness) -> list[str]:
    """Where a stream tells an older event of the position after a newer one, or one twice."""
    found = []
    for stream, names in witness.streams.items():
        seqs = [int(name.rpartition(":")[2]) for name in names if name in witness.events]
        found += [f"{stream}: {one} then {two}" for one, two in pairwise(seqs) if two <= one]
    return found


def entries_taken(verdict: Verdict) -> int:
    """Of S4's, by the venue."""
    taken = (each for each in verdict.audit if each.kind is Kind.ACCEPT and is_entry(each))
    return sum(
        (child := child_of(ClientOrderId(each.client_order_id))) is not None and child[1] in "mt" for each in taken
    )


@pytest.mark.slow
@pytest.mark.req("I28", "I25", "I2", "S4-EVT-1")
@pytest.mark.parametrize("scenario", [ROUGH, SLOW_DISK])
def test_under_kills_nothing_leaves_unwritten_nothing_saved_is_untold_and_each_intent_ends_once(scenario: str) -> None:
    kills = entries = events = 0
    for seed in SEEDS:
        verdict, witness = seen(seed, scenario)
        assert [f"{each.invariant} {each.text}" for each in verdict.violations] == [], seed
        assert (witness.unwritten, witness.untold) == ([], []), seed
        assert witness.entries >= entries_taken(verdict), seed
        if not any(fault.startswith("failover") for fault in verdict.fired):  # a bus may lose what it acknowledged
            assert not_published(witness) == [], seed
            assert out_of_order(witness) == [], seed
            assert set(witness.ended) == witness.asked, seed
            assert set(witness.ended.values()) <= {1}, seed
        kills, entries = kills + verdict.counters["kills"], entries + witness.entries
        events += len(witness.events)
    assert min(kills, events) > len(SEEDS)
    assert entries


@pytest.mark.req("I28")
def test_the_witness_sees_an_entry_that_outruns_the_disk() -> None:
    assert any(seen(seed, SLOW_DISK, "save_before_send")[1].unwritten for seed in SEEDS)


def _seq(record: Record) -> int:
    return int(record.event_id.rpartition(":")[2])


@pytest.mark.req("I25")
def test_the_witness_sees_events_that_are_lost_or_turned_around() -> None:
    spread = Relay.spread

    async def forgetful(relay: Relay, news: Sequence[News]) -> None:
        await spread(relay, [each for each in news if isinstance(each, Latest) or _seq(each) % 7])

    async def turned(relay: Relay, news: Sequence[News]) -> None:
        await spread(relay, [*reversed(news)])

    with without(("chimera.services.router.relay:Relay", "spread", forgetful)):
        assert not_published(seen(SEEDS[0], ROUGH)[1])
    with without(("chimera.services.router.relay:Relay", "spread", turned)):
        assert any(out_of_order(seen(seed, ROUGH)[1]) for seed in SEEDS)
