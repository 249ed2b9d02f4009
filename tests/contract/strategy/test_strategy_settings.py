"""The environment of S3: every name, every fault in one message."""

from decimal import Decimal
from pathlib import Path

import pytest

from chimera.services.setting_kinds import SettingsFault
from chimera.services.strategy.settings import StrategySettings, Track, read_settings

NAMES = [
    "S3_DB_ARANGO_URI",
    "S3_DB_ARANGO_USER",
    "S3_DB_ARANGO_PASS",
    "S3_REDIS_ADDRESSES",
    "S3_SYMBOLS",
    "S3_MAX_FUNDING_ABS",
    "S3_SPREAD_BP_LIMIT_DEFAULT",
    "S3_DEPTH_TOP1_USDT_MIN_DEFAULT",
    "S3_LEVERAGE_DEFAULT",
    "S3_MARGIN_BASE_USDT",
    "S3_MAX_LOSS_USDT",
    "S3_ATR_MULT",
    "S3_CONCURRENT_ENTRIES_PER_MARKET",
    "S3_CONFIG_POLL_SEC",
    "PORT",
]


@pytest.mark.req("CONF-1")
def test_the_requirement_s_defaults() -> None:
    settings = read_settings({})

    assert settings.symbols == ("BTCUSDT",)
    assert settings.max_funding_abs == Decimal("0.0005")
    assert (settings.leverage_default, settings.margin_base_usdt) == (20, 20)
    assert (settings.max_loss_usdt, settings.atr_mult) == (Decimal("1.2"), Decimal("1.5"))
    assert (settings.concurrent_entries_per_market, settings.config_poll_sec, settings.port) == (1, 5, 8083)


@pytest.mark.req("CONF-1")
def test_every_name_works() -> None:
    environ = dict.fromkeys(NAMES, "7") | {"S3_SYMBOLS": "BTCUSDT, ETHUSDT", "S3_TRACKS": "rest"}

    settings = read_settings(environ)

    assert settings.symbols == ("BTCUSDT", "ETHUSDT")
    assert (settings.max_loss_usdt, settings.port, settings.redis_addresses) == (Decimal(7), 7, ("7",))
    assert settings.tracks is Track.REST


@pytest.mark.req("CONF-1")
def test_all_faults_in_one_message() -> None:
    environ = {
        "S3_MAX_LOSS_USD": "1",
        "S3_ATR_MULT": "1e3",
        "S3_LEVERAGE_DEFAULT": "twenty",
        "S3_MARGIN_BASE_USDT": "NaN",
        "S3_DB_ARANGO_PASS": "secret",
        "PORT": "70000",
        "OTHER": "x",
    }

    with pytest.raises(SettingsFault) as fault:
        read_settings(environ)

    message = str(fault.value)
    for name in ("S3_ATR_MULT", "S3_LEVERAGE_DEFAULT", "S3_MARGIN_BASE_USDT", "PORT"):
        assert name in message
    assert "S3_MAX_LOSS_USD is not a setting; did you mean S3_MAX_LOSS_USDT?" in message
    assert "PORT must be less than or equal to 65535 (it is '70000'); port, default 8083" in message
    assert "OTHER" not in message
    assert "secret" not in message + repr(read_settings({"S3_DB_ARANGO_PASS": "secret"}))


@pytest.mark.req("CONF-1")
def test_the_ledgers_password_may_come_from_a_file_of_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("secret\n", encoding="utf-8")
    path.chmod(0o600)
    assert read_settings({"S3_DB_ARANGO_PASS_FILE": str(path)}).db_arango_pass == "secret"

    with pytest.raises(SettingsFault, match="both set"):
        read_settings({"S3_DB_ARANGO_PASS_FILE": str(path), "S3_DB_ARANGO_PASS": "x"})
    path.chmod(0o640)
    with pytest.raises(SettingsFault, match="chmod 600"):
        read_settings({"S3_DB_ARANGO_PASS_FILE": str(path)})
    with pytest.raises(SettingsFault, match="did you mean S3_DB_ARANGO_PASS_FILE"):
        read_settings({"S3_DB_ARANGO_PAS_FILE": str(path)})


def test_bounds_that_cross_are_a_fault() -> None:
    with pytest.raises(SettingsFault, match="S3_SIZE_MULT_MIN 3 is above S3_SIZE_MULT_MAX 2"):
        read_settings({"S3_SIZE_MULT_MIN": "3"})


def test_every_setting_has_a_sentence() -> None:
    assert [name for name, field in StrategySettings.model_fields.items() if not field.description] == []


@pytest.mark.parametrize("mode", ["both", "rest", "stream"])
def test_either_track_alone_is_a_mode(mode: str) -> None:
    assert read_settings({"S3_TRACKS": mode}).tracks == mode
