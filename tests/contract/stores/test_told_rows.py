"""What the relay makes of a position's story: rows in the ledger and records on the streams, on both markets.

Each event is told twice, as after a crash between two of its writes.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

import pytest

from chimera.ports.ledger import Ledger
from chimera.ports.streams import Bus, Latest, Record
from chimera.services.router.relay import Relay
from chimera.trading.events import IntentChanged
from chimera.trading.execution import CANCELED_BY
from chimera.trading.facts import CancelAsked, CloseAsked, PlaceRefused, Reported, Restarted, Ticked
from chimera.trading.ids import IntentId
from chimera.trading.liquidity import Book
from chimera.trading.market import Level
from chimera.trading.money import DAY_MS, Millis, Price, Qty
from chimera.trading.order import Role, Status
from chimera.trading.refusal import Refusal
from chimera.wire import keys
from chimera.wire.codec import SCHEMA_VERSION
from chimera.wire.events import event_id
from support.desk import T0, Desk, a_long, an_intent
from support.spot_desk import SpotDesk, a_spot_long, buy

MANY = 1_000


class Heard:
    """A bus that writes down what is published; an event id counts once for each stream, as on a real one."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], Mapping[str, str]] = {}

    async def publish(self, stream: str, event_id: str, fields: Mapping[str, str]) -> None:
        self.records.setdefault((stream, event_id), fields)

    async def tell(self, news: Sequence[Record | Latest]) -> None:
        for each in news:
            if isinstance(each, Record):
                await self.publish(each.stream, each.event_id, each.fields)

    def on(self, stream: str) -> list[Mapping[str, str]]:
        return [fields for (name, _), fields in self.records.items() if name == stream]


async def told(desk: Desk, ledger: Ledger) -> Heard:
    heard = Heard()
    relay = Relay(ledger, cast("Bus", heard))
    for event in desk.holding.outbox:
        for _ in range(2):
            await relay.spread(await relay.keep(desk.holding.key, event))
    return heard


async def rows(ledger: Ledger, collection: str) -> list[dict[str, Any]]:
    """Oldest first."""
    return [dict(row) for row in reversed(await ledger.find(collection, newest=MANY))]


async def kinds(ledger: Ledger) -> set[str]:
    return {str(row["kind"]) for row in await rows(ledger, keys.STRATEGY_EVENTS)}


def shown(desk: Desk) -> Book:
    """Five levels of each side around the desk's touch."""
    bids = tuple(Level(price=Price(desk.bid - number), qty=Qty(Decimal(2))) for number in range(5))
    asks = tuple(Level(price=Price(desk.ask + number), qty=Qty(Decimal(3))) for number in range(5))
    return Book(bids=bids, asks=asks, at_ms=Millis(desk.now - 20))


def enters_and_leaves(desk: Desk) -> Desk:
    """Bought 1 bp above the mid, closed by hand below it."""
    desk.book = shown(desk)
    desk.submit(an_intent() if not isinstance(desk, SpotDesk) else buy(stop=None, target=None))
    entry = desk.placed(Role.TAKER)
    desk.ack(entry)
    desk.fill(entry, str(entry.qty), "65006.5500")
    if not isinstance(desk, SpotDesk):
        desk.ack(desk.placed(Role.STOP))
    desk.bid, desk.ask = Decimal("64000.0"), Decimal("64000.2")
    desk.book = shown(desk)
    return desk


@pytest.mark.req("S4-ROUTE-10", "S4-PER-1")
@pytest.mark.parametrize("make", [Desk, SpotDesk])
async def test_a_fill_keeps_the_market_into_which_its_order_was_sent(make: type[Desk], ledger: Ledger) -> None:
    desk = enters_and_leaves(make())
    heard = await told(desk, ledger)
    (fill,) = await rows(ledger, keys.FILLS)
    (record,) = (each for each in heard.on(keys.ORDER_RESULTS) if each["kind"] == "FILL")

    assert fill["mid_at_send"] == "65000.05"
    assert fill["slippage_bps"] == "1"  # (65006.55 - 65000.05) / 65000.05
    assert fill["book_top3"] == {
        "at_ms": T0 - 20,
        "bids": [{"price": str(65000 - number), "qty": "2"} for number in range(3)],
        "asks": [{"price": f"{65000 + number}.1", "qty": "3"} for number in range(3)],
    }
    assert (record["mid_at_send"], record["slippage_bps"]) == ("65000.05", "1")
    assert '"book_top3":{"asks":[{"price":"65000.1","qty":"3"}' in record["data"]


