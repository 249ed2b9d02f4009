"""The alerts as a process: a real Redis, a real receiver, kill -9 between beginning and end, and the command line."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from alert_receivers import Receiver, receiving
from alert_records import fields

from chimera.adapters.embedded.server import EmbeddedRedis
from chimera.adapters.redis.bus import RedisBus, connect
from chimera.services.clock import SystemClock
from chimera.trading.events import Severity
from chimera.wire.keys import ALERTS

pytestmark = [pytest.mark.slow, pytest.mark.req("S4-ALR-1", "S3-ALR-1")]

CANARY = "4242:canary-of-a-bots-token"
WITHIN_S = 30


@asynccontextmanager
async def redis(path: Path) -> AsyncIterator[tuple[RedisBus, str]]:
    server = await EmbeddedRedis.start(path)
    bus = connect(server.unix_address)
    try:
        yield bus, server.unix_address
    finally:
        await bus.close()
        await server.stop()


@asynccontextmanager
async def alerts(environ: dict[str, str], log: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """The process, and where it answers."""
    with log.open("ab") as err:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "chimera.cli.main", "alerts", "serve", env=os.environ | environ, stderr=err,
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(WITHIN_S):
            told = json.loads(await process.stdout.readline())
        yield process, told["address"]
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(WITHIN_S):
            await process.wait()


async def chimera(url: str, *words: str) -> tuple[int, Any]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "chimera.cli.main", "alerts", *words, "--alerts", url, "--json",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await process.communicate()
    return process.returncode or 0, json.loads(out)


def told(receiver: Receiver) -> list[tuple[str, str]]:
    bodies = [json.loads(body) for path, _, body in receiver.got if path == "/hook"]
    return [(each["code"], each["what"]) for body in bodies for each in body["alerts"]]


async def test_an_alert_reaches_its_receivers_over_a_kill_and_the_command_line_sees_it(tmp_path: Path) -> None:
    secret, token, log = tmp_path / "hook", tmp_path / "bot", tmp_path / "log"
    for path, content in ((secret, "0123456789abcdef-canary"), (token, CANARY)):
        path.write_text(content)
        path.chmod(0o600)
    async with receiving() as receiver, receiving() as outside, redis(tmp_path / "redis") as (bus, address):
        environ = {
            "ALERTS_PORT": "0",
            "ALERTS_REDIS_ADDRESSES": address,
            "ALERTS_LEDGER_PATH": str(tmp_path / "alerts.sqlite"),
            "ALERTS_WEBHOOK_URL": receiver.url + "/hook",
            "ALERTS_WEBHOOK_SECRET_FILE": str(secret),
            "ALERTS_TELEGRAM_URL": receiver.url,
            "ALERTS_TELEGRAM_TOKEN_FILE": str(token),
            "ALERTS_TELEGRAM_CHAT": "-1001",
            "ALERTS_BEAT_URL": f"{outside.url}/{CANARY}",
        }
        now_ms = SystemClock().now_ms()
        await bus.publish(ALERTS, "a", fields("CLOCK", Severity.FATAL, lasts=True, at_ms=now_ms))
        async with alerts(environ, log) as (process, url):
            await receiver.until(2)  # one to each channel
            await outside.until(1)
            code, answer = await chimera(url, "list")
            assert (code, answer["worst"], answer["counts"]) == (0, "FATAL", {"open": 1, "acknowledged": 0})
            code, answer = await chimera(url, "ack", answer["alerts"][0]["id"], "--note", "looking")
            assert (code, answer["state"], answer["acknowledged"]["note"]) == (0, "ACKNOWLEDGED", "looking")
            process.kill()
            await process.wait()
        await bus.publish(ALERTS, "b", fields("CLOCK_OVER", Severity.INFO, at_ms=now_ms + 9))
        async with alerts(environ, log) as (_, url):
            await receiver.until(4)
            code, answer = await chimera(url, "test")
            assert (code, [each["ok"] for each in answer["channels"]]) == (0, [True, True])
        receiver.answers = [(500, {}, {})] * 50  # what was taken just before an end may come once more, and takes one
        async with alerts(environ, log) as (_, url):
            assert (await chimera(url, "test"))[0] == 1

    assert told(receiver)[:2] == [("CLOCK", "OPENED"), ("CLOCK", "RESOLVED")]
    assert [path for path, _, _ in receiver.got].count(f"/bot{CANARY}/sendMessage") >= 3
    assert "canary" not in log.read_text()
