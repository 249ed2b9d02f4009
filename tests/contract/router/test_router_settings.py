"""The environment: every variable works by its name, every fault is named at once, and no secret is ever shown."""

import re
from decimal import Decimal
from pathlib import Path

import pytest

from chimera.reconcile.external import ExternalOrders
from chimera.services.router.hosting import keys_of
from chimera.services.router.policies import sweep_of
from chimera.services.router.settings import OnOpposite, RouterSettings, describe, load
from chimera.services.setting_kinds import SettingsFault
from chimera.trading.intent import WorkingType

SECRET = "canary-secret-7f3a"


@pytest.mark.req("CONF-1")
def test_defaults_are_the_specs() -> None:
    settings = load({})

    assert (settings.exchange, settings.testnet, settings.port) == ("binance", True, 8084)
    assert (settings.cb_error_rate_window, settings.cb_error_rate_thresh) == (60_000, Decimal("0.2"))
    assert (settings.maker_max_wait_ms, settings.twap_max_slices, settings.oco_guardian) == (3000, 4, True)
    assert (settings.working_type, settings.route_table_path) == (
        WorkingType.MARK_PRICE, Path("/etc/chimera/route.json"),
    )  # fmt: skip
    assert (settings.on_opposite, settings.allow_unprotected) == (OnOpposite.REFUSE, False)


@pytest.mark.req("CONF-1")
def test_every_variable_works_by_its_name() -> None:
    asked = {
        "S4_EXCHANGE": "binance", "S4_BINANCE_KEY": "k", "S4_BINANCE_SECRET": SECRET, "S4_TESTNET": "false",
        "S4_FUT_URL": "http://127.0.0.1:9020", "S4_FUT_WS_URL": "ws://127.0.0.1:9020", "S4_SYMBOLS": "BTCUSDT, ETHUSDT",
        "S4_REDIS_ADDRESSES": "a:1,b:2", "S4_DB_ARANGO_URI": "http://db:8529", "S4_DB_ARANGO_USER": "u",
        "S4_DB_ARANGO_PASS": SECRET, "S4_LEDGER_PATH": "/x/s4.sqlite", "S4_ROUTE_TABLE_PATH": "/x/route.json",
        "S4_ROUTE_FIT": "propose", "S4_ROUTE_FIT_AT": "04:30", "S4_RECEIPT_KEY_PATH": "/x/seal.key",
        "S4_MAKER_MAX_WAIT_MS": "1", "S4_TWAP_MAX_SLICES": "2", "S4_SUBMIT_WAIT_MS": "3",
        "S4_WORKING_TYPE": "CONTRACT_PRICE", "S4_OCO_GUARDIAN": "true", "S4_DEFAULT_STOP_BPS": "4.5",
        "S4_ALLOW_UNPROTECTED": "true", "S4_ON_OPPOSITE": "refuse", "S4_CB_ERROR_RATE_WINDOW": "5m",
        "S4_INTENT_STREAM": "false", "S4_INTENT_GROUP": "of-btc", "S4_INTENT_MAX_AGE": "45s",
        "S4_ORDERS_BY": "socket", "S4_PROBE": "false",
        "S4_CB_ERROR_RATE_THRESH": "0.5", "S4_MAX_ORDER_NOTIONAL_USDT": "6", "S4_MAX_POSITION_NOTIONAL_USDT": "7",
        "S4_MAX_GROSS_NOTIONAL_USDT": "7.5",
        "S4_MAX_DAILY_LOSS_USDT": "8.25", "S4_PRICE_COLLAR_BPS": "9", "S4_MAX_ORDERS_PER_10S": "10",
        "S4_MAKER_FILL_RATIO_MIN": "0.3", "S4_RATE_SHARE": "0.9",
        "S4_SWEEP_EVERY_S": "30", "S4_SWEEP_JACCARD": "0.8", "S4_EXTERNAL_ORDERS": "isolate", "S4_DOUBT_ALERT_S": "5",
        "S4_GUARD": "20s", "S4_TRANSFER_ENABLED": "true", "S4_TRANSFER_ASSETS": "USDC", "S4_TRANSFER_MAX": "11",
        "S4_TRANSFER_MAX_DAY": "12", "S4_TRANSFER_FLOOR": "13", "S4_TRANSFER_KEEP_FREE": "14",
        "S4_SPOT_SYMBOLS": "BTCUSDT", "S4_SPOT_URL": "http://127.0.0.1:9020", "S4_SPOT_WS_URL": "ws://127.0.0.1:9021",
        "S4_LEASES": "on", "S4_OWNER_NAME": "s4-a", "S4_URL": "http://s4-a:8084",
        "S4_SPOT_STOP_LIMIT_BPS": "50", "S4_HOST": "127.0.0.2", "PORT": "8090",
        "S4_TRACES_URL": "http://127.0.0.1:4318/v1/traces",
        "S4_API_TOKENS_PATH": "/t/tokens.json", "S4_API_RATE": "7", "S4_TLS_CERT_PATH": "/t/cert.pem",
        "S4_TLS_KEY_PATH": "/t/key.pem", "S4_TLS_CLIENT_CA_PATH": "/t/ca.pem",
    }  # fmt: skip
    told = {name for name, *_ in describe()}

    settings, plain = load(asked), load({})

    files = {"S4_BINANCE_KEY_FILE", "S4_BINANCE_SECRET_FILE"}  # in place of what they hold: a test of their own
    assert set(asked) == told - files
    same = [name for name in RouterSettings.model_fields if getattr(settings, name) == getattr(plain, name)]
    one_value = ["exchange", "oco_guardian", "on_opposite"]
    assert sorted(same) == sorted([*one_value, "binance_key_file", "binance_secret_file"])
    assert (settings.symbols, settings.redis_addresses) == (("BTCUSDT", "ETHUSDT"), ("a:1", "b:2"))
    assert (settings.cb_error_rate_window, settings.max_daily_loss_usdt) == (300_000, Decimal("8.25"))
    assert settings.binance_secret is not None
    assert settings.binance_secret.get_secret_value() == SECRET
    assert SECRET not in repr(settings)
    assert all(unit and sentence for _, _, unit, sentence in describe())