@pytest.mark.req("S4-ROUTE-10")
async def test_what_a_close_sold_below_the_mid_cost_and_above_it_gained(ledger: Ledger) -> None:
    """The mid is that of the exit's own sending, a thousand below the entry's."""
    desk = enters_and_leaves(Desk())
    desk.hear(CloseAsked(reason="MANUAL"))
    exit_ = desk.placed(Role.EXIT)
    desk.ack(exit_)
    desk.fill(exit_, "0.004", "63993.7")
    desk.fill(exit_, "0.006", "64006.5")
    await told(desk, ledger)
    _, low, high = await rows(ledger, keys.FILLS)

    assert (low["mid_at_send"], low["slippage_bps"], high["slippage_bps"]) == ("64000.1", "1", "-1")
    assert low["book_top3"]["bids"][0] == {"price": "64000", "qty": "2"}


@pytest.mark.req("S4-ROUTE-10")
async def test_what_nobody_saw_is_null(ledger: Ledger) -> None:
    """No book; a stop, which waits at the venue; and a trade of an order that no state of ours knows."""
    desk = a_long()
    stop = desk.placed(Role.STOP)
    desk.fill(stop, str(stop.qty), "64000.0")
    await told(desk, ledger)
    entry, stopped = await rows(ledger, keys.FILLS)
    forgotten = Desk()
    forgotten.hear(Restarted())
    sold = desk.a_fill(stop.but(ref="by-hand"), "0.01", "64000.0", "t-9")
    forgotten.later(10_000).survey(qty="-0.01", trades=(sold,))
    await told(forgotten, ledger)
    stranger = (await rows(ledger, keys.FILLS))[-1]

    assert (entry["mid_at_send"], entry["book_top3"]) == ("65000.05", None)
    for row in (stopped, stranger):
        assert (row["mid_at_send"], row["slippage_bps"], row["book_top3"]) == (None, None, None)
    assert stranger["trade_id"] == "t-9"


@pytest.mark.req("S4-ROUTE-10")
async def test_what_was_known_at_the_sending_is_known_after_a_restart(ledger: Ledger) -> None:
    desk = Desk()
    desk.book = shown(desk)
    desk.submit(an_intent())
    entry = desk.placed(Role.TAKER)
    desk.bid, desk.ask, desk.book = Decimal(64000), Decimal(64001), None
    desk.hear(Restarted())
    desk.fill(entry, str(entry.qty))
    await told(desk, ledger)
    (fill,) = await rows(ledger, keys.FILLS)

    assert (fill["mid_at_send"], fill["book_top3"]["at_ms"]) == ("65000.05", T0 - 20)


def whole_story(desk: Desk) -> Desk:
    """Entered and protected; a second intent rests and is cancelled; a day passes; then its target sells."""
    spot = isinstance(desk, SpotDesk)
    desk.submit(buy() if spot else an_intent())
    entry = desk.placed(Role.TAKER)
    desk.ack(entry)
    desk.fill(entry, str(entry.qty))
    if isinstance(desk, SpotDesk):
        pair = desk.pairs()[-1]
        desk.stand(pair)
        stop, target = pair.stop, pair.target
    else:
        stop = target = desk.placed(Role.STOP)
        desk.ack(stop)
    desk.submit(buy("i2") if spot else an_intent("i2"), wait_ms=60_000)
    maker = desk.placed(Role.MAKER)
    desk.ack(maker)
    desk.hear(CancelAsked(intent_id=IntentId("i2"), reason=f"{CANCELED_BY}USER"))
    desk.hear(Reported(order=desk.word(maker, Status.CANCELED)))
    desk.later(DAY_MS).hear(Ticked())
    desk.fill(target, str(target.qty), "67000.0")
    if isinstance(desk, SpotDesk):
        desk.end(stop)
    return desk


