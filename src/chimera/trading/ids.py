"""Names of things: distinct string types, the position key, and deterministic child ids.

A child id is a function of its parent, so the same step after a crash has the same id and a resend meets itself.
Binance takes at most 36 characters; ``[A-Za-z0-9_-]`` is safe on spot, futures and the Algo service alike.
"""

import hashlib
import re
from typing import NewType

from chimera.trading.market import Market
from chimera.trading.value import Value

AccountId = NewType("AccountId", str)
StrategyId = NewType("StrategyId", str)
IntentId = NewType("IntentId", str)
ClientOrderId = NewType("ClientOrderId", str)
VenueOrderId = NewType("VenueOrderId", str)
TradeId = NewType("TradeId", str)
Symbol = NewType("Symbol", str)

DEFAULT_ACCOUNT = AccountId("main")
DEFAULT_STRATEGY = StrategyId("s3")
VENUE = "binance"

CLIENT_ID_MAX = 36
CHILDREN_MAX = 9_999  # of one root: the suffix has room for four digits
CLIENT_ID_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,36}")
_STAND_IN_PATTERN = re.compile(r"si-[0-9a-f]{20}")
_CHILD_PATTERN = re.compile(r"(?P<stem>[A-Za-z0-9_-]{1,30})-(?P<role>[mtspx])(?P<number>[0-9]{1,4})")
_FORCED = {
    "autoclose-": "LIQUIDATION",
    "adl_autoclose": "AUTO_DELEVERAGING",
    "settlement_autoclose-": "SETTLEMENT",
}
_PROBE_SUFFIX = "-s0"  # steps of a position or an intent count from one, whatever root a caller names
_FORGOTTEN = "forgotten-"
_DIGEST_CHARS = 12
_SUFFIX_MAX = 6


class PositionKey(Value, tag=False):
    """The unit of ownership: one actor, one inbox, one fenced lease owns all that happens under it."""

    venue: str
    account: AccountId
    market: Market
    symbol: Symbol

    def __str__(self) -> str:
        return f"{self.venue}:{self.account}:{self.market}:{self.symbol}"


def is_client_order_id(text: str) -> bool:
    """Whether every Binance order service takes this id."""
    return CLIENT_ID_PATTERN.fullmatch(text) is not None


def child_id(root: ClientOrderId, role: str, number: int) -> ClientOrderId:
    """The id of step ``number`` in ``role`` (one or two letters) under ``root``: ``s3-btc-...-t1``.

    A root too long for the suffix is shortened to a prefix and a digest of the whole, so two roots never share a child.
    """
    suffix = f"-{role}{number}"
    if len(suffix) > _SUFFIX_MAX:
        raise ValueError(f"child suffix {suffix!r} is longer than {_SUFFIX_MAX} characters")
    return ClientOrderId(stem_of(root) + suffix)


def child_of(ref: ClientOrderId) -> tuple[ClientOrderId, str, int] | None:
    """Stem, role letter and number of one of our child ids; None for anybody else's order.

    The stem is the root itself, or its shortened form where the root was long.
    """
    found = _CHILD_PATTERN.fullmatch(ref)
    return (ClientOrderId(found["stem"]), found["role"], int(found["number"])) if found else None


def probe_id(root: ClientOrderId) -> ClientOrderId:
    """The id of a stop that is placed only to learn whether the venue takes one."""
    return ClientOrderId(stem_of(root) + _PROBE_SUFFIX)


def probes(ref: ClientOrderId) -> bool:
    """Whether it was placed only to learn something: it guards nothing, whatever may be held by now."""
    return ref.endswith(_PROBE_SUFFIX)


def forced_by(ref: ClientOrderId) -> str | None:
    """What the venue did with an order of its own; None for everybody else's (binance user data streams)."""
    return next((deed for begins, deed in _FORCED.items() if ref.startswith(begins)), None)


def forgotten(venue_id: VenueOrderId) -> ClientOrderId:
    """What an order is called that the venue knows no more; it has not the shape of a name of ours."""
    return ClientOrderId(f"{_FORGOTTEN}{venue_id}")


def is_forgotten(ref: ClientOrderId) -> bool:
    """Whether nobody could say whose order it was."""
    return ref.startswith(_FORGOTTEN)


def stem_of(root: ClientOrderId) -> ClientOrderId:
    """What the children of ``root`` begin with."""
    room = CLIENT_ID_MAX - _SUFFIX_MAX
    return root if len(root) <= room else ClientOrderId(root[: room - _DIGEST_CHARS - 1] + "_" + _digest(root))


def derived_id(prefix: str, parent: str) -> ClientOrderId:
    """A root id as a function of ``parent`` (an intent id of any length and alphabet), where the caller named none."""
    return ClientOrderId(f"{prefix}-{hashlib.sha256(parent.encode()).hexdigest()[:20]}")


def stand_in_root(key: PositionKey, venue_now_ms: int) -> ClientOrderId:
    """The root of a stand-in for an owner whose ledger is away; made of the moment, so no other life of ours has it."""
    return derived_id("si", f"{key}:{venue_now_ms}")


def stands_in(root: ClientOrderId) -> bool:
    """Whether it is, or is the stem of, the root of a stand-in."""
    return _STAND_IN_PATTERN.fullmatch(root) is not None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_CHARS]
