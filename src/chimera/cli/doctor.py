"""Verbs that look and change nothing: ``doctor`` at this machine, ``audit`` at a finished run."""

import asyncio
import json
import os
import platform
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version as installed
from pathlib import Path
from typing import Final

import aiohttp
import msgspec

from chimera.adapters.embedded.server import find_server
from chimera.adapters.redis.bus import connect
from chimera.cli import doctor_services, doctor_venue
from chimera.cli.codes import Exit, Stop
from chimera.cli.doctor_checks import Check
from chimera.cli.words import listed
from chimera.services.alerts.settings import AlertsSettings
from chimera.services.alerts.settings import read_settings as read_alerts
from chimera.services.audit_summary import report, summarize
from chimera.services.conform import committed
from chimera.services.router.settings import load
from chimera.services.setting_kinds import SettingsFault
from chimera.services.strategy.settings import read_settings
from chimera.simulate.venue.audit import AuditRecord
from chimera.trading.errors import ChimeraError

LOOK_S: Final = 2.0
GIB: Final = 1_073_741_824
LEAST_ROOM_GIB: Final = 1


def examine(state: Path | None, sim_url: str, asked: Mapping[str, str], as_json: bool) -> None:
    """Exit 0 when what a start needs is there; services that do not answer are told, and are no fault of a machine.

    ``asked``: addresses of s3, s4, feed and alerts; an empty one, or of the simulator, is not asked. ``state`` None:
    they run elsewhere, so this machine and its settings say nothing of them.
    """
    named = {"S3": asked["s3"], **_routers(asked["s4"]), "feed": asked["feed"], "alerts": asked["alerts"]}
    checks = [
        *(_here(state) if state is not None else ()),
        *asyncio.run(_reach({"simulator": f"{sim_url}/fapi/v1/ping"} if sim_url else {})),
        *asyncio.run(doctor_services.checks({name: url for name, url in named.items() if url}, asked["s4"])),
        Check("Binance", None, committed.told()),
    ]
    if as_json:
        print(json.dumps({"checks": [check.row() for check in checks]}))
    else:
        print("\n".join(check.line for check in checks))
    bad = [check.check for check in checks if check.needed and check.ok is False]
    if bad:
        raise Stop(Exit.CANNOT_START, f"a start would fail: {', '.join(bad)}")


def _here(state: Path) -> Iterator[Check]:
    """This machine, and what the services started on it would read."""
    yield from _machine(state)
    yield from _settings()
    yield from asyncio.run(doctor_venue.checks(os.environ))
    yield asyncio.run(_redis())


def _machine(state: Path) -> Iterator[Check]:
    python = f"{platform.python_version()} on {platform.system()}"
    yield Check("python", sys.version_info >= (3, 11), python, needed=True, do="")
    yield Check("chimera", True, f"{installed('chimera')}, SQLite {sqlite3.sqlite_version}")
    yield _tried(
        "redis binary", lambda: str(find_server()), "install Valkey or Redis, or name one in S4_REDIS_ADDRESSES"
    )
    yield _tried("state directory", lambda: _writable(state), "make it, or choose another with --state")
    yield _disk(state)


def _disk(state: Path) -> Check:
    there = state.absolute()
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
    full = free < LEAST_ROOM_GIB * GIB
    do = "make room: a full disk keeps entries back (LEDGER_AWAY)" if full else ""
    return Check("disk", True, f"{free / GIB:.1f} GiB free at {there}", warns=full, do=do)


def _settings() -> Iterator[Check]:
    do = "mend the variables that it names; docs/settings.md has each with default and unit"
    yield _tried("S3 settings", lambda: _symbols(read_settings(os.environ).symbols), do)
    yield _tried("S4 settings", lambda: _symbols(load(os.environ).symbols), do)
    yield _tried("alerts' settings", lambda: _channels(read_alerts(os.environ)), do, needed=False)


def _channels(settings: AlertsSettings) -> str:
    named = [name for name, set_ in (("webhook", settings.webhook_url), ("Telegram", settings.telegram_chat)) if set_]
    return "read; alerts go to " + (" and ".join(named) if named else "nobody: no channel is set (docs/operations.md)")


async def _redis() -> Check:
    """S4's, where it is at an address."""
    try:
        addresses = load(os.environ).redis_addresses
    except SettingsFault:
        return Check("redis", None, "S4's settings do not tell where")
    if not addresses:
        return Check("redis", None, "the embedded one, which S4 starts itself")
    bus = connect(addresses)
    try:
        async with asyncio.timeout(LOOK_S):
            await bus.ping()
    except (ChimeraError, TimeoutError) as away:
        do = "start it, or mend S4_REDIS_ADDRESSES: without it nothing is entered"
        return Check("redis", False, f"does not answer at {', '.join(addresses)} ({away or 'in time'})", do=do)
    finally:
        await bus.close()
    return Check("redis", True, f"answers at {', '.join(addresses)}")


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


def _tried(name: str, look: Callable[[], str], do: str, *, needed: bool = True) -> Check:
    try:
        return Check(name, True, look(), needed=needed)
    except (ChimeraError, OSError) as wrong:
        return Check(name, False, str(wrong), needed=needed, do=do)


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
    return {"S4" if len(each) == 1 else f"S4 at {url}": url for url in each}


def _symbols(symbols: tuple[str, ...]) -> str:
    return f"read; symbols {', '.join(symbols)}"


async def _reach(addresses: dict[str, str]) -> list[Check]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=LOOK_S)) as session:
        return [await _answers(session, name, address) for name, address in addresses.items()]


async def _answers(session: aiohttp.ClientSession, name: str, address: str) -> Check:
    try:
        async with session.get(address) as answer:
            body = await answer.json(content_type=None)
            status = body.get("status", "ok") if isinstance(body, dict) else "ok"
            return Check(name, answer.status == 200, f"answers at {address}: {status}")
    except (aiohttp.ClientError, TimeoutError, ValueError) as away:
        return Check(
            name, False, f"does not answer at {address} ({type(away).__name__})", do="chimera sim, where you want one"
        )
