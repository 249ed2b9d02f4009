"""Whether money may move between the wallets now, and how much of it. Ceilings and floor are in units of the asset.

Knows balances as arguments only, and nothing of how a transfer goes once it has begun (``transfers``).
"""

from decimal import ROUND_DOWN, ROUND_UP, Decimal
from typing import Final

from chimera.trading.errors import Refused
from chimera.trading.money import DAY_MS, ZERO, Millis, text
from chimera.trading.transfer import Route, Stage, Transfers
from chimera.trading.value import Value
from chimera.trading.venue import DOUBT_MARGIN_MS, MARGIN_SHARE

FINEST: Final = Decimal("0.00000001")

OFF: Final = "TRANSFERS_OFF"
UNKNOWN_ASSET: Final = "TRANSFER_ASSET"
BUSY: Final = "TRANSFER_UNDER_WAY"
UNDECIDED: Final = "TRANSFER_IN_DOUBT"
LIMIT: Final = "TRANSFER_LIMIT"


class TransferPolicy(Value):
    """``floor`` stays behind in the wallet that the money leaves; less than ``least`` is not worth moving."""

    enabled: bool = False
    assets: tuple[str, ...] = ("USDT",)
    ceiling: Decimal = Decimal(100)  # of one transfer
    day_ceiling: Decimal = Decimal(300)  # of all transfers of a UTC day, both ways, those under way included
    floor: Decimal = Decimal(10)
    least: Decimal = Decimal(1)
    keep_free: Decimal = ZERO  # what the futures wallet should have free for new positions; 0: no such wish
    doubt_margin_ms: int = DOUBT_MARGIN_MS


class Wish(Value):
    """``exact``: a caller's own amount, all or nothing; otherwise as much of it as may move."""

    route: Route
    asset: str
    amount: Decimal
    free: Decimal  # in the wallet it leaves, just now
    why: str
    exact: bool = True


class Present(Value):
    """What the reducer is handed beside state and fact."""

    now_ms: Millis
    venue_now_ms: Millis
    policy: TransferPolicy


def objection(state: Transfers, wish: Wish, present: Present) -> Refused | None:
    """Why it may not move now; None: it may."""
    policy = present.policy
    if not policy.enabled:
        return Refused(OFF, "transfers are switched off", accepted="S4_TRANSFER_ENABLED=true")
    if wish.asset not in policy.assets:
        accepted = ", ".join(policy.assets)
        return Refused(UNKNOWN_ASSET, "this asset is not moved", field="asset", value=wish.asset, accepted=accepted)
    standing = state.present
    if standing is not None:
        code = UNDECIDED if standing.stage in (Stage.IN_DOUBT, Stage.AMBIGUOUS) else BUSY
        told = f"transfer {standing.number} of {text(standing.amount)} {standing.asset} is {standing.stage}"
        return Refused(code, f"{told}: nothing else moves meanwhile")
    room, by = _room(state, wish, present)
    if room < policy.least or (wish.exact and not ZERO < wish.amount <= room):
        told = f"{text(wish.amount)} {wish.asset} is not possible: {by}"
        accepted = f"at most {text(room)}" if room >= policy.least else "nothing now"
        return Refused(LIMIT, told, field="amount", value=wish.amount, accepted=accepted)
    if wish.exact and wish.amount % FINEST:  # after its size: beyond 28 digits nothing divides
        told = "an amount has at most eight decimals"
        return Refused("OUT_OF_RANGE", told, field="amount", value=wish.amount)
    return None


def amount_of(state: Transfers, wish: Wish, present: Present) -> Decimal:
    """What would move; whole units of the eighth decimal, rounded down."""
    wanted = wish.amount if wish.exact else min(max(wish.amount, present.policy.least), _room(state, wish, present)[0])
    return wanted.quantize(FINEST, rounding=ROUND_DOWN)


def lacking(notional: Decimal, leverage: int, free: Decimal) -> Decimal:
    """What a wallet lacks for the margin of this notional, with room for fees and a moving mark; 0: nothing."""
    return max(notional / leverage / MARGIN_SHARE - free, ZERO).quantize(FINEST, rounding=ROUND_UP)


def _room(state: Transfers, wish: Wish, present: Present) -> tuple[Decimal, str]:
    """The most that may move, and what bounds it."""
    policy, moved = present.policy, turned(state, present).moved.get(wish.asset, ZERO)
    bounds = (
        (policy.ceiling, f"one transfer moves at most {text(policy.ceiling)}"),
        (policy.day_ceiling - moved, f"{text(moved)} of {text(policy.day_ceiling)} for this UTC day are used"),
        (
            wish.free - policy.floor,
            f"{text(wish.free)} is free in {wish.route.source}, {text(policy.floor)} stays there",
        ),
    )
    room, by = min(bounds)
    return max(room, ZERO), by


def turned(state: Transfers, present: Present) -> Transfers:
    """The ceiling counts from UTC midnight; what is under way then counts for the new day. A day never comes back."""
    today = present.now_ms // DAY_MS
    if today <= state.day:
        return state
    under_way = state.present
    return state.but(day=today, moved={} if under_way is None else {under_way.asset: under_way.amount})
