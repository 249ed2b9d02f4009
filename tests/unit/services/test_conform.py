"""The rehearsal's promises: no production host, no key on paper, tiny sizes, and a difference is told as one."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from chimera.adapters.binance.sign import HmacSigner
from chimera.adapters.binance.transport import Reply
from chimera.services.conform import committed
from chimera.services.conform.check import Check, refusal, shape
from chimera.services.conform.hands import WORTH_MAX, Answer, Caller, Desk
from chimera.services.conform.run import BOOKS, Book, asked, in_words, redacted, row, unasked
from chimera.services.conform.target import Credentials, demo, simulator
from chimera.trading.errors import OutcomeUnknown, Refused

KEYS = {"BINANCE_DEMO_FUT_KEY": "the-key-of-demo", "BINANCE_DEMO_FUT_SECRET": "the-secret-of-demo"}
FILTERS = [
    {"filterType": "PRICE_FILTER", "tickSize": "0.10"},
    {"filterType": "LOT_SIZE", "stepSize": "0.001", "minQty": "0.001"},
    {"filterType": "MIN_NOTIONAL", "notional": "100"},
]


class Scripted:
    """A transport that answers by path, and remembers what it was sent."""

    def __init__(self, answers: Mapping[str, Any], status: int = 200) -> None:
        self.answers = answers
        self.status = status
        self.sent: list[tuple[str, str, Mapping[str, str]]] = []

    async def request(
        self, method: str, target: str, *, headers: Mapping[str, str], body: bytes = b"", timeout_ms: int
    ) -> Reply:
        self.sent.append((method, target, headers))
        answer = self.answers[target.partition("?")[0].rpartition("/")[2]]
        if isinstance(answer, Exception):
            raise answer
        status, told = answer if isinstance(answer, tuple) else (200, answer)
        return Reply(status=status, headers={}, body=json.dumps(told).encode())

    @asynccontextmanager
    async def connect(self, target: str) -> AsyncIterator[Any]:
        raise NotImplementedError
        yield

    async def close(self) -> None:
        return


def a_market(bid: str = "65000.0", **more: Any) -> dict[str, Any]:
    return {
        "time": {"serverTime": 1_000_500},
        "exchangeInfo": {"symbols": [{"symbol": "BTCUSDT", "filters": FILTERS}]},
        "bookTicker": {"bidPrice": bid, "askPrice": str(Decimal(bid) + 1)},
        **more,
    }


async def a_desk(transport: Scripted) -> Desk:
    known = Credentials(key="the-key", secret="the-secret")
    desk = Desk(Caller(transport, known, "/fapi/v1", lambda: 1_000_000), "BTCUSDT", "tag")
    await desk.open()
    return desk


@pytest.mark.req("I32")
# ── where it may run ──
@pytest.mark.parametrize(
    "base",
    ["https://fapi.binance.com", "https://api.binance.com", "https://evil.example", "http://127.0.0.1:9020", "https://demo-fapi.binance.com.evil.example"],
)  # fmt: skip
def test_production_and_strangers_are_refused(base: str) -> None:
    with pytest.raises(Refused, match="never runs against production"):
        demo(KEYS, base)


def test_demo_without_keys_is_refused_and_half_a_pair_too() -> None:
    with pytest.raises(Refused, match="no demo keys"):
        demo({})
    with pytest.raises(Refused, match="belong together"):
        demo({"BINANCE_DEMO_SPOT_KEY": "only"})


def test_keys_come_from_the_environment_or_from_files(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("the-secret-of-demo\n")
    from_file = {"BINANCE_DEMO_FUT_KEY": "the-key-of-demo", "BINANCE_DEMO_FUT_SECRET_FILE": str(tmp_path / "secret")}
    assert demo(KEYS) == demo(from_file)
    assert list(demo(KEYS)) == ["FUT"]
    with pytest.raises(Refused, match="cannot be read"):
        demo(from_file | {"BINANCE_DEMO_FUT_SECRET_FILE": str(tmp_path / "absent")})


def test_a_simulator_is_on_this_machine() -> None:
    with pytest.raises(Refused):
        simulator("https://demo-fapi.binance.com")


def test_keys_are_never_shown() -> None:
    shown = repr(demo(KEYS))
    assert "the-key" not in shown
    assert "the-secret" not in shown


def test_what_is_written_has_every_secret_struck_out() -> None:
    told = [{"got": {"msg": "key the-key is bad", "deep": [{"x-the-secret": 1}]}, "same": False}]
    assert redacted(told, ["the-key", "the-secret", ""]) == [
        {"got": {"msg": "key *** is bad", "deep": [{"x-***": 1}]}, "same": False}
    ]


# ── how it asks ──
async def test_a_call_is_signed_last_on_the_venues_clock() -> None:
    transport = Scripted(a_market(order={}))
    desk = await a_desk(transport)
    await desk.caller.call("POST", "/fapi/v1/order", {"symbol": "BTCUSDT"})

    method, target, headers = transport.sent[-1]
    query = target.partition("?")[2]
    payload, _, given = query.rpartition("&signature=")
    assert (method, headers) == ("POST", {"X-MBX-APIKEY": "the-key"})
    assert payload == "symbol=BTCUSDT&recvWindow=5000&timestamp=1000500"
    assert given == HmacSigner("the-secret").sign(payload.encode())


async def test_the_smallest_order_is_used_and_a_large_one_refused() -> None:
    desk = await a_desk(Scripted(a_market()))
    assert desk.qty == Decimal("0.002")
    assert desk.qty * desk.far_bid >= 100
    assert desk.far_bid % desk.rules.tick == 0

    dear = await a_desk(Scripted(a_market("900000.0")))
    with pytest.raises(Refused, match=f"worth more than {WORTH_MAX}"):
        _ = dear.qty


def test_a_refusal_is_told_without_its_numbers() -> None:
    refused = Answer(status=400, body={"code": -4016, "msg": "Limit price can't be higher than 71234.5."})
    assert refused.facts() == {"status": 400, "code": -4016, "msg": "Limit price can't be higher than #."}
    assert Answer(status=200, body=[{"b": 1, "a": 2}]).facts() == {"status": 200, "fields": ["a", "b"]}
    assert Answer(status=502, body="<html>").facts() == {"status": 502, "code": None, "msg": ""}


# ── what it makes of the answers ──
async def test_a_venue_that_answers_otherwise_is_told_as_not_the_same() -> None:
    def send(desk: Desk) -> Any:
        return desk.caller.call("POST", "/fapi/v1/order", {})

    check = refusal("a", "8.1", send, -1102)
    for code, same in ((-1102, True), (-1104, False)):
        desk = await a_desk(Scripted(a_market(order=(400, {"code": code, "msg": "no"}))))
        told = row("FUT", check, check.expects, await check.ask(desk))
        assert (told["same"], told["got"]) == (same, {"status": 400, "code": code})

    desk = await a_desk(Scripted(a_market(order={"orderId": 7, "extra": 1, "avgPrice": "0"})))
    shaped = shape("b", "4.1", send, "orderId", open_to="avgPrice")
    assert row("FUT", shaped, shaped.expects, await shaped.ask(desk))["got"] == {
        "status": 200, "fields": ["extra", "orderId"],
    }  # fmt: skip


async def test_an_open_question_has_no_expectation_of_its_own() -> None:
    async def ask(desk: Desk) -> dict[str, Any]:
        return {"stays": True}

    check = Check(name="q", source="13", question=2, ask=ask)
    assert row("FUT", check, None, {"stays": True})["same"] is None
    assert row("FUT", check, {"stays": False}, {"stays": True})["same"] is False


async def test_whatever_happens_it_tidies_up() -> None:
    """A check that cannot be asked is a row; tidying comes all the same."""
    tidied: list[str] = []

    async def broken(desk: Desk) -> dict[str, Any]:
        raise OutcomeUnknown("no answer within 10 ms")

    async def odd(desk: Desk) -> dict[str, Any]:
        return {"id": {}["orderId"]}

    async def yes(desk: Desk) -> bool:
        return True

    async def tidy(desk: Desk) -> None:
        tidied.append(desk.symbol)

    checks = tuple(Check(name=ask.__name__, source="-", ask=ask) for ask in (broken, odd))
    book = Book(market="FUT", base="/fapi/v1", checks=checks, untouched=yes, tidy=tidy)
    got = await asked(book, await a_desk(Scripted(a_market())), lambda line: None)

    assert got["broken"] == {"unreadable": "OutcomeUnknown: no answer within 10 ms"}
    assert got["odd"] == {"unreadable": "KeyError: 'orderId'"}
    assert tidied == ["BTCUSDT"]


async def test_an_account_that_holds_something_is_left_alone() -> None:
    rows = {"openOrders": [{"orderId": 1}], "openAlgoOrders": [], "positionRisk": []}
    transport = Scripted(a_market(**rows))
    desk = await a_desk(transport)
    with pytest.raises(Refused, match="open or held"):
        await asked(BOOKS[0], desk, lambda line: None)
    assert {method for method, _, _ in transport.sent} == {"GET"}


def test_every_check_has_a_name_of_its_own_and_every_question_is_there() -> None:
    for book in BOOKS:
        names = [check.name for check in book.checks]
        assert len(names) == len(set(names))
        assert all((check.expects is None) == (check.question is not None) for check in book.checks)
    questions = [check.question for book in BOOKS for check in book.checks if check.question]
    questions += [told["question"] for told in unasked()]
    assert sorted(questions) == sorted(set(questions))


# ── what is on record ──
def test_without_a_committed_difference_it_says_so(tmp_path: Path) -> None:
    assert committed.told(tmp_path) == committed.NEVER_TRIED
    record = tmp_path / committed.RECORD
    record.parent.mkdir(parents=True)
    rows = [{"same": True}, {"same": False}, {"same": None}]
    for environment, expected in (("sim", committed.NEVER_TRIED), ("demo", "1 of 2 answers are the twin's")):
        record.write_text(json.dumps({"environment": environment, "at": "2026-12-01", "rows": rows}))
        assert expected in committed.told(tmp_path)
    record.write_text("{")
    assert committed.told(tmp_path).startswith(committed.NEVER_TRIED)


def test_the_readme_claims_no_more_than_the_record() -> None:
    readme = (committed.ROOT / "README.md").read_text(encoding="utf-8")
    assert ("not been run against Binance" in readme) == (committed.told() == committed.NEVER_TRIED)


def test_an_answer_is_told_in_a_line_that_a_person_reads() -> None:
    assert in_words({"code": -2011, "msg": "Unknown order sent.", "status": 400}) == "400 -2011 Unknown order sent."
    assert in_words({"status": 200, "fields": [f"f{number}" for number in range(22)]}) == "200 fields=22"
    assert in_words({"place": [], "code": None, "events": ["NEW NEW", "CANCELED CANCELED"]}) == (
        "none place=none events=NEW NEW, CANCELED CANCELED"
    )
