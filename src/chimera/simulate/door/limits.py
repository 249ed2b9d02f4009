"""Request weight per IP, order counts per owner, and what follows when somebody takes more than that.

Fixed buckets, not sliding ones. A request over its IP's weight is answered 429 and not executed; one that keeps calling
is banned (418), each time for longer. Placements over an owner's count are refused with -1015. What was refused for
weight still counts; a refused placement does not. Sources: Binance LIMITS pages of both markets. Chosen here, for no
page says it: a ban comes after ``TOLERATED`` refused calls in one bucket and grows by ``GROWTH``.
Deliberately unaware of HTTP headers and of who may call what.
"""

from enum import StrEnum
from typing import Final

from chimera.simulate.door.refusals import Refusal
from chimera.trading.money import Millis
from chimera.trading.value import Value

TOLERATED: Final = 20  # calls over the weight that one bucket forgives: those that were already under way
FIRST_BAN_MS: Final = 2 * 60_000
LONGEST_BAN_MS: Final = 3 * 24 * 60 * 60_000
GROWTH: Final = 4
_ROOMY: Final = 1_000
_SPANS: Final = {"SECOND": 1_000, "MINUTE": 60_000, "DAY": 24 * 60 * 60_000}


class LimitKind(StrEnum):
    """As the wire names them."""

    REQUEST_WEIGHT = "REQUEST_WEIGHT"
    RAW_REQUESTS = "RAW_REQUESTS"
    ORDERS = "ORDERS"


class Limit(Value):
    """So many in each ``num`` times ``interval`` (SECOND, MINUTE, DAY)."""

    kind: LimitKind
    interval: str
    num: int
    limit: int

    @property
    def span_ms(self) -> int:
        return self.num * _SPANS[self.interval]

    @property
    def tag(self) -> str:
        """As headers write it: 1M, 10S."""
        return f"{self.num}{self.interval[0]}"

    def row(self, count: int | None = None) -> dict[str, str | int]:
        """As ``exchangeInfo`` and the WebSocket API list it; ``count``: what is used of it."""
        row: dict[str, str | int] = {
            "rateLimitType": self.kind.value,
            "interval": self.interval,
            "intervalNum": self.num,
            "limit": self.limit,
        }
        return row if count is None else row | {"count": count}


class Budget(Value):
    """One market's limits. ``orders``: the shorter interval, then the longer. ``handshake``: weight of a WS API one."""

    weight: Limit
    orders: tuple[Limit, Limit]
    raw: Limit | None = None
    handshake: int = 0
    too_many: str = ""  # the two texts of -1003
    banned: str = ""

    def limits(self) -> tuple[Limit, ...]:
        """All of them, as ``exchangeInfo`` orders them."""
        return (self.weight, *self.orders) if self.raw is None else (self.weight, *self.orders, self.raw)

    def roomy(self) -> "Budget":
        """Limits that nobody reaches: told where none is enforced, or callers who govern themselves would wait."""
        first, second = (each.but(limit=each.limit * _ROOMY) for each in self.orders)
        raw = self.raw and self.raw.but(limit=self.raw.limit * _ROOMY)
        return self.but(weight=self.weight.but(limit=self.weight.limit * _ROOMY), orders=(first, second), raw=raw)


USDM_BUDGET: Final = Budget(
    weight=Limit(kind=LimitKind.REQUEST_WEIGHT, interval="MINUTE", num=1, limit=2_400),
    orders=(
        Limit(kind=LimitKind.ORDERS, interval="SECOND", num=10, limit=300),
        Limit(kind=LimitKind.ORDERS, interval="MINUTE", num=1, limit=1_200),
    ),
    handshake=5,
    too_many=(
        "Too many requests; current limit of IP({ip}) is {limit} requests per minute. "
        "Please use the websocket for live updates to avoid polling the API."
    ),
    banned=(
        "Way too many requests; IP({ip}) banned until {until}. Please use the websocket for live updates to avoid bans."
    ),
)
SPOT_BUDGET: Final = Budget(
    weight=Limit(kind=LimitKind.REQUEST_WEIGHT, interval="MINUTE", num=1, limit=6_000),
    orders=(
        Limit(kind=LimitKind.ORDERS, interval="SECOND", num=10, limit=100),
        Limit(kind=LimitKind.ORDERS, interval="DAY", num=1, limit=200_000),
    ),
    raw=Limit(kind=LimitKind.RAW_REQUESTS, interval="MINUTE", num=5, limit=300_000),
    handshake=2,
    too_many=(
        "Too much request weight used; current limit is {limit} request weight per 1 MINUTE. "
        "Please use WebSocket Streams for live updates to avoid polling the API."
    ),
    banned=(
        "Way too much request weight used; IP banned until {until}. "
        "Please use WebSocket Streams for live updates to avoid bans."
    ),
)


class Overrun(Refusal):
    """Too much was asked. ``until_ms``: when it may be tried again."""

    def __init__(self, code: int, text: str, status: int, until_ms: int) -> None:
        super().__init__(code, text=text)
        self.status = status
        self.until_ms = Millis(until_ms)


Bucket = tuple[int, int]  # its number since the epoch, what is used of it


class Ban(Value, tag=False):
    """``until_ms`` is the end of the last one, ``times`` how many there were, ``strikes`` calls refused in a bucket."""

    until_ms: int = 0
    times: int = 0
    strikes: Bucket = (0, 0)


