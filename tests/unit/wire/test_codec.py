"""The codec: what is written reads back the same, newer is refused, older is carried up."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.trading.errors import NewerSchema
from chimera.trading.facts import CloseAsked
from chimera.trading.holding import Holding
from chimera.trading.instrument import Instrument
from chimera.trading.market import Level, Touch
from chimera.trading.money import Millis, Price, Qty, text
from chimera.wire import codec
from chimera.wire.codec import SCHEMA_VERSION, decode, encode, plain, seal, seal_holding, unseal
from support.desk import BTC, KEY, a_long, an_intent

amounts = st.decimals(allow_nan=False, allow_infinity=False, places=12, min_value=-(10**15), max_value=10**15)


@pytest.mark.req("I9")
@given(bid=amounts, ask=amounts)
def test_amounts_read_back_exactly(bid: Decimal, ask: Decimal) -> None:
    touch = Touch(bid=Price(bid), bid_qty=Qty(ask), ask=Price(ask), ask_qty=Qty(bid), at_ms=Millis(1))
    read = decode(encode(touch), Touch)

    assert read == touch
    assert (str(read.bid), str(read.ask)) == (str(bid), str(ask))


@pytest.mark.parametrize("value", [BTC, an_intent(), Holding(key=KEY)])
def test_a_sealed_value_reads_back(value: msgspec.Struct) -> None:
    assert unseal(seal(value), type(value)) == value
    assert seal(value) == seal(value)


def test_a_holding_is_sealed_with_what_its_unchanged_orders_were_before() -> None:
    desk = a_long()
    first = seal_holding(desk.holding)
    assert unseal(first, Holding) == desk.holding == unseal(seal(desk.holding), Holding)
    desk.hear(CloseAsked(reason="TEST"))  # some orders are as they were, others are not
    second = seal_holding(desk.holding)
    assert unseal(second, Holding) == desk.holding != unseal(first, Holding)
    assert second == seal_holding(unseal(second, Holding)), "the same value, the same bytes, whoever wrote before"
    assert unseal(seal_holding(Holding(key=KEY)), Holding) == Holding(key=KEY)


@pytest.mark.req("I9")
def test_a_json_number_becomes_a_decimal_without_a_float_between() -> None:
    assert decode(b'["0.1", 12345678901234567.123456789]', tuple[Decimal, Decimal]) == (
        Decimal("0.1"),
        Decimal("12345678901234567.123456789"),
    )


@pytest.mark.parametrize("bad", [b'{"tick":"0.1"}', b"[]", b"{", b'{"nonsense":1}'])
def test_what_is_no_instrument_is_refused(bad: bytes) -> None:
    with pytest.raises((msgspec.ValidationError, msgspec.DecodeError)):
        decode(bad, Instrument)


def test_a_misspelt_field_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="stepp"):
        decode(encode(BTC).replace(b'"step"', b'"stepp"'), Instrument)


@pytest.mark.req("LED-3")
@pytest.mark.fault("A20", "G3")
def test_a_newer_document_is_refused() -> None:
    with pytest.raises(NewerSchema, match=str(SCHEMA_VERSION + 1)):
        unseal(b'{"schema_version":%d,"body":{}}' % (SCHEMA_VERSION + 1), Instrument)


@pytest.mark.req("LED-3")
def test_an_older_document_is_carried_up_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps, as a later build would have them: a renamed field, then a new unit."""

    def renamed(body: dict[str, Any]) -> dict[str, Any]:
        return {("price" if name == "px" else name): value for name, value in body.items()}

    def in_lots(body: dict[str, Any]) -> dict[str, Any]:
        return {**body, "qty": str(Decimal(body["qty"]) / 1000)}

    class Resting(msgspec.Struct):
        price: Decimal
        qty: Decimal

    monkeypatch.setattr(codec, "SCHEMA_VERSION", 3)
    monkeypatch.setattr(codec, "MIGRATIONS", {1: renamed, 2: in_lots})

    first = b'{"schema_version":1,"body":{"px":"65000.1","qty":"2"}}'
    second = b'{"schema_version":2,"body":{"price":"65000.1","qty":"2"}}'
    third = b'{"schema_version":3,"body":{"price":"65000.1","qty":"0.002"}}'
    read = [unseal(document, Resting) for document in (first, second, third)]

    assert read == [Resting(price=Decimal("65000.1"), qty=Decimal("0.002"))] * 3


@pytest.mark.req("LED-3")
def test_every_older_version_has_its_step() -> None:
    assert set(codec.MIGRATIONS) == set(range(1, SCHEMA_VERSION))


def test_plain_writes_digits_without_exponents() -> None:
    level = Level(price=Price(Decimal("0E-8")), qty=Qty(Decimal("1E+3")))

    assert plain({"levels": (level,), "none": None, "many": [Decimal("1.50")]}) == {
        "levels": [["0", "1000"]],
        "none": None,
        "many": ["1.5"],
    }


def spelt(node: object) -> object:
    """What ``plain`` is to make of a document."""
    match node:
        case Decimal():
            return text(node)
        case dict():
            return {name: spelt(inner) for name, inner in node.items()}
        case list() | tuple():
            return [spelt(inner) for inner in node]
        case _:
            return node


LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.decimals(allow_nan=False, places=3)


@given(
    st.recursive(
        LEAVES,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.lists(inner, max_size=3).map(tuple)
            | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        ),
    )
)
def test_plain_reaches_every_amount_and_leaves_the_rest(document: object) -> None:
    assert plain(document) == spelt(document)
