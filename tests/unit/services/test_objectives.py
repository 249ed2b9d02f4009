"""Service levels: kept, broken, or not measured; and what is shown is in the list or not at all."""

from decimal import Decimal

import pytest

from chimera.services import metrics
from chimera.services.exposition import Sample, Spread, page
from chimera.services.metrics import LABELS, METRICS, Kind
from chimera.services.objectives import ENOUGH, OBJECTIVES, Objective, shown, verdicts, with_levels
from chimera.services.service import Service
from chimera.trading.events import Severity


@pytest.mark.req("DEL-4")
def test_the_worst_sample_decides_and_what_was_not_measured_is_neither_kept_nor_broken() -> None:
    samples = [
        Sample("router_submit_latency_ms_recent", ("FUT", "0.5"), 900),  # not the percentile that is promised
        Sample("router_submit_latency_ms_recent", ("FUT", "0.95"), 120),
        Sample("router_submit_latency_ms_recent", ("SPOT", "0.95"), 501),
        Sample("order_success_rate", ("FUT",), Decimal("0.98")),
        Sample("order_success_rate", ("SPOT",), Decimal(1)),
        Sample("exchange_up", ("FUT",), 1.0),
        *(Sample("orders_ended", (market, "filled"), ENOUGH) for market in ("FUT", "SPOT")),
        *(Sample("router_submit_latency_ms", (market,), a_spread(ENOUGH)) for market in ("FUT", "SPOT")),
    ]
    found = {verdict.objective.sli: verdict for verdict in verdicts(Service.S4, samples)}

    assert (found["submit_latency"].value, found["submit_latency"].kept) == (501, False)
    assert (found["order_success"].value, found["order_success"].kept) == (0.98, False)
    assert (found["exchange"].kept, found["exchange"].broken) == (True, None)
    assert (found["unprotected"].value, found["unprotected"].kept, found["unprotected"].broken) == (None, None, None)
    assert "it is 501 ms; promised at most 500 ms" in str(found["submit_latency"].broken)
    assert "promised at least 0.99 share" in str(found["order_success"].broken)


def a_spread(count: int) -> Spread:
    spread = Spread("router_submit_latency_ms")
    for _ in range(count):
        spread.took(1)
    return spread


@pytest.mark.req("DEL-4")
def test_too_few_of_one_market_say_nothing_of_it() -> None:
    samples = [
        Sample("order_success_rate", ("FUT",), Decimal("0.5")), Sample("order_success_rate", ("SPOT",), Decimal("0.9")),
        Sample("orders_ended", ("FUT", "filled"), ENOUGH - 2), Sample("orders_ended", ("FUT", "failed"), 1),
        Sample("orders_ended", ("SPOT", "filled"), ENOUGH - 1), Sample("orders_ended", ("SPOT", "failed"), 1),
    ]  # fmt: skip
    [success] = [each for each in verdicts(Service.S4, samples) if each.objective.sli == "order_success"]
    assert success.value == 0.9


@pytest.mark.req("DEL-4")
@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda each: each.sli)
def test_a_bound_itself_is_kept_and_a_hair_beyond_it_is_not(objective: Objective) -> None:
    hair = -1e-9 if objective.least else 1e-9
    assert objective.kept(objective.bound)
    assert not objective.kept(objective.bound + hair)
    metric = metrics.BY_NAME[objective.metric]
    assert objective.service in metric.services
    assert {name for name, _ in objective.where} <= set(metric.labels)


@pytest.mark.req("DEL-4")
def test_levels_are_metrics_too() -> None:
    samples = [Sample("feed_event_age_ms", ("FUT",), 2_500)]
    told = {(each.name, *each.labels): each.value for each in shown(verdicts(Service.FEED, samples))}
    assert told == {("sli_objective", "feed_age"): 2_000, ("sli_value", "feed_age"): 2_500, ("sli_met", "feed_age"): 0}
    text = page(Service.FEED, with_levels(Service.FEED, ())).decode()
    assert 'sli_objective{sli="feed_age"} 2000.0' in text
    assert "sli_met" not in text


@pytest.mark.req("S4-MET-1")
def test_the_list_is_closed_and_its_names_are_prometheus_own() -> None:
    assert len(metrics.BY_NAME) == len(METRICS)
    for metric in METRICS:
        assert metric.shown.replace("_", "").isalnum()
        assert metric.shown.islower()
        assert set(metric.labels) <= set(LABELS), metric.name
        assert (metric.kind is Kind.HISTOGRAM) is bool(metric.buckets)
        assert list(metric.buckets) == sorted(set(metric.buckets))
        assert metric.says[-1] not in ".;:"
        assert metric.services
    assert set(LABELS) == {label for metric in METRICS for label in metric.labels}
    assert not {"intent_id", "order_id", "client_order_id", "trade_id", "signal_id"} & set(LABELS)


@pytest.mark.req("S4-MET-1")
@pytest.mark.parametrize(
    ("sample", "wrong"),
    [
        (Sample("unheard_of", (), 1), "not in the list of s4's metrics: unheard_of"),
        (Sample("feed_events", ("FUT",), 1), "not in the list of s4's metrics: feed_events"),
        (Sample("in_doubt_oldest_seconds", ("FUT",), 1), "in_doubt_oldest_seconds has the labels"),
        (Sample("stop_latency_ms", ("FUT",), 1), "stop_latency_ms is a histogram"),
        (Sample("kill_active", (), Spread("stop_latency_ms")), "kill_active is a gauge"),
    ],
)
def test_what_the_list_does_not_have_is_not_shown(sample: Sample, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        page(Service.S4, [sample])


@pytest.mark.req("S4-MET-1")
def test_the_page_is_prometheus_text() -> None:
    spread = Spread("stop_latency_ms")
    for value in (1, 1.5, 20_000):
        spread.took(value)
    samples = [
        Sample("stop_latency_ms", ("FUT",), spread), Sample("fee_usdt", ("FUT",), Decimal("0.25")),
        Sample("kill_active", (), 0.0),
    ]  # fmt: skip
    text = page(Service.S4, samples).decode()
    assert 'stop_latency_ms_bucket{le="1",market="FUT"} 1.0' in text
    assert 'stop_latency_ms_bucket{le="2",market="FUT"} 2.0' in text
    assert 'stop_latency_ms_bucket{le="10000",market="FUT"} 2.0' in text
    assert 'stop_latency_ms_bucket{le="+Inf",market="FUT"} 3.0' in text
    assert 'stop_latency_ms_count{market="FUT"} 3.0' in text
    assert 'stop_latency_ms_sum{market="FUT"} 20002.5' in text
    assert 'fee_usdt_total{market="FUT"} 0.25' in text
    assert "# TYPE kill_active gauge\nkill_active 0.0" in text


@pytest.mark.req("S4-ALR-1")
def test_a_position_that_is_bare_is_told_at_any_hour() -> None:
    """A WARN waits for the digest, and in quiet hours for the morning."""
    severity = {each.sli: each.severity for each in OBJECTIVES}

    assert severity["unprotected"] is Severity.FATAL
    assert {severity[name] for name in ("in_doubt", "exchange", "user_stream")} == {Severity.ERROR}
