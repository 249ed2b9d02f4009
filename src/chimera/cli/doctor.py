"""Verbs that look and change nothing: ``doctor`` at this machine, ``audit`` at a finished run."""

import asyncio
import json
import os
import platform
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec

from chimera.adapters.binance.account import open_futures
from chimera.adapters.binance.hosts import SIM
from chimera.adapters.binance.http import AiohttpTransport
from chimera.adapters.embedded.server import find_server
from chimera.cli.codes import Exit, Stop
from chimera.cli.words import listed
from chimera.services.audit_summary import report, summarize
from chimera.services.clock import SteadyClock, SystemClock
from chimera.services.conform import committed
from chimera.services.router import venue_checks
from chimera.services.router.hosting import hosts_of, keys_of
from chimera.services.router.settings import SettingsError, load
from chimera.services.strategy.settings import SettingsFault, read_settings
from chimera.simulate.venue.audit import AuditRecord
from chimera.trading.errors import ChimeraError, Refused

LOOK_S: Final = 2.0

Check = dict[str, Any]


def examine(state: Path, sim_url: str, s3_url: str, s4_url: str, as_json: bool) -> None:
    """Exit 0 when what a start needs is there; services that do not answer are told, and are no fault of a machine."""
    checks = [
        _check(
            "python", True, f"{platform.python_version()} on {platform.system()}", needed=sys.version_info >= (3, 11)
        ),
        _tried("redis binary", lambda: str(find_server()), needed=True),
        _tried("state directory", lambda: _writable(state), needed=True),
        _tried("S3 settings", lambda: _symbols(read_settings(os.environ).symbols), needed=True),
        _tried("S4 settings", lambda: _symbols(load(os.environ).symbols), needed=True),
        asyncio.run(_account()),
        *asyncio.run(_reach({"simulator": f"{sim_url}/fapi/v1/ping", "S3": f"{s3_url}/health", **_routers(s4_url)})),
        {"check": "Binance", "ok": None, "needed": False, "text": committed.told()},
    ]
    if as_json:
        print(json.dumps({"checks": checks}))
    else:
        for check in checks:
            mark = {True: "ok  ", False: "no  ", None: "-   "}[check["ok"]]
            print(f"{mark} {check['check']}: {check['text']}")
    bad = [check["check"] for check in checks if check["needed"] and check["ok"] is False]
    if bad:
        raise Stop(Exit.CANNOT_START, f"a start would fail: {', '.join(bad)}")


def audit(path: Path, as_json: bool) -> None:
    """The venue's half of the summary, from the file alone."""
    decode = msgspec.json.Decoder(AuditRecord).decode
    try:
        with path.open("rb") as lines:
            summary = summarize(decode(line) for line in lines if line.strip())
    except msgspec.DecodeError as wrong:
        raise Stop(Exit.CANNOT_START, f"{path} is not an audit: {wrong}") from wrong
    told = report(summary, None) | {"opened": summary.opened}
    if as_json:
        print(json.dumps(told | {"violations": list(summary.violations)}))
        return
    for name, value in told.items():
        print(f"{name:20} {value}")
    for violation in summary.violations:
        print(f"  {violation}")


def _check(name: str, ok: bool, text: str, *, needed: bool) -> Check:
    return {"check": name, "ok": ok, "needed": needed, "text": text}


def _tried(name: str, look: Callable[[], str], *, needed: bool) -> Check:
    try:
        return _check(name, True, look(), needed=needed)
    except (ChimeraError, SettingsError, SettingsFault, OSError) as wrong:
        return _check(name, False, str(wrong), needed=needed)


def _writable(state: Path) -> str:
    """Whether the ledger could be written there, found out without leaving anything behind."""
    there = state.absolute()
    while not there.exists():
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise OSError(f"{there} cannot be written")
    return f"{state} can be written" + ("" if state.exists() else " (it is made at the first start)")


def _routers(s4_url: str) -> dict[str, str]:
    """Each by its own name, where there are several."""
    each = listed(s4_url)
    return {"S4" if len(each) == 1 else f"S4 at {url}": f"{url}/health" for url in each}


def _symbols(symbols: tuple[str, ...]) -> str:
    return f"read; symbols {', '.join(symbols)}"


async def _account() -> Check:
    """What S4 itself asks of the venue before it sends anything; a key nobody set is no fault."""
    name = "S4 at the venue"
    try:
        settings = load(os.environ)
        hosts = hosts_of(settings)
        if settings.binance_key is None and hosts.name != SIM.name:
            return _check(name, True, "no key is set: `chimera up` brings its own simulator", needed=False) | {
                "ok": None
            }
        key, secret = keys_of(settings)
        clock = SteadyClock(SystemClock())
        account = open_futures(AiohttpTransport(hosts), key, secret, clock, jitter=random.Random())  # noqa: S311 - guards nothing
        try:
            async with asyncio.timeout(LOOK_S):
                await account.rulebook.server_offset_ms()
                modes = await venue_checks.look(account.records, hosts.name)
        finally:
            await account.close()
    except (SettingsError, Refused) as wrong:
        return _check(name, False, str(wrong), needed=True)
    except (TimeoutError, ChimeraError) as away:
        return _check(name, False, f"{hosts.rest} does not answer ({away or 'in time'})", needed=False)
    told = "may trade" if modes.can_trade else "may NOT trade (canTrade=false)"
    return _check(name, modes.can_trade, f"{hosts.name}: the key is taken, one-way, single-asset, {told}", needed=True)


async def _reach(addresses: dict[str, str]) -> list[Check]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=LOOK_S)) as session:
        return [await _answers(session, name, address) for name, address in addresses.items()]


async def _answers(session: aiohttp.ClientSession, name: str, address: str) -> Check:
    try:
        async with session.get(address) as answer:
            body = await answer.json(content_type=None)
            status = body.get("status", "ok") if isinstance(body, dict) else "ok"
            return _check(name, answer.status == 200, f"answers at {address}: {status}", needed=False)
    except (aiohttp.ClientError, TimeoutError, ValueError) as away:
        return _check(name, False, f"does not answer at {address} ({type(away).__name__})", needed=False)
