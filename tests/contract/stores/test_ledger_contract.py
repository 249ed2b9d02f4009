"""What every ledger promises (``ports.ledger``), on each adapter."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from chimera.ports.ledger import Claim, Ledger
from chimera.trading.errors import NewerSchema, StaleWriter
from chimera.trading.holding import Holding
from chimera.trading.ids import AccountId, IntentId, PositionKey, Symbol, TradeId
from chimera.trading.market import Market, Side
from chimera.trading.money import Millis, Qty, Quote
from chimera.trading.position import Lot, Position
from chimera.wire import codec

pytestmark = pytest.mark.req("DB-2")

BTC = PositionKey(venue="binance", account=AccountId("main"), market=Market.FUT, symbol=Symbol("BTCUSDT"))
ETH = BTC.but(symbol=Symbol("ETHUSDT"))


def a_holding(seq: int = 1, key: PositionKey = BTC) -> Holding:
    lot = Lot(
        intent_id=IntentId("i-1"),
        side=Side.BUY,
        qty=Qty(Decimal("0.010")),
        cost=Quote(Decimal("658.0010")),
        opened_ms=Millis(1_760_000_000_000),
    )
    trades = {TradeId("t-1"): Millis(1_760_000_000_001)}
    return Holding(key=key, position=Position(lots=(lot,)), seen_trades=trades, event_seq=seq)


def a_claim(name: str = "intent:i-1", *, body: str = "h", at_ms: int = 10) -> Claim:
    return Claim(id=name, intent_id=IntentId("i-1"), body_hash=body, at_ms=Millis(at_ms), body=b"{\x00}")


async def test_what_was_never_saved_is_not_there(ledger: Ledger) -> None:
    assert await ledger.load(BTC) is None
    assert list(await ledger.keys()) == []
    await ledger.fence(BTC, "a")
    assert await ledger.load(BTC) is None
    assert list(await ledger.keys()) == []


async def test_a_holding_comes_back_as_it_was_saved(shelf: Any) -> None:
    fence = await shelf.ledger.fence(BTC, "a")
    assert await shelf.ledger.save(a_holding(), rev=0, fence=fence) == 1
    assert await shelf.ledger.save(a_holding(2), rev=1, fence=fence) == 2

    stored = await (await shelf.reopen()).load(BTC)
    assert stored is not None
    assert (stored.holding, stored.rev) == (a_holding(2), 2)
    assert str(stored.holding.position.lots[0].qty) == "0.010"


async def test_keys_name_each_saved_position(ledger: Ledger) -> None:
    for key in (ETH, BTC):
        await ledger.save(a_holding(key=key), rev=0, fence=await ledger.fence(key, "a"))
    assert list(await ledger.keys()) == [BTC, ETH]


async def test_keys_that_print_alike_stay_apart(ledger: Ledger) -> None:
    one = BTC.but(venue="a:b", account=AccountId("c"))
    other = BTC.but(venue="a", account=AccountId("b:c"))
    assert str(one) == str(other)
    await ledger.save(a_holding(1, one), rev=0, fence=await ledger.fence(one, "a"))
    assert await ledger.load(other) is None


async def test_a_stale_revision_cannot_save(ledger: Ledger) -> None:
    fence = await ledger.fence(BTC, "a")
    await ledger.save(a_holding(1), rev=0, fence=fence)
    await ledger.save(a_holding(2), rev=1, fence=fence)
    for rev in (0, 1, 3):
        with pytest.raises(StaleWriter):
            await ledger.save(a_holding(9), rev=rev, fence=fence)
    stored = await ledger.load(BTC)
    assert stored is not None
    assert (stored.holding.event_seq, stored.rev) == (2, 2)


@pytest.mark.fault("E2")
async def test_a_save_whose_answer_was_lost_may_be_repeated(ledger: Ledger) -> None:
    fence = await ledger.fence(BTC, "a")
    for _ in range(3):
        assert await ledger.save(a_holding(1), rev=0, fence=fence) == 1
    with pytest.raises(StaleWriter):
        await ledger.save(a_holding(2), rev=0, fence=fence)


@pytest.mark.req("I19")
@pytest.mark.fault("A13", "A11", "D3")
async def test_only_the_newest_fence_saves(shelf: Any) -> None:
    old = await shelf.ledger.fence(BTC, "a")
    await shelf.ledger.save(a_holding(1), rev=0, fence=old)
    new = await (await shelf.reopen()).fence(BTC, "b")
    ledger = await shelf.reopen()
    assert new > old
    for holding, rev in ((a_holding(2), 1), (a_holding(1), 0)):  # a change, and a repetition of its own save
        with pytest.raises(StaleWriter):
            await ledger.save(holding, rev=rev, fence=old)
    assert await ledger.save(a_holding(3), rev=1, fence=new) == 2


@pytest.mark.req("I19")
@pytest.mark.parametrize("fence", [0, 1, 7])
async def test_a_fence_that_was_never_issued_cannot_save(ledger: Ledger, fence: int) -> None:
    with pytest.raises(StaleWriter):
        await ledger.save(a_holding(), rev=0, fence=fence)


@pytest.mark.req("I19")
async def test_fences_grow_strictly_under_contention(ledger: Ledger) -> None:
    fences = await asyncio.gather(*(ledger.fence(BTC, f"owner-{n}") for n in range(40)))
    assert len(set(fences)) == 40
    assert await ledger.fence(BTC, "last") > max(fences)


@pytest.mark.fault("E3")
async def test_of_many_saves_at_one_revision_one_wins(ledger: Ledger) -> None:
    fence = await ledger.fence(BTC, "a")
    saves = (ledger.save(a_holding(n), rev=0, fence=fence) for n in range(20))
    answers = await asyncio.gather(*saves, return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["StaleWriter"] * 19 + ["int"]
    stored = await ledger.load(BTC)
    assert stored is not None
    assert answers[stored.holding.event_seq] == 1


async def test_rows_are_put_and_got(shelf: Any) -> None:
    document = {"symbol": "BTCUSDT", "qty": "0.010", "score": 0.5, "n": 3, "ok": True, "none": None, "in": {"a": [1]}}
    await shelf.ledger.put("orders", "o-1", {"symbol": "old"})
    await shelf.ledger.put("orders", "o-1", document)
    ledger = await shelf.reopen()
    assert await ledger.get("orders", "o-1") == document
    assert await ledger.get("orders", "o-2") is None
    assert await ledger.get("fills", "o-1") is None


async def test_decimals_are_kept_as_text(ledger: Ledger) -> None:
    await ledger.put("fills", "f", {"price": Decimal("0.10")})
    assert await ledger.get("fills", "f") == {"price": "0.10"}


async def test_what_was_got_is_the_callers_own(ledger: Ledger) -> None:
    document: dict[str, object] = {"in": {"a": 1}}
    await ledger.put("orders", "o", document)
    document["in"] = 2
    got = await ledger.get("orders", "o")
    assert got == {"in": {"a": 1}}
    got.clear()
    assert await ledger.get("orders", "o") == {"in": {"a": 1}}


@pytest.mark.fault("E4", "C14")
async def test_a_fill_is_inserted_once(ledger: Ledger) -> None:
    assert await ledger.insert("fills", "t-1", {"qty": "1"}) is True
    assert await ledger.insert("fills", "t-1", {"qty": "2"}) is False
    assert await ledger.insert("fills", "t-1", {"qty": "1"}) is False
    assert await ledger.get("fills", "t-1") == {"qty": "1"}


async def test_put_newer_never_goes_back(ledger: Ledger) -> None:
    assert await ledger.put_newer("orders", "o", {"v": 5}, 5) is True
    assert await ledger.put_newer("orders", "o", {"v": 4}, 4) is False
    assert await ledger.put_newer("orders", "o", {"v": 55}, 5) is False
    assert await ledger.put_newer("orders", "o", {"v": 6}, 6) is True
    assert await ledger.get("orders", "o") == {"v": 6}


async def test_put_newer_passes_a_document_without_a_number(ledger: Ledger) -> None:
    await ledger.put("orders", "o", {"v": 1})
    assert await ledger.put_newer("orders", "o", {"v": 2}, -1) is True
    assert await ledger.get("orders", "o") == {"v": 2}


async def test_find_answers_the_newest_that_match(ledger: Ledger) -> None:
    for n in range(6):
        symbol = "BTCUSDT" if n % 2 else "ETHUSDT"
        await ledger.put("orders", f"o-{n}", {"n": n, "symbol": symbol, "status": "NEW", "lot": n // 2})
    await ledger.put("orders", "o-1", {"n": 11, "symbol": "BTCUSDT", "status": "FILLED", "lot": 0})  # keeps its place
    await ledger.put("fills", "f", {"n": 99, "symbol": "BTCUSDT"})

    async def numbers(where: dict[str, str | int] | None = None, newest: int = 100) -> list[object]:
        return [document["n"] for document in await ledger.find("orders", where=where, newest=newest)]

    assert await numbers() == [5, 4, 3, 2, 11, 0]
    assert await numbers(newest=2) == [5, 4]
    assert await numbers({"symbol": "BTCUSDT"}) == [5, 3, 11]
    assert await numbers({"symbol": "BTCUSDT"}, newest=2) == [5, 3]
    assert await numbers({"symbol": "BTCUSDT", "status": "NEW"}) == [5, 3]
    assert await numbers({"lot": 1}) == [3, 2]
    assert await numbers({"lot": "1"}) == []
    assert await numbers({"absent": 1}) == []
    assert await numbers({"symbol": "' OR 1=1 --"}) == []


@pytest.mark.parametrize("name", ["a'); DROP TABLE rows; --", "a.b", "", "a b", "é"])
async def test_find_takes_names_of_fields_only(ledger: Ledger, name: str) -> None:
    with pytest.raises(ValueError, match="not the name of a field"):
        await ledger.find("orders", where={name: 1})


@pytest.mark.fault("F7")
async def test_the_first_claim_stands_for_ever(shelf: Any) -> None:
    assert await shelf.ledger.claim(a_claim(body="first")) == a_claim(body="first")
    ledger = await shelf.reopen()
    assert await ledger.claim(a_claim(body="second", at_ms=99)) == a_claim(body="first")
    assert await ledger.claim(a_claim(body="first")) == a_claim(body="first")


@pytest.mark.fault("F5")
async def test_of_many_claims_one_is_first(ledger: Ledger) -> None:
    answers = await asyncio.gather(*(ledger.claim(a_claim(body=str(n))) for n in range(20)))
    assert len({answer.body_hash for answer in answers}) == 1


@pytest.mark.req("LED-3")
@pytest.mark.fault("A20", "G3")
async def test_documents_of_a_newer_version_are_refused(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as tomorrow:
        tomorrow.setattr(codec, "SCHEMA_VERSION", codec.SCHEMA_VERSION + 1)
        await ledger.save(a_holding(), rev=0, fence=await ledger.fence(BTC, "a"))
        await ledger.put("orders", "o", {"a": 1})
        await ledger.claim(a_claim())
    for read in (ledger.load(BTC), ledger.get("orders", "o"), ledger.find("orders"), ledger.claim(a_claim())):
        with pytest.raises(NewerSchema):
            await read


@pytest.mark.req("LED-3")
async def test_documents_of_an_older_version_are_carried_up(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    await ledger.save(a_holding(4), rev=0, fence=await ledger.fence(BTC, "a"))
    await ledger.put("orders", "o", {"old": 1})
    monkeypatch.setattr(codec, "SCHEMA_VERSION", codec.SCHEMA_VERSION + 1)

    def step(document: dict[str, Any]) -> dict[str, Any]:
        if "old" in document:
            return {"new": document["old"]}
        return document | {"event_seq": document["event_seq"] * 10}

    monkeypatch.setitem(codec.MIGRATIONS, codec.SCHEMA_VERSION - 1, step)
    stored = await ledger.load(BTC)
    assert stored is not None
    assert stored.holding == a_holding(40)
    assert await ledger.get("orders", "o") == {"new": 1}


async def test_a_ledger_in_health_answers_ping(ledger: Ledger) -> None:
    await ledger.ping()
    await ledger.ping()


# ── in the order of insertion, and of time ──


async def a_diary(ledger: Ledger) -> None:
    for number, at_ms in enumerate((30, 10, 20, 20, 40), start=1):
        await ledger.insert("orders", f"o{number}", {"at_ms": at_ms})
        document = {"name": f"c{number}", "at_ms": at_ms, "symbol": "AB"[number % 2]}
        assert await ledger.insert("cash", f"c{number}", document)


def names(rows: Any) -> list[object]:
    return [row.document["name"] for row in rows]


@pytest.mark.req("LED-1")
async def test_pages_follow_each_other_in_the_order_of_insertion(shelf: Any) -> None:
    await a_diary(shelf.ledger)
    ledger = await shelf.reopen()

    first = await ledger.page("cash", after=0, limit=3)
    rest = await ledger.page("cash", after=first[-1].number, limit=3)

    assert (names(first), names(rest)) == (["c1", "c2", "c3"], ["c4", "c5"])
    assert first[0].number > 0
    assert await ledger.page("cash", after=rest[-1].number, limit=3) == []
    await ledger.insert("cash", "c6", {"name": "c6", "at_ms": 1, "symbol": "A"})
    assert names(await ledger.page("cash", after=rest[-1].number, limit=3)) == ["c6"]


@pytest.mark.req("LED-1")
async def test_a_span_is_read_by_time_and_goes_on_where_it_ended(shelf: Any) -> None:
    await a_diary(shelf.ledger)
    ledger = await shelf.reopen()
    span: Any = {"since_ms": 10, "until_ms": 40}

    assert names(await ledger.span("cash", **span, limit=9)) == ["c2", "c3", "c4", "c1"]
    assert names(await ledger.span("cash", **span, limit=9, backwards=True)) == ["c1", "c4", "c3", "c2"]
    assert names(await ledger.span("cash", **span, limit=9, where={"symbol": "A"})) == ["c2", "c4"]
    first = await ledger.span("cash", **span, limit=2)
    more = await ledger.span("cash", since_ms=20, until_ms=40, after=first[-1].number, limit=9)
    assert (names(first), names(more)) == (["c2", "c3"], ["c4", "c1"])
    with pytest.raises(ValueError, match="field"):
        await ledger.span("cash", **span, limit=1, where={"a'b": 1})
