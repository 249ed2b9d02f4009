"""Both shapes of an order give equal intents and hashes; amounts arrive exactly; fuzz never breaks the reader."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from router_fake import NOW, an_intent, good_order, instruments, raw

from chimera.trading.errors import Refused
from chimera.trading.ids import AccountId, IntentId, StrategyId, derived_id
from chimera.trading.intent import (
    Intent,
    IntentKind,
    MakerThenTaker,
    MarketNow,
    StopSpec,
    TargetKind,
    TargetSpec,
    WorkingType,
)
from chimera.trading.market import Side
from chimera.wire import codec, request_json, requests
from chimera.wire.intents import order_body


def read(body: bytes | Mapping[str, Any], **how: Any) -> Intent:
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return requests.order_intent(request_json.read_object(body), instruments=instruments, now_ms=NOW, **how)


def answer(body: bytes | Mapping[str, Any]) -> Intent | Refused:
    try:
        return read(body)
    except Refused as no:
        return no


def order(**changes: Any) -> dict[str, Any]:
    members = {name: json.loads(value) for name, value in good_order().items()}
    return {name: value for name, value in {**members, **changes}.items() if value != "-"}


@pytest.mark.req("S4-API-2", "S4-API-4")
def test_flat_and_wrapped_mean_the_same() -> None:
    flat = {"intent_id": "u", "market": "FUT", "symbol": "BTCUSDT", "side": "BUY", "qty": 0.002}
    flat["exec_policy"] = {"type": "MARKET"}
    wrapped = {"intent_id": "u", "kind": "ENTRY", "market": "FUT", "symbol": "BTCUSDT", "side": "BUY", "size": "0.0020"}
    wrapped["exec_policy"] = {"order_type": "MARKET", "time_in_force": "IOC"}

    one, other = read(flat), read({"intent": wrapped})

    assert one == other
    assert requests.body_hash(one) == requests.body_hash(other)
    assert one.policy == MarketNow()


def test_the_specs_order() -> None:
    intent = read(raw(good_order()))

    assert intent.qty == Decimal("0.002")
    assert intent.policy == MakerThenTaker(wait_ms=2000, slices=2, gap_ms=600)
    assert intent.stop == StopSpec(price=Decimal(64800))  # type: ignore[arg-type]  # a Price by its name
    assert (intent.kind, intent.reduce_only, intent.leverage, intent.created_ms) == (IntentKind.ENTRY, False, 20, NOW)


@pytest.mark.parametrize(
    ("policy", "meant"),
    [
        ("-", MakerThenTaker()),
        ({}, MakerThenTaker()),
        (None, MakerThenTaker()),
        ({"type": "MakerThenTaker"}, MakerThenTaker()),
        ({"post_only_wait_ms": 900}, MakerThenTaker(wait_ms=900)),
        ({"post_only_wait_ms": 900, "maker_wait_ms": 900}, MakerThenTaker(wait_ms=900)),
        ({"twap": {"slices": 3}}, MakerThenTaker(slices=3)),
        ({"order_type": "MARKET"}, MarketNow()),
        ({"type": "MARKET", "twap": {"slices": 2, "gap_ms": 5}}, MakerThenTaker(wait_ms=0, slices=2, gap_ms=5)),
    ],
)
def test_policies(policy: Any, meant: Any) -> None:
    assert read(order(exec_policy=policy)).policy == meant


@pytest.mark.parametrize(
    ("changes", "stop"),
    [
        ({"sl": "-"}, StopSpec()),
        ({"sl": {"price": "64800.10", "working_type": "CONTRACT_PRICE"}}, ("64800.1", WorkingType.CONTRACT_PRICE)),
        ({"sl": {"stop_price": 64800}}, ("64800", None)),
        ({"sl": "-", "reduce_only": True}, None),
        ({"sl": "-", "kind": "EXIT"}, None),
        ({"sl": None, "reduce_only": True}, None),
    ],
)
def test_stops(changes: dict[str, Any], stop: Any) -> None:
    expected = StopSpec(price=Decimal(stop[0]), working_type=stop[1]) if isinstance(stop, tuple) else stop  # type: ignore[arg-type]  # a Price by its name

    intent = read(order(**changes))

    assert intent.stop == expected
    assert (intent.kind is IntentKind.EXIT) == intent.reduce_only == (stop is None)


def test_no_stop_on_purpose_only_where_allowed() -> None:
    assert read(order(sl=None), allow_unprotected=True).stop is None
    with pytest.raises(Refused, match="S4_ALLOW_UNPROTECTED"):
        read(order(sl=None))


@pytest.mark.parametrize(
    ("tp", "meant"),
    [
        ({"target": "net_profit_usdt", "value": 1.5}, (TargetKind.NET_PROFIT_USDT, "1.5")),
        ({"target": "roe", "value": "0.05"}, (TargetKind.ROE, "0.05")),
        ({"target": "price", "value": 67000}, (TargetKind.PRICE, "67000")),
        ({"price": 67000}, (TargetKind.PRICE, "67000")),
    ],
)
def test_targets(tp: dict[str, Any], meant: tuple[TargetKind, str]) -> None:
    assert read(order(tp=tp)).target == TargetSpec(kind=meant[0], value=Decimal(meant[1]))


@pytest.mark.req("S4-IDEM-1", "S4-API-4")
@pytest.mark.parametrize(
    ("intent_id", "client_id", "key", "ids"),
    [
        ("u", "c", None, ("u", "c")),
        ("u", "-", None, ("u", derived_id("s4", "u"))),
        ("-", "c", None, ("c", "c")),
        ("-", "-", "k", ("k", derived_id("s4", "k"))),
        ("-", "-", '"k"', ("k", derived_id("s4", "k"))),
        ("u", "c", "u", ("u", "c")),
        ("u", "c", "c", ("u", "c")),
        ("u", "c", "k", None),
        ("u", "-", "k", None),
        ("-", "-", None, None),
        ("-", "-", "not an id", None),
    ],
)
@pytest.mark.fault("F8")
def test_ids(intent_id: str, client_id: str, key: str | None, ids: tuple[str, str] | None) -> None:
    body = order(intent_id=intent_id, client_order_id=client_id)
    if ids is None:
        with pytest.raises(Refused):
            read(body, idempotency_key=key)
    else:
        intent = read(body, idempotency_key=key)
        assert (intent.intent_id, intent.client_order_id) == ids


@pytest.mark.req("S4-IDEM-1", "I3")
def test_the_hash_is_of_what_was_asked() -> None:
    first = read(order(qty="0.002", created_ms=1, trace_id="a"))
    again = read(order(qty=0.0020, created_ms=2, trace_id="b"))
    others = [
        order(qty="0.0021"), order(side="SELL"), order(sl={"price": 64801}), order(sl="-"), order(exec_policy="-"),
        order(intent_id="other"), order(leverage=5), order(max_hold_s=60), order(kind="EXIT", sl="-"),
    ]  # fmt: skip

    assert requests.body_hash(first) == requests.body_hash(again)
    hashes = {requests.body_hash(read(body)) for body in others}
    assert len(hashes | {requests.body_hash(first)}) == len(others) + 1


def test_the_quantity_is_left_as_asked() -> None:
    """Rounding down to the step is the plan's to do, which says so."""
    assert read(order(qty="0.0025")).qty == Decimal("0.0025")