class Counted(Value, tag=False):
    """What is used of one market's limits: by IP, and by owner and interval."""

    weight: dict[str, Bucket] = {}
    raw: dict[str, Bucket] = {}
    orders: dict[str, dict[str, Bucket]] = {}
    bans: dict[str, Ban] = {}


class Limits:
    """One market's counters. Not ``enforced``: counted and shown, and nobody is refused."""

    def __init__(self, budget: Budget, *, enforced: bool = True) -> None:
        self.budget = budget
        self.enforced = enforced
        self._counted = Counted()

    def enter(self, ip: str, weight: int, now_ms: int) -> int:
        """A request of ``weight`` from ``ip`` comes in; returns what is used now, or raises ``Overrun``."""
        self._refuse_banned(ip, now_ms)
        used = self._add(self._counted.weight, ip, self.budget.weight, weight, now_ms)
        if used > self.budget.weight.limit:
            self._refuse(ip, self.budget.weight, now_ms)
        raw = self.budget.raw
        if raw is not None and self._add(self._counted.raw, ip, raw, 1, now_ms) > raw.limit:
            self._refuse(ip, raw, now_ms)
        return used

    def correct(self, ip: str, more: int, now_ms: int) -> int:
        """A request turned out to cost ``more`` (below zero: less); returns what is used now."""
        return self._add(self._counted.weight, ip, self.budget.weight, more, now_ms)

    def weight_used(self, ip: str, now_ms: int) -> int:
        """Of the running bucket."""
        return _used(self._counted.weight.get(ip), self.budget.weight, now_ms)

    def room_for(self, owner: str, orders: tuple[int, int], now_ms: int) -> None:
        """Raise -1015 where these placements are more than one of the owner's counts allows."""
        if not self.enforced:
            return
        for limit, more in zip(self.budget.orders, orders, strict=True):
            if more and self.orders_used(owner, limit, now_ms) + more > limit.limit:
                words = f"{limit.num} {limit.interval}"  # "10 SECOND", as spot's pages print it
                text = f"Too many new orders; current limit is {limit.limit} orders per {words}."
                raise Overrun(-1015, text, 429, _end(limit, now_ms))

    def count_orders(self, owner: str, orders: tuple[int, int], now_ms: int) -> None:
        """So many placements more (below zero: given back for orders that filled, never under none)."""
        held = self._counted.orders.setdefault(owner, {})
        for limit, more in zip(self.budget.orders, orders, strict=True):
            self._add(held, limit.tag, limit, more, now_ms)

    def orders_used(self, owner: str, limit: Limit, now_ms: int) -> int:
        """Placements counted in the running bucket."""
        return _used(self._counted.orders.get(owner, {}).get(limit.tag), limit, now_ms)

    def order_rows(self, owner: str, now_ms: int) -> list[dict[str, str | int]]:
        """The order limits with what is used of them."""
        return [limit.row(self.orders_used(owner, limit, now_ms)) for limit in self.budget.orders]

    def weight_row(self, ip: str, now_ms: int) -> dict[str, str | int]:
        """The weight limit with what is used of it."""
        return self.budget.weight.row(self.weight_used(ip, now_ms))

    @property
    def bans(self) -> int:
        """How often anybody was banned."""
        return sum(ban.times for ban in self._counted.bans.values())

    def kept(self) -> Counted:
        """What is to be kept: a copy."""
        held = self._counted
        orders = {owner: dict(counts) for owner, counts in held.orders.items()}
        return Counted(weight=dict(held.weight), raw=dict(held.raw), orders=orders, bans=dict(held.bans))

    def restore(self, kept: Counted) -> None:
        """Carry on from what was kept."""
        self._counted = kept

    # ── inside ──────────────────────────────────────────────────────────────────────────────────────────────────────
    def _add(self, held: dict[str, Bucket], name: str, limit: Limit, more: int, now_ms: int) -> int:
        used = max(0, _used(held.get(name), limit, now_ms) + more)
        held[name] = (now_ms // limit.span_ms, used)
        return used

    def _refuse_banned(self, ip: str, now_ms: int) -> None:
        ban = self._counted.bans.get(ip)
        if self.enforced and ban is not None and now_ms < ban.until_ms:
            raise self._banned(ip, ban)

    def _refuse(self, ip: str, limit: Limit, now_ms: int) -> None:
        if not self.enforced:
            return
        ban = self._counted.bans.get(ip, Ban())
        bucket = now_ms // limit.span_ms
        strikes = 1 + (ban.strikes[1] if ban.strikes[0] == bucket else 0)
        ban = ban.but(strikes=(bucket, strikes))
        if strikes > TOLERATED:
            times = ban.times if now_ms - ban.until_ms < LONGEST_BAN_MS else 0
            lasts = min(FIRST_BAN_MS * GROWTH**times, LONGEST_BAN_MS)
            ban = Ban(until_ms=now_ms + lasts, times=times + 1)
        self._counted.bans[ip] = ban
        if now_ms < ban.until_ms:
            raise self._banned(ip, ban)
        raise Overrun(-1003, self.budget.too_many.format(ip=ip, limit=limit.limit), 429, _end(limit, now_ms))

    def _banned(self, ip: str, ban: Ban) -> Overrun:
        return Overrun(-1003, self.budget.banned.format(ip=ip, until=ban.until_ms), 418, ban.until_ms)


def _used(bucket: Bucket | None, limit: Limit, now_ms: int) -> int:
    return bucket[1] if bucket is not None and bucket[0] == now_ms // limit.span_ms else 0


def _end(limit: Limit, now_ms: int) -> int:
    """When the running bucket ends."""
    return (now_ms // limit.span_ms + 1) * limit.span_ms
