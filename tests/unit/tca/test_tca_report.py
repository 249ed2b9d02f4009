"""From rows to the report: what is joined, what is left out, what is counted as unknown."""

from decimal import Decimal
from typing import Any

import pytest

from chimera.tca.report import Recording, report
from chimera.tca.rows import Ledger, Wanted, quote_of
from chimera.trading.market import Market, TopOfBook
from chimera.trading.money import Millis, Price, Qty
from chimera.wire.codec import encode
from support.tca_rows import T0, book, child, fill, parent, signal, unfilled

ALL = Wanted(since_ms=Millis(0), until_ms=Millis(9_999_999_999_999))
PARTS = ("delay", "spread", "impact", "fees", "opportunity", "total")


def told(
    orders: list[dict[str, Any]], fills: list[dict[str, Any]], signals: list[dict[str, Any]], *recordings: Recording,
    wanted: Wanted = ALL, prices: dict[str, Decimal] | None = None,
) -> dict[str, Any]:  # fmt: skip
    ledger = Ledger()
    ledger.orders(orders)
    ledger.fills(fills)
    ledger.signals(signals)
    return report(ledger.told(wanted), recordings, prices or {})


def tape(*mids: tuple[int, str], symbol: str = "BTCUSDT", market: Market = Market.FUT) -> Recording:
    """Touches one wide, the first ten seconds before ``T0``, the last a second after the last that is named."""
    one = Qty(Decimal(1))
    at = [*mids, (mids[-1][0] + 1_000, mids[-1][1])]
    return market, [
        TopOfBook(
            symbol=symbol, at_us=(T0 + after) * 1_000, bid=Price(Decimal(mid) - 1), bid_qty=one,
            ask=Price(Decimal(mid) + 1), ask_qty=one,
        )
        for after, mid in at
    ]  # fmt: skip


def test_a_taken_intent_with_its_decision() -> None:
    """Decided at 99, sent at 100, 2 bought at 101: delay 2, spread 2, fee 0.1 on 198."""
    row = told([parent()], [fill("1")], [signal()])["orders"][0]

    assert [row["cost"][part] for part in PARTS] == ["2", "2", "0", "0.1", "0", "4.1"]
    assert [row["bps"][part] for part in PARTS] == ["101.0101", "101.0101", "0", "5.0505", "0", "207.0707"]
    assert (row["basis"], row["vwap"], row["decision_mid"], row["arrival_mid"]) == ("198", "101", "99", "100")
    assert row["arrived"]["cost"]["total"] == "2.1"


def test_without_a_decision_the_cost_since_arrival_is_told_and_the_rest_is_null() -> None:
    whole = told([parent()], [fill("1")], [])
    row = whole["orders"][0]

    assert [row["cost"][part] for part in PARTS] == [None, "2", "0", "0.1", "0", None]
    assert row["bps"]["total"] is None
    assert whole["unknown"]["decision_mid"] == 1
    group = whole["groups"][0]
    assert (group["decided"]["complete"], group["decided"]["incomplete"]) == (0, 1)
    assert group["decided"]["cost"]["total"] is None
    assert group["arrived"]["bps"]["total"] == "105"


def test_an_unfilled_end_is_priced_by_the_recording_or_not_at_all() -> None:
    orders = [unfilled(mid_at_send=None)]
    blind, seen = told(orders, [], [signal()]), told(orders, [], [signal()], tape((-100, "99"), (1_900, "104")))

    assert blind["orders"][0]["cost"]["opportunity"] is None
    assert blind["unknown"]["end_mid"] == 1
    assert seen["orders"][0]["cost"]["opportunity"] == "10"
    assert seen["orders"][0]["cost"]["total"] == "10"
    assert seen["unknown"]["end_mid"] == 0


@pytest.mark.parametrize(
    ("asset", "fee", "prices", "recorded", "quote"),
    [
        ("USDT", "0.1", {}, False, "0.1"),
        ("BTC", "0.001", {}, False, "0.101"),
        ("BNB", "0.001", {"BNBUSDT": Decimal(600)}, True, "0.6"),
        ("BNB", "0.001", {}, True, "0.5"),
        ("BNB", "0.001", {}, False, None),
        ("BNB", "0", {}, False, "0"),
    ],
)
def test_fees_in_other_assets_cost_what_those_were_worth(
    asset: str, fee: str, prices: dict[str, Decimal], recorded: bool, quote: str | None
) -> None:
    tapes = [tape((900, "500"), (1_500, "501"), symbol="BNBUSDT", market=Market.SPOT)] if recorded else []
    whole = told([parent()], [fill("1", fee=fee, fee_asset=asset)], [signal()], *tapes, prices=prices)

    assert whole["orders"][0]["cost"]["fees"] == quote
    assert whole["unknown"]["fee_price"] == (quote is None)


def test_markouts_of_both_sides_are_costs_where_the_price_goes_against_them() -> None:
    """Both trade 2 at 101; a second later the mid is 99, five later 103, and then nobody looked."""
    orders = [parent("b"), parent("s", side="SELL")]
    fills = [fill("1", "b", maker=True), fill("2", "s", side="SELL")]
    seen = told(orders, fills, [], tape((0, "100"), (1_500, "99"), (4_000, "103"), (6_500, "103")))
    marks = seen["markouts"][0]

    assert [mark["cost"] for mark in marks["maker"]] == ["4", "-4", None]
    assert [mark["cost"] for mark in marks["taker"]] == ["-4", "4", None]
    assert [mark["bps"] for mark in marks["maker"]] == ["198.0198", "-198.0198", None]
    assert [(mark["known"], mark["unknown"]) for mark in marks["all"]] == [(2, 0), (2, 0), (0, 2)]
    assert seen["unknown"]["markout_60000_ms"] == 2


