"""An intent by both tracks into the real S4, killed wherever it hurts: one order, or one refusal, never a late one."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_routes_worked import a_market, an_order

from chimera.services.clock import SteadyClock
from chimera.services.router.patience import going_on
from chimera.services.router.refused import Refusals
from chimera.services.router.stream_track import StreamTrack, Terms
from chimera.services.stage.clock import EPOCH_MS
from chimera.services.stage.proc import Proc
from chimera.trading.errors import ChimeraError, Refused
from chimera.trading.ids import stem_of
from chimera.trading.intent import Intent, MarketNow, StopSpec
from chimera.trading.money import Price, Qty
from chimera.wire import codec, keys, requests
from chimera.wire.intents import intent_record
from support.incident_stage import Stage, Story, Told, play, steps, without
from support.two_doors import as_read
from world.composed import World
from world.machine import ProcClock
from world.plan import KillAt
from world.reach import bus_of, ledger_of

pytestmark = [pytest.mark.req("S3-PER-2", "S4-IDEM-1", "I2", "I3"), pytest.mark.slow]

BEGIN_S = 5.0


class _Doors:
    """The router of one incarnation behind both tracks, as ``House`` puts it there."""

    def __init__(self, router: Any, track: StreamTrack) -> None:
        self._router = router
        self._track = track
        self.take = router.submit

    def __getattr__(self, name: str) -> Any:
        return getattr(self._router, name)

    async def submit(self, intent: Intent, body_hash: str, *, wait_ms: int | None) -> Any:
        async with self._track.asking(intent, body_hash):
            return await self.take(intent, body_hash, wait_ms=wait_ms)


async def _s4(world: World, proc: Proc) -> None:
    """``World._s4`` with the second track."""
    clock = SteadyClock(ProcClock(proc, world.s4_clock))
    account = world._account(proc, clock, world._open)
    world.router = router = world._router(proc, clock, account, world.instrument)
    bus, rows = bus_of(proc, world.bus), ledger_of(proc, world.ledger)
    track = StreamTrack(Terms("router-1"), Refusals(rows, bus, clock), bus, clock, router.alarms.tell)
    doors: Any = _Doors(router, track)
    world.link.serve(proc, lambda request: request(doors))
    proc.spawn("intents", lambda: going_on("intents", partial(track.run, doors)))
    await router.run()


@contextmanager
def two_tracks(*more: tuple[str, str, Any]) -> Iterator[None]:
    with without(("world.composed:World", "_s4", _s4), *more):
        yield


def the_order(stage: Stage, **changed: Any) -> Intent:
    order = an_order(stage, MarketNow(), qty=steps(10)).but(**changed)
    stage.world.callers.intended[stem_of(order.client_order_id)] = order.qty
    return as_read(order)


async def by_stream(stage: Stage, **changed: Any) -> None:
    order = the_order(stage, **changed)
    await stage.world.bus.publish(keys.ORDERS_INTENT, f"{order.intent_id}", intent_record(order))


async def by_rest(stage: Stage, **changed: Any) -> None:
    order = the_order(stage, **changed)
    for _ in range(20):  # as S3 does: until it is answered
        try:
            await stage.ask_s4("sent", lambda router: router.submit(order, requests.body_hash(order), wait_ms=0))
        except ChimeraError as no:
            stage.answers["sent"] = no
            await asyncio.sleep(0.3)
        else:
            return


def told_of(told: Told) -> list[str]:
    records = told.stage.world.bus._content._streams.get(keys.ROUTER_EVENTS)
    return [each["code"] for each in records.records.values() if each["kind"] == "INTENT_REFUSED"] if records else []


def pending(told: Told) -> int:
    return len(told.stage.world.bus._content._streams[keys.ORDERS_INTENT].groups["s4"].pending)


def one_order(told: Told) -> bool:
    return (told.bought, len(told.entries)) == (steps(10), 1)


def killed_before_the_venue(told: Told, blows: list[float]) -> bool:
    """It was on disk and had not arrived: once that is proved its moment is over, and nothing is bought late."""
    sealed = told.stage.world.ledger._collections[keys.ORDERS].documents["s3-r"]
    row = codec.unseal(sealed, dict[str, Any])
    made_ms = next(each["at_ms"] for each in row["timeline"] if each["what"].endswith("made")) - EPOCH_MS
    dead = any(made_ms <= blow * 1_000 <= made_ms + 20 for blow in blows)
    return dead and (row["status"], row["message"], told.bought, told.entries) == ("REJECTED", "DEADLINE", 0, [])


moments = st.integers(0, 400).map(lambda tenths_of_ms: BEGIN_S + tenths_of_ms / 10_000)


@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    stream_s=st.none() | moments,
    rest_s=moments,
    blows=st.lists(moments, max_size=2, unique=True),
    down_ms=st.sampled_from([50, 400, 3_000]),
)
def test_by_whichever_track_and_wherever_it_is_killed_it_is_one_order(
    stream_s: float | None, rest_s: float, blows: list[float], down_ms: int
) -> None:
    tracks = ((rest_s, by_rest),) if stream_s is None else ((stream_s, by_stream), (rest_s, by_rest))
    with two_tracks():
        told = play(Story(hands=tracks, touch=a_market(), down_ms=down_ms, blows=tuple(map(_kill, sorted(blows)))))
    assert told.broken == []
    assert one_order(told) or killed_before_the_venue(told, blows)
    assert stream_s is None or pending(told) == 0
    assert told_of(told) == []


@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(stream_s=st.just(BEGIN_S), blow=moments, down_ms=st.sampled_from([50, 400, 3_000]))
def test_the_stream_alone_and_a_kill_anywhere_between_reading_and_acknowledging(
    stream_s: float, blow: float, down_ms: int
) -> None:
    with two_tracks():
        told = play(Story(hands=((stream_s, by_stream),), touch=a_market(), down_ms=down_ms, blows=(_kill(blow),)))
    assert told.broken == []
    assert one_order(told) or killed_before_the_venue(told, [blow])
    assert (pending(told), told_of(told)) == (0, [])


def _kill(at_s: float) -> KillAt:
    return KillAt(at_s=at_s)


def test_after_a_night_nothing_is_bought_at_the_price_of_the_day_before() -> None:
    story = Story(
        hands=((BEGIN_S, by_stream),), touch=a_market(), blows=(KillAt(at_s=BEGIN_S - 0.01),), down_ms=60_000,
        rough_s=84,
    )  # fmt: skip
    with two_tracks():
        told = play(story)
    assert told.broken == []
    assert (told.bought, told_of(told), pending(told)) == (0, ["STALE_INTENT"], 0)
    assert "INTENTS_LATE" in told.alerts


def test_what_rest_refused_the_stream_does_not_buy_a_moment_later() -> None:
    """A stop above the market, which has risen over it when the record is read; and S4 has died in between."""
    high = {"stop": StopSpec(price=Price(Decimal(66_000)))}

    def risen(at_s: float) -> tuple[Price, Price, Qty]:
        bid = Decimal(65_800 if at_s < 7 else 66_100)
        return Price(bid), Price(bid + Decimal("0.1")), Qty(Decimal(5))

    async def refused(stage: Stage) -> None:
        order = the_order(stage, **high)
        with pytest.raises(Refused, match="stop"):
            await stage.ask_s4("sent", lambda router: router.submit(order, requests.body_hash(order), wait_ms=0))

    late = (9.0, partial(by_stream, **high))
    blow = KillAt(at_s=BEGIN_S + 1)
    with two_tracks():
        told = play(Story(hands=((BEGIN_S, refused), late), touch=risen, blows=(blow,)))
        alone = play(Story(hands=(late,), touch=risen, blows=(blow,)))
    assert (told.bought, told_of(told), pending(told)) == (0, [], 0)
    assert (alone.bought, told_of(alone), pending(alone)) == (steps(10), [], 0)


def _lagging(accepting: Any, intent: Intent) -> None:
    if asyncio.get_running_loop().time() < BEGIN_S + 3:
        raise Refused("LOOP_LAG", "for a while")


BARRED = ("chimera.services.router.accepting:Accepting", "_object_to_entry", _lagging)


async def canceled(stage: Stage) -> None:
    with pytest.raises(Refused) as no:
        await stage.ask_s4(
            "canceled",
            lambda router: router.cancel("s3-r", by="order_id", reason="T", escalate=False, cascade=True),
        )
    stage.answers["canceled"] = no.value.code


@pytest.mark.req("S4-IDEM-2")
@pytest.mark.parametrize("blows", [(), (KillAt(at_s=BEGIN_S + 2),)])
def test_what_was_cancelled_while_it_waits_on_the_stream_never_trades(blows: tuple[KillAt, ...]) -> None:
    hands = ((BEGIN_S, by_stream), (BEGIN_S + 1, canceled), (BEGIN_S + 6, by_rest))
    with two_tracks(BARRED):
        told = play(Story(hands=hands, touch=a_market(), blows=blows))
        waited = play(Story(hands=hands[:1], touch=a_market(), blows=blows))
    assert told.stage.answers["canceled"] == "NOT_FOUND"
    assert told.stage.answers["sent"].code == "CANCELED"
    assert (told.broken, told.bought, told_of(told), pending(told)) == ([], 0, ["CANCELED"], 0)
    assert one_order(waited)
