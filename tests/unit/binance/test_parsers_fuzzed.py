"""Whatever bytes the venue answers, a parser gives a value or ``Unreadable`` (SEC30).

Every struct of both markets' payloads, with its own fields' names and values that no document shows; and bytes at all.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any, Final

import msgspec
import msgspec.inspect
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera.adapters.binance import payloads, translate
from chimera.adapters.binance.payloads import Unreadable, decoded
from chimera.adapters.binance.spot import payloads as spot_payloads
from chimera.adapters.binance.spot import translate as spot_translate
from chimera.trading.ids import ClientOrderId, Symbol
from chimera.trading.money import Millis

KINDS: Final[list[Any]] = [
    kind
    for module in (payloads, spot_payloads)
    for _, kind in inspect.getmembers(module, inspect.isclass)
    if issubclass(kind, msgspec.Struct) and kind.__module__ == module.__name__
]
READS: Final[dict[Any, Callable[[Any], object]]] = {
    payloads.OrderRow: translate.order,
    payloads.AlgoRow: translate.algo,
    payloads.OrderEvent: translate.order_event,
    payloads.AlgoEvent: translate.algo_event,
    payloads.TradeRow: lambda row: translate.fill(row, ClientOrderId("x")),
    payloads.PositionRow: lambda row: translate.positions([row, row]),
    payloads.BalanceRow: lambda row: translate.funds([row], "USDT", Millis(0)),
    payloads.IncomeRow: translate.income,
    payloads.CommissionRate: lambda row: translate.fee_rates(row, burns=True),
    payloads.AccountConfig: translate.modes,
    payloads.BookTicker: lambda row: translate.touch(row, Millis(0)),
    payloads.Brackets: translate.margin_steps,
    spot_payloads.OrderRow: spot_translate.order,
    spot_payloads.ExecutionReport: spot_translate.order_event,
    spot_payloads.TradeRow: lambda row: spot_translate.fill(row, ClientOrderId("x")),
    spot_payloads.Account: lambda row: spot_translate.held(row, "BTC", Symbol("BTCUSDT"), Millis(0)),
    spot_payloads.Commission: spot_translate.fee_rates,
}
NUMBERS: Final = st.sampled_from(
    ("0", "1", "-1", "0.001", "65800.10", "1e400", "-0", "NaN", "Infinity", "1E-40", "", "0x1", "9" * 60)
)
WORDS: Final = st.sampled_from(
    ("", "0.1", "65800", "BUY", "SELL",
     "NEW", "FILLED", "CANCELED", "EXPIRED", "LIMIT", "MARKET", "STOP_MARKET", "BOTH", "BTCUSDT", "USDT",
     "TRADE", "GTC", "true", "ORDER_TRADE_UPDATE", "executionReport", "\ud7ff", "x" * 300)
)  # fmt: skip
LEAVES: Final = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | NUMBERS | WORDS | st.text(max_size=9)
)
ANY: Final = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3))


def of_type(told: Any) -> st.SearchStrategy[Any]:
    """JSON of this type, mostly such as the venue writes it."""
    match told:
        case msgspec.inspect.StructType(fields=fields):
            return st.fixed_dictionaries({each.encode_name: of_type(each.type) for each in fields})
        case msgspec.inspect.ListType(item_type=item):
            return st.lists(of_type(item), min_size=1, max_size=2)
        case msgspec.inspect.UnionType(types=types):
            return st.one_of([of_type(each) for each in types])
        case msgspec.inspect.EnumType(cls=words):
            return st.sampled_from([word.value for word in words])
        case msgspec.inspect.LiteralType(values=values):
            return st.sampled_from(values)
        case msgspec.inspect.DecimalType():
            return st.sampled_from(("0", "1", "-1", "0.001", "65800.10", "-0", "1E-20", "9" * 25))
        case msgspec.inspect.IntType():
            return st.integers(-1, 2**53)
        case msgspec.inspect.BoolType():
            return st.booleans()
        case msgspec.inspect.NoneType():
            return st.none()
        case _:
            return WORDS


@st.composite
def documents(draw: st.DrawFn, kind: Any) -> Any:
    """Of this kind; half of them with one or two fields that are of another, or gone."""
    document = draw(of_type(msgspec.inspect.type_info(kind)))
    for name in draw(st.lists(st.sampled_from(sorted(document)), max_size=2)) if draw(st.booleans()) else ():
        if draw(st.booleans()):
            document.pop(name, None)
        else:
            document[name] = draw(ANY)
    return document


def amounts(told: object) -> Iterator[Decimal]:
    """Of a value of ours, however deep."""
    match told:
        case Decimal():
            yield told
        case msgspec.Struct():
            yield from (each for name in told.__struct_fields__ for each in amounts(getattr(told, name)))
        case dict():
            yield from (each for inner in told.values() for each in amounts(inner))
        case tuple() | list():
            yield from (each for inner in told for each in amounts(inner))


@pytest.mark.req("I9")
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.__module__.split('.')[-2]}.{kind.__name__}")
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_document_of_any_kind_is_read_or_refused(kind: Any, data: st.DataObject) -> None:
    """And what is read is made of numbers."""
    body = msgspec.json.encode(data.draw(documents(kind) | ANY))
    with suppress(Unreadable):
        row = decoded(body, kind)
        assert all(amount.is_finite() for amount in amounts(READS.get(kind, repr)(row)))


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=200) | ANY.map(msgspec.json.encode), reads=st.sampled_from((translate, spot_translate)))
def test_an_instrument_is_read_or_not_there_or_refused(body: bytes, reads: Any) -> None:
    with suppress(Unreadable):
        reads.instrument(body)


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b'{"a":' * 100_000, b"<html>503</html>", b"", b"null", b'{"orderId":' + b"9" * 5_000 + b"}",
     b'{"qty":"' + b"9" * 1_000_000 + b'"}', b"\xff\xfe", b'{"price":"1e999999999"}'],
    ids=lambda body: repr(body[:20]),
)  # fmt: skip
def test_what_is_no_answer_at_all_is_refused_by_each(body: bytes) -> None:
    for kind in KINDS:
        try:
            decoded(body, kind)
        except Unreadable:
            continue
        assert not kind.__struct_fields__ or all(each.required is False for each in msgspec.structs.fields(kind))