prices = st.integers(min_value=500_000, max_value=600_000).map(lambda ticks: Decimal(ticks) / 10)


@settings(max_examples=60, deadline=None)
@given(
    side=st.sampled_from(Side),
    qty=st.decimals(min_value="0.001", max_value="1000", places=6),
    policy=st.builds(
        MakerThenTaker,
        wait_ms=st.none() | st.integers(0, 3_600_000),
        slices=st.none() | st.integers(1, 1000),
        gap_ms=st.none() | st.integers(0, 3_600_000),
    )
    | st.builds(MarketNow),
    stop=st.builds(StopSpec, price=st.none() | prices, working_type=st.none()),
    target=st.none() | st.builds(TargetSpec, kind=st.just(TargetKind.ROE), value=st.decimals("0.001", "5", places=3)),
    leverage=st.integers(1, 125),
    max_hold_s=st.none() | st.integers(1, 100_000),
)
def test_what_s3_writes_is_read_back_as_it_was(**asked: Any) -> None:
    intent = an_intent(intent_id=IntentId("u"), **asked)

    assert read(order_body(intent)) == intent


amounts = st.one_of(
    st.text(max_size=50),
    st.from_regex(r"-?[0-9]{0,40}\.?[0-9]{0,40}([eE][+-]?[0-9]{0,9})?", fullmatch=True),
    st.decimals().map(str),
    st.floats().map(repr),
    st.integers().map(str),
    st.sampled_from(["NaN", "Infinity", "-Infinity", "true", "false", "null", "[]", "{}", "1_000", "0x10", "+1"]),
)