@pytest.mark.req("S4-PER-1", "S4-EVT-1")
@pytest.mark.parametrize("make", [Desk, SpotDesk])
async def test_a_story_is_in_every_collection_and_on_every_stream(make: type[Desk], ledger: Ledger) -> None:
    desk = whole_story(make())
    heard = await told(desk, ledger)
    names = {event_id(desk.holding.key, event): event for event in desk.holding.outbox}
    orders = {row["client_order_id"]: row for row in await rows(ledger, keys.ORDERS)}
    fills = [row["ref"] for row in await rows(ledger, keys.FILLS)]

    assert [orders[f"s3-btc-{name}"]["status"] for name in ("i1", "i2")] == ["FILLED", "CANCELED"]
    children = [row for row in orders.values() if row["kind"] == "CHILD"]
    assert {row["role"] for row in children} >= {"TAKER", "MAKER", "STOP"}
    assert len(fills) == len(set(fills)) == 2
    wanted = {"TP_SL_PLACED", "CANCEL"} | ({"OCO_ARMED", "OCO_RESOLVE"} if desk.holding.key.market == "SPOT" else set())
    assert await kinds(ledger) >= wanted
    assert heard.on(keys.RISK_SL_ARM)
    assert bool(heard.on(keys.SPOT_OCO_ARMED)) == (desk.holding.key.market == "SPOT")
    assert {each["client_order_id"]: each["filled"] for each in heard.on(keys.ORDERS_EXECUTED)} == {
        "s3-btc-i1": "0.01", "s3-btc-i2": "0",
    }  # fmt: skip
    assert {each["kind"] for each in heard.on(keys.ORDER_RESULTS)} == {"FILL", "CHILD"}
    unfinished = {
        name for name, event in names.items() if isinstance(event.body, IntentChanged) and not event.body.done
    }
    assert {name for _, name in heard.records} == names.keys() - unfinished  # those are rows alone


@pytest.mark.req("S4-PER-1")
@pytest.mark.parametrize("make", [Desk, SpotDesk])
async def test_each_state_of_an_order_replaces_the_one_before(make: type[Desk], ledger: Ledger) -> None:
    desk = make()
    desk.submit(buy() if isinstance(desk, SpotDesk) else an_intent(), wait_ms=60_000)
    maker = desk.placed(Role.MAKER)
    seen = []
    for step in (
        lambda: desk.ack(maker),
        lambda: desk.fill(maker, "0.004", "65000"),
        lambda: desk.fill(maker, "0.006"),
    ):
        step()
        await told(desk, ledger)
        seen.append([row["status"] for row in await rows(ledger, keys.ORDERS) if row["client_order_id"] == maker.ref])

    assert seen == [["NEW"], ["PARTIALLY_FILLED"], ["FILLED"]]


@pytest.mark.req("S4-PER-1")
@pytest.mark.parametrize("make", [Desk, SpotDesk])
async def test_a_position_is_kept_at_each_change_and_as_each_day_begins(make: type[Desk], ledger: Ledger) -> None:
    """A history: what stood at a moment is not replaced by what stands now."""
    desk = whole_story(make())
    desk.later(DAY_MS).hear(Ticked())  # flat by now
    await told(desk, ledger)
    kept = await rows(ledger, keys.POSITIONS_SNAPSHOTS)

    assert [(row["why"], row["flat"]) for row in kept] == [("CHANGE", False), ("DAY", False), ("CHANGE", True)]
    assert [row["at_ms"] for row in kept] == [T0, T0 + DAY_MS, T0 + DAY_MS]
    assert {row["market"] for row in kept} == {str(desk.holding.key.market)}
    assert Decimal(kept[0]["qty"]) == Decimal(kept[1]["qty"]) > 0
    assert Decimal(kept[0]["fees"]) > 0


@pytest.mark.req("S4-EVT-1", "S4-PER-1")
async def test_a_guard_of_ours_on_spot_is_told_on_its_stream(ledger: Ledger) -> None:
    desk = SpotDesk().bought()
    desk.refuse(desk.pairs()[-1], Refusal.UNSUPPORTED)
    desk.hear(PlaceRefused(ref=desk.placed(Role.STOP).ref, code=-2010, message="no", refusal=Refusal.UNSUPPORTED))
    heard = await told(desk, ledger)
    armed = heard.on(keys.GUARD_SPOT_ARM)

    assert [(each["kind"], each["market"]) for each in armed][:1] == [("GUARD_ARMED", "SPOT")]
    assert "GUARD_ARMED" in await kinds(ledger)


@pytest.mark.req("S4-EVT-1")
@pytest.mark.parametrize("desk", [a_long(), a_spot_long()], ids=["futures", "spot"])
async def test_every_record_says_whose_it_is_which_it_is_and_by_which_schema(desk: Desk, ledger: Ledger) -> None:
    heard = await told(desk, ledger)

    assert heard.records
    for (_, name), fields in heard.records.items():
        assert fields["event_id"] == name
        assert (fields["schema_version"], fields["account_id"]) == (str(SCHEMA_VERSION), "main")
        assert (fields["market"], fields["symbol"]) == (str(desk.holding.key.market), "BTCUSDT")
        assert int(fields["at_ms"]) >= T0
        assert fields["data"].startswith("{")
