"""Where each setting of S4's ends up: in the value that deciding code is handed, whose effect its own tests show."""

import json
from collections.abc import Callable
from decimal import Decimal as D
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from chimera.adapters.memory.ledger import MemoryLedger
from chimera.reconcile.external import ExternalOrders
from chimera.services.router.fitting import FitMode
from chimera.services.router.main import house_of
from chimera.services.router.policies import table_of
from chimera.services.router.router import Router
from chimera.services.router.settings import RouterSettings, load
from chimera.services.router.stream_track import Terms
from chimera.trading.intent import WorkingType
from chimera.trading.market import Market
from support.standing import CLOCK

pytestmark = pytest.mark.req("CONF-1")


def routers_of(settings: RouterSettings) -> tuple[Router, Terms | None]:
    """Futures' router, made and not begun, and how the stream is read."""
    nothing: Any = None
    account = cast("Any", SimpleNamespace(venue=nothing, records=nothing, rulebook=nothing, raw=nothing))
    house = house_of(
        settings, {Market.FUT: account}, table=table_of(settings), ledger=cast("Any", MemoryLedger()), bus=nothing,
        clock=CLOCK, seal=nothing,
    )  # fmt: skip
    track = house._track
    return house._routers[Market.FUT], None if track is None else track._terms


POLICIES: list[tuple[str, str, Callable[[Any], Any], Any]] = [
    ("S4_SYMBOLS", "BTCUSDT,ETHUSDT", lambda config: config.symbols, ("BTCUSDT", "ETHUSDT")),
    ("S4_OWNER_NAME", "second", lambda config: config.owner_name, "second"),
    ("S4_WORKING_TYPE", "CONTRACT_PRICE", lambda config: config.policy.working_type, WorkingType.CONTRACT_PRICE),
    ("S4_DEFAULT_STOP_BPS", "90", lambda config: config.policy.default_stop_bps, D(90)),
    ("S4_SPOT_STOP_LIMIT_BPS", "40", lambda config: config.policy.stop_limit_bps, D(40)),
    ("S4_GUARD", "20s", lambda config: config.policy.guard_ms, 20_000),
    ("S4_ON_OPPOSITE", "net", lambda config: config.policy.nets_opposite, True),
    ("S4_MAKER_MAX_WAIT_MS", "1234", lambda config: config.route_policy.maker_max_wait_ms, 1_234),
    ("S4_TWAP_MAX_SLICES", "3", lambda config: config.route_policy.twap_max_slices, 3),
    ("S4_CB_ERROR_RATE_WINDOW", "5m", lambda config: config.breaker.window_ms, 300_000),
    ("S4_CB_ERROR_RATE_THRESH", "0.5", lambda config: config.breaker.share, D("0.5")),
    ("S4_ALLOW_UNPROTECTED", "true", lambda config: config.allow_unprotected, True),
    ("S4_PROBE", "false", lambda config: config.probe, False),
    ("S4_SUBMIT_WAIT_MS", "77", lambda config: config.submit_wait_ms, 77),
    ("S4_MAKER_FILL_RATIO_MIN", "0.4", lambda config: config.maker_fill_ratio_min, D("0.4")),
    ("S4_SWEEP_EVERY_S", "30", lambda config: config.sweep.every_ms, 30_000),
    ("S4_SWEEP_JACCARD", "0.8", lambda config: config.sweep.jaccard, D("0.8")),
    ("S4_EXTERNAL_ORDERS", "isolate", lambda config: config.sweep.external, ExternalOrders.ISOLATE),
    ("S4_DOUBT_ALERT_S", "9", lambda config: config.sweep.doubt_alert_ms, 9_000),
    ("S4_TRANSFER_ENABLED", "true", lambda config: config.transfers.enabled, True),
    ("S4_TRANSFER_ASSETS", "USDT,USDC", lambda config: set(config.transfers.assets), {"USDT", "USDC"}),
    ("S4_TRANSFER_MAX", "11", lambda config: config.transfers.ceiling, D(11)),
    ("S4_TRANSFER_MAX_DAY", "1200", lambda config: config.transfers.day_ceiling, D(1_200)),
    ("S4_TRANSFER_FLOOR", "13", lambda config: config.transfers.floor, D(13)),
    ("S4_TRANSFER_KEEP_FREE", "14", lambda config: config.transfers.keep_free, D(14)),
    ("S4_ROUTE_FIT", "propose", lambda config: config.fit.mode, FitMode.PROPOSE),
    ("S4_ROUTE_FIT_AT", "04:00", lambda config: config.fit.at_ms, 4 * 3_600_000),
    ("S4_LEDGER_PATH", "/x/s4.sqlite", lambda config: config.fit.ledger, Path("/x/s4.sqlite")),
]


@pytest.mark.parametrize(("setting", "value", "read", "expected"), POLICIES, ids=[row[0] for row in POLICIES])
def test_it_is_in_what_the_router_is_told(setting: str, value: str, read: Callable[[Any], Any], expected: Any) -> None:
    usual, changed = (routers_of(load(given))[0].config for given in ({}, {setting: value}))
    assert read(changed) == expected
    assert read(usual) != expected


CEILINGS = [
    ("S4_MAX_ORDER_NOTIONAL_USDT", "999", "max_order_notional"),
    ("S4_MAX_POSITION_NOTIONAL_USDT", "1999", "max_position_notional"),
    ("S4_MAX_GROSS_NOTIONAL_USDT", "2999", "max_gross_notional"),
    ("S4_MAX_DAILY_LOSS_USDT", "99", "max_daily_loss"),
    ("S4_PRICE_COLLAR_BPS", "98", "price_collar_bps"),
    ("S4_MAX_ORDERS_PER_10S", "97", "max_orders_per_10s"),
]


@pytest.mark.req("S4-LIM-1")
@pytest.mark.parametrize(("setting", "value", "name"), CEILINGS)
def test_it_is_in_what_the_last_hop_judges_by(setting: str, value: str, name: str) -> None:
    router, _ = routers_of(load({setting: value}))
    assert getattr(router._limits.limits, name) == D(value)


@pytest.mark.req("S4-LIM-1", "I22")
def test_unless_told_otherwise_all_positions_may_come_to_ten_at_their_limit() -> None:
    router, _ = routers_of(load({"S4_MAX_POSITION_NOTIONAL_USDT": "1500"}))
    assert router._limits.limits.max_gross_notional == D(15_000)


def test_it_is_in_how_the_stream_of_intents_is_read() -> None:
    told = {"S4_INTENT_GROUP": "of-btc", "S4_INTENT_MAX_AGE": "45s", "S4_OWNER_NAME": "second"}
    assert routers_of(load(told))[1] == Terms("second", "of-btc", 45_000, allow_unprotected=False)
    assert routers_of(load({"S4_INTENT_STREAM": "false"}))[1] is None


def test_the_route_table_is_the_file_s(tmp_path: Path) -> None:
    path = tmp_path / "route.json"
    row = {"notional_usdt_max": 200, "maker_wait_ms": 1_111, "twap": {"slices": 1, "gap_ms": 0}}
    path.write_text(json.dumps([row]), encoding="utf-8")
    assert table_of(load({"S4_ROUTE_TABLE_PATH": str(path)})).rows[0].maker_wait_ms == 1_111