AMOUNT_CODES = {
    "MALFORMED", "OUT_OF_RANGE", "MISSING_FIELD", "BELOW_STEP", "OFF_TICK", "STOP_PRICE_MISSING", "UNKNOWN_FIELD",
}  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(written=amounts, quoted=st.booleans(), field=st.sampled_from(["qty", "sl", "tp"]))
@pytest.mark.req("I9")
@pytest.mark.fault("F1")
def test_any_text_as_an_amount_is_exact_or_refused(written: str, quoted: bool, field: str) -> None:
    value = json.dumps(written) if quoted else written
    inside = {"qty": value, "sl": f'{{"price":{value}}}', "tp": f'{{"target":"roe","value":{value}}}'}
    body = raw({**good_order(), field: inside[field]})
    intent = answer(body)
    if isinstance(intent, Refused):
        assert intent.code in AMOUNT_CODES
        return
    read_back = {
        "qty": intent.qty,
        "sl": intent.stop and intent.stop.price,
        "tp": intent.target and intent.target.value,
    }
    assert type(read_back[field]) is Decimal
    assert read_back[field] == Decimal(written.strip() if not quoted else written)


leaves = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
members = st.dictionaries(
    st.sampled_from(
        [*good_order(), "tp", "kind", "size", "intent", "reduce_only", "leverage", "max_hold_s", "surplus"]
    ),
    st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(["price", "type", "twap", "slices", "target", "value", "x"]), inner, max_size=3
            )
        ),
        max_leaves=6,
    ),
)


@settings(max_examples=60, deadline=None)
@given(changes=members)
@pytest.mark.fault("F1", "F14")
def test_any_document_is_an_intent_or_refused(changes: dict[str, Any]) -> None:
    assert isinstance(answer({**order(), **changes}), Intent | Refused)


names = st.sampled_from(["a", "b", "qty"])
documents = st.recursive(
    leaves | st.floats(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
texts = documents.map(json.dumps) | st.tuples(documents, documents).map(
    lambda two: f'{{"a": {json.dumps(two[0])}, "a": {json.dumps(two[1])}}}'
)


def as_it_stands(body: bytes) -> object:
    """By the language's own reader, numbers as they are written; None: no JSON, or a name given twice."""

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        if len({name for name, _ in pairs}) < len(pairs):
            raise ValueError("twice")
        return dict(pairs)

    try:
        return json.loads(body.decode(), parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=once)
    except ValueError:
        return None


@settings(max_examples=300, deadline=None)
@given(body=st.binary(max_size=200) | texts.map(str.encode) | texts.map(lambda text: text[:-1].encode()))
@example(body=b'{"a": 1} {}')
@example(body=b'\xef\xbb\xbf{"a": 1}')
@example(body=b'{"a": NaN, "b": 1e999}')
def test_any_bytes_are_the_object_that_they_say_or_refused(body: bytes) -> None:
    try:
        found: object = request_json.read_object(body)
    except Refused as refused:
        found = refused.code

    meant = as_it_stands(body)
    assert found == (meant if isinstance(meant, dict) else "MALFORMED")


def test_an_object_nested_too_deeply_is_refused() -> None:
    with pytest.raises(Refused, match="deeply"):
        request_json.read_object(b'{"a":' * 100_000 + b"1" + b"}" * 100_000)


@pytest.mark.req("S4-IDEM-1", "S3-IDEM-1")
def test_the_hash_is_of_what_was_asked_and_not_of_who_made_the_text() -> None:
    """As S3 has it after a restart: names that equal the defaults and are other objects."""
    intent = an_intent()
    again = codec.decode(codec.encode(intent), Intent)
    named = intent.but(account_id=AccountId("".join(("ma", "in"))), strategy_id=StrategyId("".join(("s", "3"))))
    assert requests.body_hash(again) == requests.body_hash(named) == requests.body_hash(intent)
    assert requests.body_hash(intent.but(strategy_id=StrategyId("s9"))) != requests.body_hash(intent)
