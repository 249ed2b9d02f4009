"""Amounts leave as bare numbers with every digit; names decide what an amount is, and the names are complete."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic.json_schema import models_json_schema

from chimera.trading.budget import Reserve
from chimera.trading.decision import Explanation, Feature, Verdict
from chimera.trading.errors import Refused
from chimera.trading.intent import Intent
from chimera.wire import account_shown, shown
from chimera.wire.answers import AMOUNT_FIELDS, encode_answer, exact
from chimera.wire.failures import error_body


@pytest.mark.parametrize(
    ("kept", "shown"),
    [
        ("0.12345678901234567890", b"0.1234567890123456789"),
        (Decimal("0.12345678901234567890"), b"0.1234567890123456789"),
        ("123456789012345678901234567890.1", b"123456789012345678901234567890.1"),
        (Decimal("1E-8"), b"0.00000001"),
        ("1E-8", b"0.00000001"),
        (Decimal("6.58E+4"), b"65800"),
        (Decimal("-0E-8"), b"0"),
        ("-0.002", b"-0.002"),
        (65800, b"65800"),
        (None, b"null"),
        (True, b"true"),
        ("none", b'"none"'),
        ("٢", '"٢"'.encode()),
        (["0.5", Decimal(1)], b"[0.5,1]"),
        ({"qty": "1.50", "id": "7"}, b'{"qty":1.5,"id":"7"}'),
    ],
)
def test_what_an_amount_field_shows(kept: object, shown: bytes) -> None:
    assert encode_answer({"price": kept}) == b'{"price":' + shown + b"}"


def test_ids_of_digits_stay_strings() -> None:
    row = {
        "order_id": "77",
        "order_ids": ["77", "78"],
        "fill_id": "9",
        "trade_id": "1",
        "message": "5",
        "code": "-2011",
    }

    assert encode_answer([row]) == msgspec.json.encode([row])
    assert exact(row) == row


def test_an_error_body_keeps_the_callers_own_word() -> None:
    no = {"symbol": "123"} | error_body(Refused("UNKNOWN_SYMBOL", "no", field="symbol", value="123"))

    assert json.loads(encode_answer({"results": [no, {"value": "123"}]}))["results"] == [no, {"value": 123}]


WORDS = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**6), 10**6), st.text("-0123456789.eE+", max_size=8), st.text(max_size=4),
    st.decimals(allow_nan=False, allow_infinity=False, places=6),
)  # fmt: skip
NAMES = st.sampled_from(["price", "limits", "value", "result", "accepted", "id", "of"])


@given(st.recursive(WORDS, lambda node: st.lists(node, max_size=3) | st.dictionaries(NAMES, node, max_size=4)))
def test_what_is_written_is_what_exact_makes_of_it(document: object) -> None:
    def counted(node: Any) -> Any:  # as JSON has it: an amount is a number and nothing else
        match node:
            case bool():
                return node
            case int():
                return Decimal(node)
            case dict():
                return {name: counted(inner) for name, inner in node.items()}
            case list():
                return [counted(inner) for inner in node]
            case _:
                return node

    written = json.loads(encode_answer(document), parse_float=Decimal, parse_int=Decimal)
    assert written == counted(exact(document))
    assert encode_answer(exact(document)) == encode_answer(document)


@pytest.mark.parametrize("wrong", ["NaN", "Infinity"])
def test_what_is_no_number_is_no_amount(wrong: str) -> None:
    with pytest.raises(ValueError, match="is no amount"):
        encode_answer({"price": Decimal(wrong)})


@given(st.decimals(allow_nan=False, allow_infinity=False, places=None).filter(lambda d: abs(d.adjusted()) < 400))
def test_every_decimal_comes_back(amount: Decimal) -> None:
    written = encode_answer({"qty": amount, "fees": format(amount, "f")})

    read = json.loads(written, parse_float=Decimal)
    assert exact(read) == {"qty": amount, "fees": amount}
    assert not {b"e", b"E"} & {bytes([letter]) for letter in written.replace(b"fees", b"")}


def decimals(kind: Any, name: str = "") -> Iterator[str]:
    """Names of the fields that hold decimals, anywhere in a type."""
    match msgspec.inspect.type_info(kind) if isinstance(kind, type) else kind:
        case msgspec.inspect.DecimalType():
            yield name
        case msgspec.inspect.StructType(fields=fields):
            for field in fields:
                yield from decimals(field.type, field.encode_name)
        case msgspec.inspect.UnionType(types=kinds):
            for one in kinds:
                yield from decimals(one, name)
        case msgspec.inspect.VarTupleType(item_type=inner) | msgspec.inspect.ListType(item_type=inner):
            yield from decimals(inner, name)


@pytest.mark.parametrize("kind", [Explanation, Verdict, Feature, Intent, Reserve])
def test_every_decimal_that_s3_shows_is_an_amount(kind: type) -> None:
    found = set(decimals(kind))

    assert found
    assert found <= AMOUNT_FIELDS


@pytest.mark.req("S4-API-9")
def test_the_published_models_call_amounts_what_the_encoder_does() -> None:
    orders = (shown.OrderResult, shown.CancelResponse, shown.CloseResponse, shown.HealthResponse)
    board = (account_shown.PositionsResponse, account_shown.DoubtsResponse, account_shown.TransfersResponse)
    cash = (account_shown.EntriesResponse, account_shown.BalancesResponse, account_shown.PnlResponse)
    _, schema = models_json_schema([(model, "serialization") for model in (*orders, *board, *cash)])
    fields = [item for model in schema["$defs"].values() for item in model.get("properties", {}).items()]
    numbers = {name for name, about in fields if '"number"' in json.dumps(about)}

    assert {"filled_qty", "avg_price", "fee", "slippage_bps"} <= numbers <= AMOUNT_FIELDS
    words = {"of"}  # of a cash entry: the venue's word, made of letters
    assert {name for name, _ in fields} & AMOUNT_FIELDS - words == numbers