@pytest.mark.req("CONF-1")
def test_the_files_of_the_key_are_remembered_for_they_may_change(tmp_path: Path) -> None:
    paths = [tmp_path / "key", tmp_path / "secret"]
    for path in paths:
        path.write_text(f"{SECRET}-{path.name}")
        path.chmod(0o600)
    settings = load({"S4_BINANCE_KEY_FILE": str(paths[0]), "S4_BINANCE_SECRET_FILE": str(paths[1])})

    assert [settings.binance_key_file, settings.binance_secret_file] == paths
    assert keys_of(settings) == (f"{SECRET}-key", f"{SECRET}-secret")
    assert SECRET not in repr(settings)


@pytest.mark.req("CONF-1")
def test_all_faults_come_in_one_message() -> None:
    with pytest.raises(SettingsFault) as wrong:
        load(
            {
                "S4_MAX_ORDER_NOTIONL_USDT": "5", "s4_testnet": "true", "S4_PRICE_COLLAR_BPS": "nan", "PORT": "eighty",
                "S4_TESTNET": "perhaps", "S4_BINANCE_SECRET": SECRET, "S4_CB_ERROR_RATE_WINDOW": "60",
                "S4_MAX_DAILY_LOSS_USDT": "-1", "S4_SYMBOLS": ",", "S4_CB_ERROR_RATE_THRESH": "2",
            }
        )  # fmt: skip

    lines = str(wrong.value).splitlines()
    named = [line.split()[0] for line in lines[1:]]
    assert sorted(named) == sorted([
        "S4_MAX_ORDER_NOTIONL_USDT", "s4_testnet", "S4_BINANCE_KEY", "S4_PRICE_COLLAR_BPS", "PORT", "S4_TESTNET",
        "S4_CB_ERROR_RATE_WINDOW", "S4_MAX_DAILY_LOSS_USDT", "S4_SYMBOLS", "S4_CB_ERROR_RATE_THRESH",
    ])  # fmt: skip
    assert "did you mean S4_MAX_ORDER_NOTIONAL_USDT?" in lines[1]
    assert SECRET not in str(wrong.value)


def test_a_bad_neighbour_does_not_show_a_secret_in_the_chain() -> None:
    with pytest.raises(SettingsFault) as wrong:
        load({"S4_BINANCE_KEY": "k", "S4_BINANCE_SECRET": SECRET, "PORT": "x"})

    assert wrong.value.__cause__ is None
    assert wrong.value.__suppress_context__


def test_a_secret_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(SECRET + "\n")
    path.chmod(0o600)

    settings = load({"S4_BINANCE_KEY": "k", "S4_BINANCE_SECRET_FILE": str(path)})

    assert settings.binance_secret is not None
    assert settings.binance_secret.get_secret_value() == SECRET


