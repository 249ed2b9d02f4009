"""What must be so of the account before anything is sent: its mode, its key, its environment. ``doctor`` asks the same.

Each refusal is one sentence with the setting to change, and nothing is started. Where the venue does not answer it is
asked for ever; a key is judged by more than one answer, since the venue has refused good ones for a moment.
"""

import asyncio
from typing import Final

from chimera.ports.venue import Records
from chimera.protect.verdicts import Verdict, verdict
from chimera.services.router.barriers import Barriers
from chimera.services.router.patience import until_answered
from chimera.trading.errors import ChimeraError, Refused, VenueRejected
from chimera.trading.events import Severity
from chimera.trading.refusal import Refusal
from chimera.trading.venue import AccountModes

KEY_REFUSED: Final = "KEY_REFUSED"
CANNOT_TRADE: Final = "ACCOUNT_CANNOT_TRADE"
KEY_ASKS: Final = 3
KEY_PAUSE_S: Final = 1.0
_ELSEWHERE: Final = {
    "live": "it is the live market's (S4_TESTNET=false): make one at binance.com, or set S4_TESTNET=true for the demo",
    "demo": "it is the demo's (S4_TESTNET=true): make one at demo.binance.com, or set S4_TESTNET=false to go live",
    "sim": "it is the simulator's (S4_FUT_URL): unset S4_BINANCE_KEY and S4_BINANCE_SECRET for its ready account",
}
_KEY_FAULTS: Final = {  # by the venue's code: for telling
    -1022: "S4_BINANCE_SECRET does not belong to S4_BINANCE_KEY, or to another environment",
    -2014: "S4_BINANCE_KEY has not the shape of a key here",
    -2015: "S4_BINANCE_KEY is not known here, or may not be used from this address or for futures",
    -2017: "S4_BINANCE_KEY is locked",
    401: "S4_BINANCE_KEY is not known here",
}


def key_fault(error: ChimeraError, environment: str) -> Refused | None:
    """What is wrong with the key by the venue's answer to a signed question; None where it speaks of something else."""
    if not isinstance(error, VenueRejected) or verdict(error.refusal) is not Verdict.KEY:
        return None
    fix = f"a key belongs to one environment, here {_ELSEWHERE.get(environment, environment)}"
    why = f"{environment}: {_KEY_FAULTS.get(error.code, 'S4_BINANCE_KEY is not taken here')} ({error}); {fix}"
    field = "S4_BINANCE_SECRET" if error.refusal is Refusal.SIGNATURE else "S4_BINANCE_KEY"
    return Refused("WRONG_KEY", why, field=field)


def account_fault(modes: AccountModes) -> Refused | None:
    """An account whose mode S4 does not trade in."""
    if modes.hedge:
        why = "the account is in hedge mode; set one-way mode on the venue, then start again"
        return Refused(
            "HEDGE_MODE", why, accepted="one-way mode: POST /fapi/v1/positionSide/dual dualSidePosition=false"
        )
    if modes.multi_asset:
        why = "the account is in multi-assets mode; set single-asset mode, then start again"
        return Refused(
            "MULTI_ASSET", why, accepted="single-asset mode: POST /fapi/v1/multiAssetsMargin multiAssetsMargin=false"
        )
    return None


async def look(records: Records, environment: str) -> AccountModes:
    """Asked once; raises ``Refused`` for an account or key that will not do, and what the venue raised otherwise."""
    try:
        modes = await records.modes()
    except VenueRejected as error:
        fault = key_fault(error, environment)
        if fault is None:
            raise
        raise fault from error
    fault = account_fault(modes)
    if fault is not None:
        raise fault
    return modes


async def ask_modes(records: Records, environment: str) -> AccountModes:
    """The first signed question, for as long as it takes; raises ``Refused`` for an account or key that will not do."""
    for asked in range(1, KEY_ASKS + 1):
        try:
            modes = await until_answered(records.modes)
        except VenueRejected as error:
            fault = key_fault(error, environment)
            if fault is None:
                raise
            if asked == KEY_ASKS:
                raise fault from error
            await asyncio.sleep(KEY_PAUSE_S)
            continue
        fault = account_fault(modes)
        if fault is not None:
            raise fault
        return modes
    raise AssertionError("unreachable: the last turn raises or returns")


def watch_key(barriers: Barriers, environment: str, error: ChimeraError | None) -> None:
    """After each signed look at the account (B38): no entries, and a page, while the key is not taken."""
    fault = None if error is None else key_fault(error, environment)
    if error is None or fault is not None:
        why = None if fault is None else f"{fault.message}; stops that stand stay, nothing can be placed or closed"
        barriers.level(KEY_REFUSED, why, severity=Severity.FATAL)


def watch_permission(barriers: Barriers, modes: AccountModes) -> None:
    """An account that may not trade can neither enter nor leave."""
    why = None if modes.can_trade else "the venue says that this account may not trade (canTrade=false)"
    barriers.level(CANNOT_TRADE, why, severity=Severity.FATAL)
