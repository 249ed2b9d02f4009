"""Whether what a router watches of itself is in bounds: clock, loop, queues, and a user stream that may be deaf.

Each answer is a sentence with the number and its limit, or None: all is well. Moments are of the monotonic clock, so
that a step of the wall clock changes nothing here; what the venue dated is compared on the venue's own clock. Knows
neither who is told nor what is kept back because of it.
"""

from typing import Final

from chimera.trading.fill import Fill
from chimera.trading.ids import Symbol, TradeId
from chimera.trading.money import Millis
from chimera.trading.value import Value

OFFSET_WARN_MS: Final = 500  # I29
OFFSET_LIMIT_MS: Final = 1_000  # S4-CLOCK-1: above it no new position
CLOCK_UNREAD_MS: Final = 60_000  # I29

LAG_LOOK_MS: Final = 100
LAG_WARN_MS: Final = 250
LAG_LIMIT_MS: Final = 1_000
LAG_CALM_MS: Final = 10_000  # a loop that was late is trusted again after so long

STREAM_PATIENCE_MS: Final = 2_000  # a reconnection takes some 100 ms; beyond this we poll and open nothing
STEADY_MS: Final = 1_000  # a stream that lives shorter has not come back
TELLING_MS: Final = 5_000  # how much later than a survey the stream may tell of a trade
MISSES: Final = 2  # trades in a row that it never told: one may be a lost frame, two are deafness
GAP_MARGIN_MS: Final = 1_000  # a trade dated so shortly after the stream came up may lie in the gap before it

STORE_AWAY_MS: Final = 2_000

POLL_MS: Final = 1_500
POLL_WEIGHT: Final = 12  # of one survey: both lists of open orders, the position, a page of trades
POLL_BUDGET: Final = 1_200  # of the venue's 2,400 a minute, while the user stream is away


# ── the clock ──


def clock_off(offset_ms: int, limit_ms: int) -> str | None:
    """``offset_ms``: the venue's clock minus ours."""
    if abs(offset_ms) <= limit_ms:
        return None
    return f"our clock is {offset_ms} ms off the venue's; {limit_ms} is the limit"


def clock_unread(read_ms: Millis | None, now_ms: Millis) -> str | None:
    """``read_ms``: when the venue's clock was last read; before the first reading nothing is accepted anyway."""
    if read_ms is None or now_ms - read_ms <= CLOCK_UNREAD_MS:
        return None
    return f"the venue's clock was not read for more than {CLOCK_UNREAD_MS // 1000} s"


# ── the loop ──


class Lag(Value):
    """How late the event loop wakes who sleeps. ``peak_ms`` is of the present spell, 0 when calm."""

    worst_ms: int = 0  # since the start
    peak_ms: int = 0
    calm_at_ms: Millis = Millis(0)

    def after(self, late_ms: int, now_ms: Millis) -> "Lag":
        """One more sleep was overslept by ``late_ms``."""
        late_ms = max(late_ms, 0)
        peak_ms = self.peak_ms if now_ms < self.calm_at_ms else 0
        if late_ms > LAG_WARN_MS:
            calm_at_ms = Millis(now_ms + LAG_CALM_MS)
            return Lag(worst_ms=max(self.worst_ms, late_ms), peak_ms=max(peak_ms, late_ms), calm_at_ms=calm_at_ms)
        if peak_ms == self.peak_ms and late_ms <= self.worst_ms:
            return self
        return self.but(worst_ms=max(self.worst_ms, late_ms), peak_ms=peak_ms)

    def over(self, limit_ms: int) -> str | None:
        """Whether this spell was worse than that."""
        if self.peak_ms <= limit_ms:
            return None
        return f"the event loop was {self.peak_ms} ms late; {limit_ms} is the limit, calm for {LAG_CALM_MS} ms ends it"


# ── queues ──


class Load(Value):
    """What waits, each the longest of its kind."""

    outbox: int = 0  # events of one position that the stores have not heard
    held: int = 0  # commands of one position that wait for the disk
    tasks: int = 0  # commands of one position under way
    alarms: int = 0
    callers: int = 0  # who waits for an intent's end


BOUNDS: Final = Load(outbox=5_000, held=200, tasks=200, alarms=500, callers=1_000)


def overfull(load: Load) -> str | None:
    """The queues beyond their bounds, all of them."""
    names = Load.__struct_fields__
    beyond = [name for name in names if getattr(load, name) > getattr(BOUNDS, name)]
    if not beyond:
        return None
    return ", ".join(f"{name} {getattr(load, name)} > {getattr(BOUNDS, name)}" for name in beyond)


# ── the user stream ──


class Hearing(Value):
    """The user stream, as far as it tells. ``lost_ms``: since when it is not there; a start is a loss too."""

    lost_ms: Millis | None = Millis(0)
    up_ms: Millis | None = None
    up_venue_ms: Millis = Millis(0)
    owed: dict[tuple[Symbol, TradeId], Millis] = {}  # trades that a survey brought, by when we heard of them
    misses: int = 0

    def came(self, now_ms: Millis, venue_now_ms: Millis) -> "Hearing":
        """It is up: what happened before is asked for by whoever listens."""
        return self.but(up_ms=now_ms, up_venue_ms=venue_now_ms, owed={}, misses=0)

    def went(self, now_ms: Millis) -> "Hearing":
        """It is down."""
        lost_ms = now_ms if self.lost_ms is None else self.lost_ms
        return self.but(lost_ms=lost_ms, up_ms=None, owed={}, misses=0)

    def counted(self, fill: Fill, now_ms: Millis) -> "Hearing":
        """A trade of ours was counted, whoever brought it; the stream must tell of it, too."""
        if self.up_ms is None or fill.at_ms <= self.up_venue_ms + GAP_MARGIN_MS:
            return self
        return self.but(owed={**self.owed, (fill.symbol, fill.trade_id): now_ms})

    def told(self, fill: Fill) -> "Hearing":
        """The stream brought this trade, first or again: it hears."""
        if not self.misses and (fill.symbol, fill.trade_id) not in self.owed:
            return self
        left = {key: at for key, at in self.owed.items() if key != (fill.symbol, fill.trade_id)}
        return self.but(owed=left, misses=0)

    def at(self, now_ms: Millis) -> "Hearing":
        """As it stands now: steady again, or with one more trade it never told."""
        after = self
        if self.up_ms is not None and self.lost_ms is not None and now_ms - self.up_ms >= STEADY_MS:
            after = after.but(lost_ms=None)
        overdue = [key for key, at in self.owed.items() if now_ms - at >= TELLING_MS]
        if overdue:
            left = {key: at for key, at in self.owed.items() if key not in overdue}
            after = after.but(owed=left, misses=self.misses + len(overdue))
        return after

    def away(self, now_ms: Millis) -> str | None:
        """Why nothing may be opened; None: it is there, or was a moment ago."""
        if self.lost_ms is None or now_ms - self.lost_ms < STREAM_PATIENCE_MS:
            return None
        return f"no user stream for more than {STREAM_PATIENCE_MS} ms; positions are polled"

    @property
    def deaf(self) -> str | None:
        """Why the connection must be made anew."""
        if self.misses < MISSES:
            return None
        return f"{self.misses} trades that the venue's records have were not told within {TELLING_MS} ms"

    @property
    def doubtful(self) -> bool:
        """It has missed something: look oneself until it tells again."""
        return self.misses > 0


def poll_every_ms(busy: int) -> int:
    """How often each of ``busy`` symbols may be surveyed without more weight than that budget."""
    return max(POLL_MS, busy * POLL_WEIGHT * 60_000 // POLL_BUDGET)
