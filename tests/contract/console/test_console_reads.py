"""The console reads what the others really write: S3's rows, and the records that S4's events become."""

from decimal import Decimal

from desk import T0, Desk, an_intent

from chimera.services.console.rows import DecisionRow, FillRow, OrderRow, read_record, read_row
from chimera.services.console.seen import Seen
from chimera.services.strategy import signals
from chimera.trading.decision import Code, Explanation, RuleVerdict, Skip, Verdict
from chimera.trading.events import Alert, Event, FillRecorded, OrderChanged, Severity
from chimera.trading.ids import Symbol
from chimera.trading.market import Market
from chimera.trading.order import Role
from chimera.wire.alerts import read_alert
from chimera.wire.events import Publish, writes


def published(desk: Desk, kind: type) -> list[dict[str, str]]:
    """Fields of all records that the holding's events of this kind become."""
    return [
        write.fields
        for event in desk.holding.outbox
        if isinstance(event.body, kind)
        for write in writes(desk.holding.key, event)
        if isinstance(write, Publish)
    ]


def a_filled_desk() -> Desk:
    desk = Desk()
    desk.submit(an_intent())
    entry = desk.placed(Role.TAKER)
    desk.ack(entry)
    desk.fill(entry, "0.01")
    desk.ack(desk.placed(Role.STOP))
    return desk


def test_orders_as_s4_tells_them() -> None:
    rows = [read_record(fields, OrderRow) for fields in published(a_filled_desk(), OrderChanged)]

    assert {row.role for row in rows} >= {"TAKER", "STOP"}
    stop = next(row for row in reversed(rows) if row.role == "STOP")
    assert (stop.status, stop.qty, stop.side) == ("NEW", Decimal("0.01"), "SELL")
    assert stop.trigger_price is not None
    assert [row.seq for row in rows] == sorted(row.seq for row in rows)


def test_fills_as_s4_tells_them() -> None:
    [fill] = [read_record(fields, FillRow) for fields in published(a_filled_desk(), FillRecorded)]

    assert (fill.qty, fill.side, fill.price) == (Decimal("0.01"), "BUY", Decimal("65000.1"))
    assert fill.slippage_bps is not None


def test_a_symbol_of_both_markets_has_fills_of_two_positions() -> None:
    """The venue counts trades of each market by itself, so that one id may stand for two of them."""
    seen, [record] = Seen(symbols=[]), published(a_filled_desk(), FillRecorded)
    for market in Market:
        seen.take_fill(read_record({**record, "data": record["data"].replace('"FUT"', f'"{market}"')}, FillRow))
    assert {fill.position for fill in seen.fills.values()} == {"BTCUSDT", "BTCUSDT:SPOT"}


def test_alerts_as_s4_tells_them() -> None:
    body = Alert(severity=Severity.ERROR, code="STOP_REFUSED", text="-2021")
    [told] = [w for w in writes(Desk().holding.key, Event(seq=1, at_ms=T0, body=body)) if isinstance(w, Publish)]

    alert = read_alert(told.fields)

    assert (alert.severity, alert.code, alert.symbol, alert.at_ms) == ("ERROR", "STOP_REFUSED", "BTCUSDT", T0)


def test_a_skip_as_s3_writes_it() -> None:
    no = Verdict(
        code=Code.SPREAD, passed=False, text="too wide", value=Decimal("3.2"), limit=Decimal(3), margin=Decimal("-0.2")
    )
    skip = Skip(
        symbol=Symbol("BTCUSDT"), market=Market.FUT, config_rev=4, reasons=(no,),
        trace=Explanation(gates=(no,), rules=(RuleVerdict(rule_id="R023", fired=False, action="OPEN BUY"),)),
    )  # fmt: skip

    origin = signals.Origin("b-1", None, {"market": None, "side_hint": None})
    row = read_row(signals.row("sig", T0, skip, origin, account_id="main", strategy_id="s3"), DecisionRow)

    assert (row.decision, row.codes, row.config_rev, row.t0) == ("skip", ("SPREAD",), 4, T0)
    assert row.explanation.gates[0].limit == Decimal(3)
    assert row.explanation.rules[0].rule_id == "R023"
