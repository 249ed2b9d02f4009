"""The kill switch around its value: memory before disk, disk before arming, receipts that anybody can check."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier
from typing import Any, cast

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from desk import Desk, a_long, an_intent
from standing import CLOCK, GLOBAL, Desks, Venue

from chimera.adapters.memory.bus import MemoryBus
from chimera.adapters.memory.ledger import MemoryLedger
from chimera.admit.breaker import BreakerPolicy
from chimera.admit.limits import LimitBook, Limits
from chimera.services.router.barriers import Barriers
from chimera.services.router.breaking import Breaking
from chimera.services.router.seal import seal_at
from chimera.services.router.sender import Gates, Sender
from chimera.trading.commands import Place
from chimera.trading.errors import Refused, StoreUnavailable
from chimera.trading.facts import CancelAsked, CloseAsked, PlaceRefused
from chimera.trading.ids import DEFAULT_ACCOUNT, StrategyId
from chimera.trading.intent import Intent
from chimera.trading.market import Side
from chimera.trading.money import Millis, Price, Quote
from chimera.trading.order import Role
from chimera.trading.standstill import Kill, Scope
from chimera.wire import keys
from chimera.wire.codec import encode


class Away(MemoryLedger):
    """A ledger that is away for writes."""

    async def put(self, *_: Any) -> None:
        raise StoreUnavailable("away")


def checks(receipt: dict[str, Any]) -> None:
    """Raises when the signature is not that of exactly this receipt."""
    body = {name: value for name, value in receipt.items() if name not in ("key_id", "signature")}
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(receipt["key_id"]))
    key.verify(base64.b64decode(receipt["signature"]), encode(body))


@pytest.mark.req("S4-KILL-1")
async def test_it_holds_at_once_without_any_store() -> None:
    dead = Desks(Away(), [Desk().holding]).controls
    dead.kill(GLOBAL)
    assert dead.standstill.kills == (GLOBAL,)
    receipt = await dead.receipt(GLOBAL, patience_s=0)
    assert (receipt["verified"], receipt["durable"]) == (True, False)


@pytest.mark.req("S4-KILL-1")
async def test_who_reads_only_the_whole_row_of_the_alert_reads_what_happened() -> None:
    bus = MemoryBus(CLOCK)
    standing = Desks(MemoryLedger(), bus=bus).controls
    await standing.load()
    standing.kill(GLOBAL)
    await standing.receipt(GLOBAL, patience_s=0)
    await standing.arm(Scope.GLOBAL, "", by="me", reason="over", confirm=standing.word(Scope.GLOBAL, ""))
    told = [json.loads(entry.fields["data"]) for entry in await bus.tail(keys.ALERTS, after="0", count=9, block_ms=0)]
    assert [(row["severity"], row["code"], row["text"]) for row in told] == [
        ("FATAL", "KILLED", "GLOBAL by me: fire"),
        ("WARN", "ARMED", "GLOBAL by me: over"),
    ]


@pytest.mark.req("S4-KILL-1")
@pytest.mark.fault("G6")
@pytest.mark.incident(25)
async def test_a_restart_finds_what_was_killed() -> None:
    ledger = MemoryLedger()
    first = Desks(ledger).controls
    first.kill(GLOBAL)
    await first._save(first.standstill)
    second = Desks(ledger).controls
    await second.load()
    assert second.standstill == first.standstill
    assert second.saved


@pytest.mark.req("S4-KILL-1")
@pytest.mark.parametrize("document", [{}, {"standstill": 7}, {"standstill": {"kills": [{"scope": "MOON"}]}}])
async def test_what_cannot_be_read_counts_as_killed(document: dict[str, object]) -> None:
    ledger = MemoryLedger()
    await ledger.put(keys.CONTROLS, DEFAULT_ACCOUNT, document)
    after = Desks(ledger).controls
    await after.load()
    assert [(kill.scope, kill.by) for kill in after.standstill.kills] == [(Scope.GLOBAL, "UNREADABLE")]


@pytest.mark.req("S4-KILL-1")
async def test_arming_takes_two_steps_and_the_word_of_this_kill() -> None:
    ledger = MemoryLedger()
    standing = Desks(ledger).controls
    await standing.load()
    with pytest.raises(Refused) as nothing:
        standing.word(Scope.GLOBAL, "")
    assert nothing.value.code == "NOT_KILLED"
    standing.kill(GLOBAL)
    word = standing.word(Scope.GLOBAL, "")
    with pytest.raises(Refused) as wrong:
        await standing.arm(Scope.GLOBAL, "", by="me", reason="over", confirm="yes")
    assert wrong.value.code == "CONFIRM"
    assert standing.standstill.kills
    checks(cast("dict[str, Any]", await standing.arm(Scope.GLOBAL, "", by="me", reason="over", confirm=word)))
    assert not standing.standstill.kills
    after = Desks(ledger).controls
    await after.load()
    assert not after.standstill.kills


@pytest.mark.req("S4-KILL-1")
async def test_a_ledger_that_is_away_keeps_it_killed() -> None:
    standing = Desks(Away()).controls
    await standing.load()
    standing.kill(GLOBAL)
    with pytest.raises(StoreUnavailable):
        await standing.arm(Scope.GLOBAL, "", by="me", reason="over", confirm=standing.word(Scope.GLOBAL, ""))
    assert standing.standstill.kills == (GLOBAL,)


@pytest.mark.req("S4-KILL-1")
@pytest.mark.incident(25)
async def test_a_receipt_is_verified_by_the_venue_alone_and_cannot_be_changed() -> None:
    flatten = GLOBAL.but(flatten=True)
    held = Desks(MemoryLedger(), [a_long().holding], venue=Venue("0.01")).controls
    held.kill(flatten)
    receipt = await held.receipt(flatten, patience_s=0)
    assert receipt["verified"] is False
    assert receipt["remains"] == ["BTCUSDT: 0.01 is still held"]
    checks(receipt)
    with pytest.raises(InvalidSignature):
        checks(receipt | {"verified": True})
    silent = Desks(MemoryLedger(), [a_long().holding], venue=Venue(silent=True)).controls
    receipt = await silent.receipt(GLOBAL, patience_s=0)
    assert receipt["verified"] is False
    assert "was not heard" in str(receipt["remains"])


@pytest.mark.req("S4-KILL-1")
async def test_a_kill_of_a_strategy_that_nobody_here_knows_is_not_verified_and_names_those_that_are() -> None:
    """It reaches every symbol and finds nothing of its own: that proves nothing where the name is mistyped."""
    ledger = MemoryLedger()
    standing = Desks(ledger, [a_long().holding], venue=Venue("0.01")).controls
    typo = GLOBAL.but(scope=Scope.STRATEGY, name="typo")
    standing.kill(typo)
    receipt = await standing.receipt(typo, patience_s=0)
    assert standing.standstill.at(Scope.STRATEGY, "typo") is not None
    assert (receipt["verified"], receipt["remains"]) == (False, ["no order here is of STRATEGY typo; known: s3"])

    await ledger.put(keys.ORDERS, "o", {"strategy_id": "typo"})  # at rest, and once it traded
    assert (await standing.receipt(typo, patience_s=0))["verified"] is True
    held = GLOBAL.but(scope=Scope.STRATEGY, name="s3")
    standing.kill(held)
    assert (await standing.receipt(held, patience_s=0))["verified"] is True


@pytest.mark.req("S4-KILL-1")
@pytest.mark.parametrize(("scope", "name", "closes"), [(Scope.GLOBAL, "", 1), (Scope.STRATEGY, "other", 0)])
def test_flatten_closes_what_is_under_it(scope: Scope, name: str, closes: int) -> None:
    desks = Desks(MemoryLedger(), [a_long().holding])
    desks.controls.kill(Kill(scope=scope, name=name, by="me", reason="fire", at_ms=Millis(1), flatten=True))
    [owner] = desks.owners.values()
    assert owner.closes == closes


@pytest.mark.req("S4-KILL-1")
@pytest.mark.parametrize(
    ("another", "canceled", "part"),
    [
        (an_intent("i2"), False, Decimal("0.01")),
        (an_intent("i2"), True, None),
        (an_intent("i2", side=Side.SELL, qty="0.004", reduce_only=True), False, None),
    ],
    ids=["enters", "enters no more", "only reduces"],
)
def test_a_strategys_flatten_is_of_its_part_only_where_somebody_else_enters(
    another: Intent, canceled: bool, part: Decimal | None
) -> None:
    desk = a_long()
    desk.submit(another.but(strategy_id=StrategyId("other")))
    if canceled:
        desk.hear(CancelAsked(intent_id=another.intent_id, reason="by hand"))
    desks = Desks(MemoryLedger(), [desk.holding])
    name = an_intent().strategy_id
    desks.controls.kill(Kill(scope=Scope.STRATEGY, name=name, by="me", reason="fire", at_ms=Millis(1), flatten=True))
    [owner] = desks.owners.values()
    assert [fact.qty for fact in owner.heard if isinstance(fact, CloseAsked)] == [part]


@pytest.mark.req("S4-KILL-1", "I17")
async def test_an_entry_that_waited_for_the_disk_does_not_leave_after_a_kill() -> None:
    desk = Desk()
    desk.submit(an_intent())
    command = Place(order=desk.placed(Role.TAKER), role=Role.TAKER)
    sent: list[Any] = []
    venue = cast("Any", type("Venue", (), {"place": lambda self, order, timeout_ms: sent.append(order)})())
    limits = Limits(
        max_order_notional=Quote(Price(desk.bid)), max_position_notional=Quote(Price(desk.bid)),
        max_gross_notional=Quote(Price(desk.bid)),
        max_daily_loss=Quote(Price(desk.bid)), price_collar_bps=desk.bid, max_orders_per_10s=100,
    )  # fmt: skip
    breaking = Breaking(BreakerPolicy(), CLOCK, lambda alert: None)
    standing = Desks(MemoryLedger()).controls
    standing.kill(GLOBAL)
    gates = Gates(breaking, Barriers(CLOCK, lambda alert: None), lambda: standing.standstill)
    sender = Sender(venue, cast("Any", None), LimitBook(limits), gates, CLOCK, CLOCK.now_ms)
    fact = await sender.carry_out(command, lambda: desk.holding, lambda: Price(desk.bid))
    assert isinstance(fact, PlaceRefused)
    assert fact.message.startswith("KILL_SWITCH")
    assert sent == []


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Any) -> None:
    path = tmp_path / "var" / "seal.key"
    first = seal_at(path)
    assert path.stat().st_mode & 0o077 == 0
    assert seal_at(path).key_id == first.key_id


@pytest.mark.req("S4-ROUTE-6")
def test_routers_that_start_together_sign_by_one_key(tmp_path: Any) -> None:
    together, path = Barrier(8), tmp_path / "seal.key"

    def start(_: int) -> str:
        together.wait()
        return seal_at(path).key_id

    with ThreadPoolExecutor(8) as threads:
        ids = set(threads.map(start, range(8)))

    assert len(ids) == 1
    assert [each.name for each in tmp_path.iterdir()] == ["seal.key"]