def test_a_secret_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(SECRET)
    path.chmod(0o644)

    with pytest.raises(SettingsFault, match="chmod 600") as wrong:
        load({"S4_BINANCE_KEY": "k", "S4_BINANCE_SECRET_FILE": str(path)})
    assert SECRET not in str(wrong.value)


@pytest.mark.parametrize(
    ("environ", "fault"),
    [
        ({"S4_BINANCE_KEY": "k", "S4_BINANCE_SECRET_FILE": "/nowhere"}, "No such file"),
        ({"S4_BINANCE_SECRET": "a", "S4_BINANCE_SECRET_FILE": "/nowhere", "S4_BINANCE_KEY": "k"}, "both set"),
        ({"S4_BINANCE_KEY": "k"}, "go together"),
        ({"S4_MAX_ORDER_NOTIONAL_USDT": "5000"}, "less than S4_MAX_ORDER_NOTIONAL_USDT"),
        ({"S4_MAX_GROSS_NOTIONAL_USDT": "1999"}, "less than S4_MAX_POSITION_NOTIONAL_USDT"),
    ],
)
def test_what_does_not_fit_together(environ: dict[str, str], fault: str) -> None:
    with pytest.raises(SettingsFault, match=re.escape(fault)):
        load(environ)


@pytest.mark.req("I32")
@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example", "https://binance.com.evil.example", "https://evilbinance.com", "http://fapi.binance.com",
        "https://fapi.binance.com@evil.example", "http://169.254.169.254", "file:///etc/passwd", "", "nonsense",
    ],
)  # fmt: skip
def test_orders_cannot_be_directed_elsewhere(url: str) -> None:
    if url == "":
        assert load({"S4_FUT_URL": url}).fut_url is None
    else:
        with pytest.raises(SettingsFault, match="S4_FUT_URL"):
            load({"S4_FUT_URL": url})


@pytest.mark.parametrize("url", ["https://fapi.binance.com", "https://demo-fapi.binance.com", "http://localhost:9020"])
def test_the_venue_and_this_machine_are_reachable(url: str) -> None:
    assert load({"S4_FUT_URL": url}).fut_url == url


def test_kubernetes_own_variables_are_not_ours() -> None:
    assert load({"S4_SERVICE_HOST": "10.0.0.1", "S4_PORT": "tcp://10.0.0.1:8084", "S4_PORT_8084_TCP": "x"}).port == 8084


def test_this_machines_environment_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A world in one thread makes settings by hand."""
    monkeypatch.setenv("S4_MAX_DAILY_LOSS_USDT", "1")

    assert RouterSettings().max_daily_loss_usdt == 100
    assert RouterSettings(max_daily_loss_usdt=Decimal(3)).max_daily_loss_usdt == 3


@pytest.mark.req("CONF-1", "S4-REC-2")
@pytest.mark.parametrize("given", [{"S4_SWEEP_EVERY_S": "9"}, {"S4_SWEEP_EVERY_S": "301"}, {"S4_SWEEP_JACCARD": "1.1"}])
def test_a_sweep_is_neither_dearer_nor_rarer_than_allowed(given: dict[str, str]) -> None:
    with pytest.raises(SettingsFault):
        load(given)


@pytest.mark.req("CONF-1", "S4-REC-2")
def test_the_sweep_gets_its_settings() -> None:
    asked = {
        "S4_SWEEP_EVERY_S": "30", "S4_SWEEP_JACCARD": "0.8", "S4_EXTERNAL_ORDERS": "isolate", "S4_DOUBT_ALERT_S": "5",
    }  # fmt: skip
    policy = sweep_of(load(asked))
    assert (policy.every_ms, policy.jaccard, policy.doubt_alert_ms) == (30_000, Decimal("0.8"), 5_000)
    assert policy.external is ExternalOrders.ISOLATE
    assert sweep_of(load({})).external is ExternalOrders.ADOPT


@pytest.mark.req("CONF-1", "S4-SPOT-3")
def test_the_guardian_of_oco_is_not_to_be_switched_off() -> None:
    """It was accepted and changed nothing: who wrote it believed something else."""
    with pytest.raises(SettingsFault) as told:
        load({"S4_OCO_GUARDIAN": "false"})

    why = "S4_OCO_GUARDIAN may not be false: without it both legs of an OCO could fill"
    assert why in str(told.value)


@pytest.mark.req("I23")
def test_a_share_so_small_that_no_close_would_leave_is_refused() -> None:
    with pytest.raises(SettingsFault, match="S4_RATE_SHARE"):
        load({"S4_RATE_SHARE": "0.003"})
