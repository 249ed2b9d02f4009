"""What the venue says of S4's account and key: clock, mode, rights, filters. Signed questions alone."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from chimera.adapters.binance.account import BinanceFutures, open_futures
from chimera.adapters.binance.hosts import SIM, Hosts
from chimera.adapters.binance.http import AiohttpTransport
from chimera.adapters.binance.wallets import KeyRights
from chimera.cli.doctor_checks import Check
from chimera.services.clock import SteadyClock, SystemClock
from chimera.services.router import venue_checks
from chimera.services.router.connecting import wallets_of
from chimera.services.router.hosting import hosts_of, keys_of
from chimera.services.router.settings import RouterSettings, load
from chimera.services.setting_kinds import SettingsFault
from chimera.trading.errors import ChimeraError, Refused
from chimera.trading.instrument import Instrument

LOOK_S: Final = 5.0
CLOCK_MS: Final = 500  # S4 warns from here on, and keeps entries back at twice as much
NAME: Final = "S4 at the venue"


class Opened(NamedTuple):
    settings: RouterSettings
    hosts: Hosts
    account: BinanceFutures


async def checks(environ: Mapping[str, str]) -> list[Check]:
    """Nothing but a line where no key is set, or the venue does not answer."""
    try:
        settings = load(environ)
        hosts = hosts_of(settings)
        if settings.binance_key is None and hosts.name != SIM.name:
            return [Check(NAME, None, "no key is set: `chimera up` brings its own simulator")]
        async with asyncio.timeout(LOOK_S), _opened(settings, hosts) as opened:
            return [*await _account(opened), *await _rights(opened), await _filters(opened)]
    except (SettingsFault, Refused) as wrong:
        return [Check(NAME, False, str(wrong), needed=True, do="mend what it names, then look again")]
    except (TimeoutError, ChimeraError) as away:
        text = f"{hosts.rest} does not answer ({away or 'in time'})"
        return [Check(NAME, False, text, do="is the network there? is the venue in maintenance?")]


@asynccontextmanager
async def _opened(settings: RouterSettings, hosts: Hosts) -> AsyncIterator[Opened]:
    key, secret = keys_of(settings)
    clock = SteadyClock(SystemClock())
    account = open_futures(AiohttpTransport(hosts), key, secret, clock, jitter=random.Random())  # noqa: S311 - guards nothing
    try:
        yield Opened(settings, hosts, account)
    finally:
        await account.close()


async def _account(opened: Opened) -> list[Check]:
    offset_ms = await opened.account.rulebook.server_offset_ms()
    modes = await venue_checks.look(opened.account.records, opened.hosts.name)
    far = abs(offset_ms) > CLOCK_MS
    told = "may trade" if modes.can_trade else "may NOT trade (canTrade=false)"
    return [
        Check(
            "clock", True, f"{offset_ms} ms from the venue's", warns=far,
            do="synchronise this machine's clock (chrony, systemd-timesyncd)" if far else "",
        ),
        Check(
            NAME, modes.can_trade, f"{opened.hosts.name}: the key is taken, one-way, single-asset, {told}", needed=True,
            do="" if modes.can_trade else "ask the venue why the account is restricted; a key may lack the right",
        ),
    ]  # fmt: skip


async def _rights(opened: Opened) -> list[Check]:
    """The demo does not tell."""
    clock = SteadyClock(SystemClock())
    wallets = wallets_of(opened.settings, opened.account, keys_of(opened.settings), clock)
    if wallets is None:
        return [Check("key's rights", None, "the demo does not tell them")]
    try:
        rights = await wallets.rights()
    except ChimeraError as untold:
        return [Check("key's rights", None, f"not told ({untold})")]
    finally:
        await wallets.close()
    return [judged(rights, transfers=opened.settings.transfers.enabled, live=opened.hosts.name == "live")]


def judged(rights: KeyRights, *, transfers: bool, live: bool) -> Check:
    """A key should be able to do what S4 does, and no more."""
    faults, dos = [], []
    if rights.withdrawals:
        faults.append("it may WITHDRAW")
        dos.append("take the right to withdraw away: S4 never needs it, and whoever steals the key could use it")
    if live and not rights.bound_to_address:
        faults.append("it works from any address")
        dos.append("bind the key to this machine's address")
    if not rights.futures:
        faults.append("it may NOT trade futures")
        dos.append("allow futures for the key")
    if transfers and not rights.transfers:
        faults.append("S4_TRANSFER_ENABLED is on and it may not transfer")
        dos.append("allow universal transfer, or set S4_TRANSFER_ENABLED=false")
    text = "; ".join(faults) or "what S4 needs, and no withdrawal"
    return Check("key's rights", rights.futures, text, needed=not rights.futures, warns=bool(faults), do="; ".join(dos))


async def _filters(opened: Opened) -> Check:
    listed = {str(each.symbol): each for each in await opened.account.rulebook.instruments()}
    return tradable(opened.settings.symbols, listed)


def tradable(wanted: Sequence[str], listed: Mapping[str, Instrument]) -> Check:
    """Each symbol that is to be traded should be one that S4 enters."""
    wrong = {
        "is not listed": [symbol for symbol in wanted if symbol not in listed],
        "is halted": [symbol for symbol in wanted if symbol in listed and not listed[symbol].trading],
        "is a dated contract, which is not entered": [name for name in wanted if name in listed and listed[name].dated],
        "is not paid in dollars, and not entered": [
            name for name in wanted if name in listed and not listed[name].in_dollars
        ],
    }
    text = ", ".join(f"{symbol} {what}" for what, symbols in wrong.items() for symbol in symbols)
    if text:
        return Check("filters", False, text, do="take them out of S4_SYMBOLS, or wait until they trade")
    told = "; ".join(f"{each.symbol} tick {each.tick}, step {each.step}" for each in (listed[name] for name in wanted))
    return Check("filters", True, told)
