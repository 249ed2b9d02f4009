"""Words, exit codes and bodies of the command line; nothing here is started."""

import subprocess
import sys
from typing import Any

import pytest
from typer.testing import CliRunner

from chimera.cli.codes import Exit, Stop, ended_well
from chimera.cli.failures import stop_for
from chimera.cli.main import app
from chimera.cli.orders import order_body
from chimera.cli.words import listed, side_named, sides_named, speed_named
from chimera.services.serving import PortInUse
from chimera.services.setting_kinds import SettingsFault
from chimera.simulate.usdm.perpetual import DEMO
from chimera.trading.errors import NotSent, OutcomeUnknown, Refused, StaleWriter, StoreUnavailable
from chimera.trading.market import Market, Side
from chimera.wire import requests
from chimera.wire.codec import encode
from chimera.wire.request_json import read_object

VERBS = "up sim feed s3 s4 console decide order cancel close kill arm show record audit doctor version"


def test_speeds_and_sides_have_their_words() -> None:
    assert (speed_named("1"), speed_named("2.5"), speed_named("MAX")) == (1.0, 2.5, None)
    assert (sides_named("both"), sides_named("rules")) == ((Side.BUY, Side.SELL), (None,))
    assert side_named("sell") is Side.SELL
    assert listed(" a, b,,") == ("a", "b")


@pytest.mark.parametrize("word", ["0", "-1", "fast", "nan", "inf", ""])
def test_a_speed_that_is_none_is_refused_with_what_is_accepted(word: str) -> None:
    with pytest.raises(Refused) as refused:
        speed_named(word)
    assert refused.value.accepted == "a factor above 0, or max"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Refused("OUT_OF_RANGE", "qty must be above 0", field="qty", accepted="> 0"), Exit.REFUSED),
        (NotSent("connection refused"), Exit.UNREACHABLE),
        (OutcomeUnknown("no answer"), Exit.UNKNOWN),
        (SettingsFault("S4_PORT is not known"), Exit.CANNOT_START),
        (PortInUse("S4", "127.0.0.1", 8084), Exit.CANNOT_START),
        (StoreUnavailable("in use"), Exit.CANNOT_START),
        (ExceptionGroup("work", [ExceptionGroup("owner", [StaleWriter("fence 3")])]), Exit.DEPOSED),
    ],
)
def test_every_error_of_ours_ends_with_its_code_and_a_sentence(
    error: Exception, code: Exit, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, ended_well():
        raise error

    assert ended.value.code == code
    assert capsys.readouterr().err.startswith("chimera: ")


def test_a_port_in_use_names_the_port_and_who_could_hold_it() -> None:
    told = stop_for(PortInUse("S4", "127.0.0.1", 8084))
    assert told is not None
    assert all(word in str(told) for word in ("port 8084", "another Chimera", "another program", "another port"))


def test_what_nobody_foresaw_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError), ended_well():
        raise ZeroDivisionError


def test_stop_says_its_own_code() -> None:
    with pytest.raises(SystemExit) as ended, ended_well():
        raise Stop(Exit.MARKET_ENDED, "over")
    assert ended.value.code == 3


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"sl": "64800", "tp": "66500.5", "max_hold_s": 60, "maker": True},
        {"reduce_only": True, "client_order_id": "mine-1"},
    ],
)
def test_the_order_verb_writes_a_body_that_s4_reads(asked: dict[str, Any]) -> None:
    given = {
        "symbol": "btcusdt", "side": "buy", "qty": "0.007", "sl": None, "tp": None, "maker": False,
        "max_hold_s": None, "reduce_only": False, "leverage": 20, "client_order_id": None, **asked,
    }  # fmt: skip
    intent = requests.order_intent(
        read_object(encode(order_body(given))),
        instruments=lambda market, symbol: DEMO[0] if (market, symbol) == (Market.FUT, "BTCUSDT") else None,
        now_ms=1_767_225_600_000,
        allow_unprotected=False,
    )

    assert (intent.symbol, intent.side, str(intent.qty)) == ("BTCUSDT", Side.BUY, "0.007")
    assert intent.reduce_only is given["reduce_only"]
    assert intent.max_hold_s == given["max_hold_s"]
    assert given["sl"] is None or (intent.stop is not None and str(intent.stop.price) == given["sl"])


def test_help_loads_no_service() -> None:
    """``chimera --help`` answers at once because nothing heavy is imported; this holds the cause, not the clock."""
    code = (
        "import sys; sys.argv = ['chimera', '--help']; from chimera.cli.main import app; app(standalone_mode=False);"
        "heavy = {'fastapi', 'aiohttp', 'redis', 'uvicorn', 'pydantic', 'structlog', 'rich.live'} & set(sys.modules);"
        "sys.exit(f'loaded {sorted(heavy)}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "doctor" in done.stdout


def test_every_verb_explains_itself_and_its_exit_codes() -> None:
    said = CliRunner().invoke(app, ["--help"]).stdout
    for verb in VERBS.split():
        assert CliRunner().invoke(app, [verb, "--help"]).exit_code == 0, verb
        assert f"\n  {verb} " in said
    assert "3 up: the market ended" in " ".join(said.split())
