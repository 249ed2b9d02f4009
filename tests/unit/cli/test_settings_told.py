"""Each setting: listed by its service's --help, shown with where it comes from, and of an effect."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from typer.testing import CliRunner

from chimera.cli.main import app
from chimera.cli.settings_told import HIDDEN, SERVICES, described, read
from chimera.services.alerts.settings import AlertsSettings
from chimera.services.router.settings import RouterSettings
from chimera.services.strategy.settings import StrategySettings

pytestmark = pytest.mark.req("CONF-1")

SOURCES: Final = Path(__file__).resolve().parents[3] / "src" / "chimera"
CODE: Final = {path.relative_to(SOURCES).as_posix(): path.read_text(encoding="utf-8") for path in SOURCES.rglob("*.py")}
NOT_IN_FORCE: Final = {"oco_guardian", "exchange"}  # their sentences say so, or there is but one value


@pytest.mark.parametrize(("words", "service"), [(("s3",), "s3"), (("s4",), "s4"), (("alerts", "serve"), "alerts")])
def test_the_help_of_a_service_lists_each_setting_with_default_and_unit(words: tuple[str, ...], service: str) -> None:
    told = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "400"})
    flat = " ".join(told.stdout.split())

    assert told.exit_code == 0
    rows = described(service)
    assert len(rows) > 20
    for name, default, unit, _ in rows:
        assert name in flat
        assert f"[{unit}; default: {default}]" in flat, name


@pytest.mark.parametrize("service", SERVICES)
def test_each_has_a_default_a_unit_and_a_sentence(service: str) -> None:
    assert [row for row in described(service) if not all(row)] == []


@pytest.mark.parametrize(
    ("model", "package"),
    [(StrategySettings, "strategy"), (RouterSettings, "router"), (AlertsSettings, "alerts")],
)
def test_each_setting_is_read_by_the_service_that_has_it(model: type, package: str) -> None:
    """One that nobody reads would be accepted and do nothing. What reads it is proved by tests of its own."""
    own = "\n".join(text for path, text in CODE.items() if path.startswith(f"services/{package}/"))
    used = own + CODE["services/access/door.py"]
    unread = [name for name in model.model_fields if not re.search(rf"\.{name}\b", used) and f'"{name}"' not in used]  # type: ignore[attr-defined]  # a pydantic model

    assert set(unread) <= NOT_IN_FORCE


def test_where_each_value_comes_from_is_told_and_no_secret(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("canary-secret")
    secret.chmod(0o600)
    environ = {
        "S4_BINANCE_KEY": "canary-key",
        "S4_BINANCE_SECRET_FILE": str(secret),
        "S4_GUARD": "30s",
        "S4_SYMBOLS": "BTCUSDT,ETHUSDT",
    }
    rows = {row.variable: row for row in read("s4", environ)}

    assert "canary" not in str(rows)
    assert (rows["S4_BINANCE_KEY"].value, rows["S4_BINANCE_KEY"].source) == (HIDDEN, "environment")
    assert (rows["S4_BINANCE_SECRET"].value, rows["S4_BINANCE_SECRET"].source) == (HIDDEN, f"file {secret}")
    assert (rows["S4_GUARD"].value, rows["S4_GUARD"].default, rows["S4_GUARD"].unit) == (
        "30s", "0s", "duration, kept in ms",
    )  # fmt: skip
    assert rows["S4_SYMBOLS"].value == "BTCUSDT,ETHUSDT"
    assert (rows["S4_HOST"].value, rows["S4_HOST"].source) == ("127.0.0.1", "default")


def test_as_a_command_it_tells_what_is_set_and_refuses_what_is_wrong() -> None:
    runner = CliRunner()
    good = runner.invoke(app, ["config", "show", "alerts", "--set", "--json"], env={"ALERTS_DIGEST": "5m"})
    (row,) = json.loads(good.stdout)["settings"]
    assert (row["variable"], row["value"], row["source"]) == ("ALERTS_DIGEST", "5m", "environment")
    lines = runner.invoke(app, ["config", "show", "s3", "--sources"]).stdout.splitlines()
    assert "S3_MAX_LOSS_USDT = 1.2  [USDT; default 1.2; from default]" in lines
    assert runner.invoke(app, ["config", "show", "s3"], env={"S3_MAX_LOS_USDT": "1"}).exit_code == 7
    assert runner.invoke(app, ["config", "show", "s5"]).exit_code == 2


@pytest.mark.parametrize(
    ("typed", "offered"), [("chimera al", "alerts"), ("chimera alerts a", "ack"), ("chimera twap p", "pause")]
)
def test_the_shell_completes_what_was_begun(typed: str, offered: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys; sys.argv[0] = 'chimera'; from chimera.cli.main import app; app()"],
        env={
            "PATH": "/usr/bin", "PYTHONPATH": str(SOURCES.parent), "_CHIMERA_COMPLETE": "complete_bash",
            "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" ")),
        },
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.stdout.split() == [offered]
