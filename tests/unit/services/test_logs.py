"""One redaction for every line: nothing that signs or opens anything leaves the process."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from chimera.services import logs

SIGNATURE = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
KEY = "dbefbc809e3e83c283a984c3a1459732ea7db1360ca80c5c2c8867408d28cc83"
LISTEN_KEY = "pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1"
SECRET = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"
TOKEN = "chm_q3fT-_bD0s5mJcR2nYxW8vKzL1uEoPaG7hIjN4wX6yA"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What this process logs, while the test runs."""
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    out = io.StringIO()
    logs.to_stderr("test", stream=out)
    try:
        yield out
    finally:
        structlog.configure(**before)
        root.handlers[:], root.level = handlers, level
        logs._secrets.clear()


@pytest.mark.parametrize(
    "told",
    [
        {"signature": SIGNATURE},
        {"url": f"https://fapi.binance.com/fapi/v1/order?symbol=BTCUSDT&timestamp=1&signature={SIGNATURE}"},
        {"headers": {"X-MBX-APIKEY": KEY, "Accept": "*/*"}},
        {"api_key": KEY, "binance_secret": SECRET},
        {"target": f"/private/ws?listenKey={LISTEN_KEY}&events=ORDER_TRADE_UPDATE"},
        {"body": f'{{"listenKey": "{LISTEN_KEY}"}}'},
        {"frames": [f"{{'listenKey':'{LISTEN_KEY}'}}".encode()]},
        {"raw": f"X-MBX-APIKEY: {KEY}\r\nAccept: */*"},
        {"redis": f"redis://user:{SECRET}@127.0.0.1:6379/0"},
        {"deep": {"a": [{"b": ({"password": SECRET},)}]}},
        {"pem": f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----"},
        {"error": ValueError(f"signature={SIGNATURE} was refused")},
        {"asked": f"Bearer {TOKEN}"},
        {"headers": [(b"authorization", f"Bearer {TOKEN}".encode())]},
        {"error": KeyError(f"no session of {TOKEN}!")},
    ],
)
def test_what_signs_or_opens_is_hidden(lines: io.StringIO, told: dict[str, Any]) -> None:
    structlog.get_logger("x").warning("said", **told)

    written = lines.getvalue()
    assert not [secret for secret in (SIGNATURE, KEY, LISTEN_KEY, SECRET, TOKEN) if secret in written]
    assert logs.HIDDEN in written
    assert json.loads(written)["event"] == "said"


def test_a_secret_that_was_named_is_hidden_wherever_it_turns_up(lines: io.StringIO) -> None:
    logs.keep_secret("chimera-sim-secret", "-")
    structlog.get_logger("x").info("as chimera-sim-secret - said", about={"chimera-sim-secret": 1})

    assert "chimera-sim-secret" not in lines.getvalue()
    assert " - said" in json.loads(lines.getvalue())["event"]  # what is too short to be a secret blacks out nothing


def test_tracebacks_and_other_peoples_loggers_are_redacted_too(lines: io.StringIO) -> None:
    try:
        raise ValueError(f"GET /fapi/v1/order?signature={SIGNATURE}")
    except ValueError:
        structlog.get_logger("x").exception("failed")
        logging.getLogger("aiohttp.client").exception("listenKey=%s", LISTEN_KEY)

    written = lines.getvalue()
    assert SIGNATURE not in written
    assert LISTEN_KEY not in written
    ours, theirs = (json.loads(line) for line in written.splitlines())
    assert "ValueError" in ours["exception"]
    assert theirs["service"] == "test"


def test_what_is_no_secret_stays_readable(lines: io.StringIO) -> None:
    structlog.get_logger("x").info("filled", symbol="BTCUSDT", key="binance:main:FUT:BTCUSDT", qty="0.007", n=3)

    line = json.loads(lines.getvalue())
    assert (line["symbol"], line["key"], line["qty"], line["n"]) == ("BTCUSDT", "binance:main:FUT:BTCUSDT", "0.007", 3)