def test_what_rested_is_read_with_the_book_of_its_sending() -> None:
    children = [
        {"client_order_id": "c-m1", "book_top3": book("99", "101", bid_qty="20")},
        {"client_order_id": "c-m2", "book_top3": None},
    ]
    orders = [parent(children=children), child("c-m1"), child("c-m2", status="FILLED", qty="1"),
              child("c-m3", status="REJECTED"), child("c-t4", role="TAKER"), child("d-m1", "d")]  # fmt: skip
    fills = [fill("1", ref="c-m2", qty="1", price="99", maker=True, at_ms=T0 + 210), fill("2", qty="1")]
    whole = told(orders, fills, [])
    rests = whole["resting"][0]

    assert (rests["all"]["orders"], rests["all"]["filled_share"]) == (2, "0.3333")
    assert whole["refused_posts"] == 1
    assert [(one["group"], one["orders"]) for one in rests["by_depth"]] == [("1000 - 5000", 1), ("unknown", 1)]
    assert [one["group"] for one in rests["by_spread_bps"]] == [">= 10", "unknown"]
    assert rests["by_wait"][1] == {"wait_ms": 250, "at_risk": 1, "chance": "0.5"}


def test_what_is_not_analysed_is_counted() -> None:
    orders = [
        parent("w", done=False), parent("p", intent_kind="PROTECT"), parent("x", qty="many"), parent("n", qty="NaN"),
        parent("t"), parent("ok"),
    ]  # fmt: skip
    fills = [fill("1", "ok"), fill("2", "ok", price="0"), {"kind": "FILL"}, fill("3", "t", qty="1.9")]
    whole = told(orders, fills, [])

    assert whole["left_out"] == {
        "filled by more than the trades that are known": 1, "not an entry or exit": 1, "still working": 1,
        "unreadable": 4,
    }  # fmt: skip
    assert (whole["intents"], whole["fills"]) == (1, 1)


def test_trades_of_the_position_are_not_the_intents() -> None:
    """A stop's trade names no intent; one of the other side that named it would be none of its own."""
    whole = told([parent()], [fill("1"), fill("2", intent_id=None), fill("3", side="SELL")], [])

    assert whole["fills"] == 1


def test_old_rows_without_a_book_a_mid_or_a_kind() -> None:
    old = parent(reduce_only=True)
    row = {name: value for name, value in old.items() if name not in ("intent_kind", "mid_at_send", "children")}
    bare = {name: value for name, value in fill("1").items() if name not in ("book_top3", "mid_at_send")}
    whole = told([row], [bare], [signal()])

    assert whole["orders"][0]["kind"] == "EXIT"
    assert whole["orders"][0]["cost"]["spread"] is None
    assert whole["orders"][0]["cost"]["total"] == "4.1"
    assert whole["unknown"] | {"fill_mid": 1, "fill_touch": 1, "arrival_mid": 1} == whole["unknown"]


def test_groups_add_up_and_assets_are_never_added() -> None:
    orders = [parent("a"), parent("b", strategy_id="s9"), parent("c", symbol="ETHBTC")]
    fills = [fill("1", "a"), fill("2", "b"), fill("3", "c", symbol="ETHBTC", fee_asset="BTC")]
    whole = told(orders, fills, [signal("a"), signal("b"), signal("c")])
    groups = {(group["by"], group["name"], group["quote"]): group for group in whole["groups"]}

    assert groups["quote", "", "USDT"]["decided"]["cost"]["total"] == "8.2"
    assert groups["quote", "", "BTC"]["decided"]["cost"]["total"] == "4.1"
    assert groups["strategy", "s9", "USDT"]["intents"] == 1
    assert groups["symbol", "FUT BTCUSDT", "USDT"]["filled"] == {"whole": 2, "part": 0, "none": 0}
    for group in whole["groups"]:
        bps = group["decided"]["bps"]
        assert sum(Decimal(bps[part]) for part in PARTS[:-1]) == Decimal(bps["total"])


def test_only_what_is_wanted() -> None:
    orders = [unfilled("a"), unfilled("b", accepted_ms=T0 + 1), unfilled("c", strategy_id="s9")]

    def names(**known: Any) -> list[str]:
        return [row["client_order_id"] for row in told(orders, [], [], wanted=ALL.but(**known))["orders"]]

    assert names() == ["a", "c", "b"]
    assert names(since_ms=T0 + 1) == ["b"]
    assert names(until_ms=T0 + 1) == ["a", "c"]
    assert names(strategy="s9") == ["c"]
    assert names(symbol="ETHUSDT") == []


def test_the_order_of_rows_does_not_show() -> None:
    orders, fills = [parent("a"), parent("b"), child("a-m1", "a")], [fill("1", "a"), fill("2", "b")]
    tapes = (tape((0, "100"), (1_500, "99")),)

    assert encode(told(orders, fills, [signal("a")], *tapes)) == encode(
        told(orders[::-1], fills[::-1], [signal("a")], *tapes)
    )


def test_of_an_empty_ledger_there_is_a_report() -> None:
    assert told([], [], [])["groups"] == []


def test_the_quote_asset_is_told_by_the_name_or_not() -> None:
    assert [quote_of(name) for name in ("BTCUSDT", "ETHBTC", "BTCUSDC", "USDT", "XYZ")] == [
        "USDT", "BTC", "USDC", "", "",
    ]  # fmt: skip
