"""The rate governor: whether a request may leave now, so that no limit of the venue is ever reached by us (ADR 12).

Invariants: what leaves in any window stays within the venue's limit, and within our share of it where protection is
not what leaves; a lower lane stops before a higher one; each entry books the room of the stop and the target that it
will need, and one that rests for longer than a window that of its stop; after a refusal for haste questions and entries
stop until it is over and the rest goes on at a trickle, slower with each refusal; while the address is banned nothing
leaves. Time and memory of a call do not grow with traffic. Pure: moments are handed in, nothing queues, and whoever was
held back looks again by itself.
Deliberately unaware of endpoints, headers and errors (``raw``).
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

from chimera.trading.money import MINUTE_MS, Millis
from chimera.trading.rates import Lane, Metered, RateLimit, RateUse
from chimera.trading.value import Value

WEIGHT_1M: Final = RateLimit(counts=Metered.WEIGHT, span_ms=MINUTE_MS, most=2_400)
ORDERS_10S: Final = RateLimit(counts=Metered.ORDERS, span_ms=10_000, most=300)
ORDERS_1M: Final = RateLimit(counts=Metered.ORDERS, span_ms=MINUTE_MS, most=1_200)
FALLBACK: Final = (WEIGHT_1M, ORDERS_10S, ORDERS_1M)  # USD-M production (reference 7.1), until exchangeInfo was read
MARGIN_MS: Final = 1_000  # windows are longer by so much: what left late and arrived early is in one window there
CLOCK_MS: Final = 1_000  # the venue's intervals begin so much later for us: we know its clock by a round trip
SLOTS: Final = 50
BOOKED: Final = 2  # placements that follow an entry for certain: its stop and its target
EXPECTED_SHARE: Final = 4  # of the orders at most one in so many is kept for what rests: closes must find room, too
TRICKLE_MS: Final = 1_000
SLOWEST_TRICKLE_MS: Final = 8_000  # nine tries in a minute; the venue's patience is not documented
LIMITED_MS: Final = 5_000  # where a refusal names no time: at least so long, and to the end of the venue's minute
THROTTLED_MS: Final = 2_000  # after -1008 (reliability B11): entries rest
GIVES_WAY_MS: Final = 2_000  # a higher lane that was held back so lately goes first

_LANES: Final = tuple(Lane)
_PLACE: Final = {lane: place for place, lane in enumerate(_LANES)}
_BOOKED_FOR: Final = (Lane.PROTECT, Lane.TARGET)
_PAUSED: Final = frozenset({Lane.SIGHT, Lane.QUERY, Lane.OPEN})
CEILING: Final[dict[Metered, dict[Lane, Decimal]]] = {
    Metered.WEIGHT: {
        Lane.PROTECT: Decimal(1),
        Lane.CANCEL: Decimal("0.95"),
        Lane.CLOSE: Decimal("0.9"),
        Lane.TARGET: Decimal("0.9"),
        Lane.SIGHT: Decimal("0.9"),  # a placement weighs nothing: what closes loses nothing by it
        Lane.QUERY: Decimal("0.8"),
        Lane.OPEN: Decimal("0.6"),
    },
    Metered.ORDERS: {  # an entry counts three times here, for what it books
        Lane.PROTECT: Decimal(1),
        Lane.CANCEL: Decimal("0.95"),
        Lane.CLOSE: Decimal("0.9"),
        Lane.TARGET: Decimal("0.9"),
        Lane.SIGHT: Decimal("0.85"),
        Lane.QUERY: Decimal("0.8"),
        Lane.OPEN: Decimal("0.75"),
    },
}


class Moment(Value):
    """``mono_ms`` counts on; ``venue_ms`` is the venue's UTC clock as we know it, which cuts its intervals."""

    mono_ms: int
    venue_ms: int


class Cost(Value):
    """Request weight, and placements."""

    weight: int = 0
    orders: int = 0

    def of(self, counted: Metered) -> int:
        return self.weight if counted is Metered.WEIGHT else self.orders


class Held(Value):
    """It may not leave. ``wait_ms``: when it is worth looking again."""

    why: str
    wait_ms: Millis


class Meter:
    """One limit: what we sent in a sliding window, by lane, and what the venue counts in its running interval.

    The window is made of slots and a little too long, so the sum is never too small. The venue counts in fixed
    intervals and counts others on this address too: its word holds to the end of its interval, with our own since. When
    that is, is known by an estimate of its clock; a count of the old interval, taken for the new one's, would hold us
    back for a whole interval more. So its word holds ``CLOCK_MS`` longer, and counts of before are of the old one.
    """

    def __init__(self, limit: RateLimit, share: Decimal) -> None:
        self.limit = limit
        self._share = share
        self._slot_ms = limit.span_ms // SLOTS
        self._slots = 1 + SLOTS + -(-MARGIN_MS // self._slot_ms)
        self._ring = [[0] * len(_LANES) for _ in range(self._slots)]
        self._sums = [0] * len(_LANES)
        self._bookings = [0] * self._slots  # what the entries of each slot still need for their stops and targets
        self._newest = 0
        self._interval = 0
        self._heard = 0

    def allow(self, most: int) -> None:
        """The venue names its limit."""
        self.limit = self.limit.but(most=most)

    def room(self, lane: Lane, cost: int, at: Moment, expected: int = 0) -> bool:
        """Whether ``cost`` more of this lane stays below its ceilings, with ``expected`` stops still to come."""
        self._turn(at)
        ours = sum(self._sums)
        booked = 0 if lane in _BOOKED_FOR else sum(self._bookings)
        if lane is Lane.OPEN and self.limit.counts is Metered.ORDERS:
            cost += BOOKED * cost
        if ours + booked + cost > self.ceiling(lane):
            return False
        if lane is not Lane.PROTECT and self.limit.counts is Metered.ORDERS:
            booked += min(expected, self.limit.most // EXPECTED_SHARE)
        return max(self._heard, ours) + booked + cost <= int(self.limit.most * CEILING[self.limit.counts][lane])

    def count(self, lane: Lane, cost: int, at: Moment) -> None:
        """It leaves."""
        self._turn(at)
        place = _PLACE[lane]
        self._ring[self._newest % self._slots][place] += cost
        self._sums[place] += cost
        self._heard += cost
        if self.limit.counts is Metered.ORDERS:
            self._book(lane, cost)

    def hear(self, used: int, at: Moment) -> None:
        """The venue's count in its running interval."""
        self._turn(at)
        self._heard = max(self._heard, used)

    def ceiling(self, lane: Lane) -> int:
        """How much all of us may have used when this lane sends: protection may take the venue's whole limit."""
        share = Decimal(1) if lane is Lane.PROTECT else self._share
        return int(self.limit.most * share * CEILING[self.limit.counts][lane])

    def look_again_ms(self, at: Moment) -> int:
        """A tenth of the window, or when the venue's word is over where that comes sooner."""
        return min(self.limit.span_ms // 10, self.limit.span_ms - (at.venue_ms - CLOCK_MS) % self.limit.span_ms)

    def left_ms(self, at: Moment) -> int:
        """Until the venue's running interval, whichever it is near an edge, is surely over."""
        return self.limit.span_ms - at.venue_ms % self.limit.span_ms + CLOCK_MS

    def interval_of(self, at: Moment) -> int:
        """The venue's, by its number; the next one's when it has surely begun."""
        return (at.venue_ms - CLOCK_MS) // self.limit.span_ms

    def use(self, at: Moment) -> RateUse:
        self._turn(at)
        return RateUse(
            limit=self.limit,
            used=max(sum(self._sums), self._heard),
            ours=dict(zip(_LANES, self._sums, strict=True)),
            ceiling={lane: self.ceiling(lane) for lane in _LANES},
        )

    def _book(self, lane: Lane, cost: int) -> None:
        """An entry books what follows it; a stop or target takes the oldest bookings, where there are any."""
        if lane is Lane.OPEN:
            self._bookings[self._newest % self._slots] += BOOKED * cost
        elif lane in _BOOKED_FOR:
            for slot in range(self._newest + 1, self._newest + 1 + self._slots):
                taken = min(cost, self._bookings[slot % self._slots])
                self._bookings[slot % self._slots] -= taken
                cost -= taken

    def _turn(self, at: Moment) -> None:
        """Let go of the slots that have left the window; a monotonic clock that went back changes nothing."""
        newest = at.mono_ms // self._slot_ms
        for slot in range(max(self._newest + 1, newest - self._slots + 1), newest + 1):
            gone = self._ring[slot % self._slots]
            for place, count in enumerate(gone):
                self._sums[place] -= count
                gone[place] = 0
            self._bookings[slot % self._slots] = 0
        self._newest = max(self._newest, newest)
        interval = self.interval_of(at)
        if interval != self._interval:
            self._interval, self._heard = interval, 0


class Governor:
    """The limits of one address and account. ``share`` (0 to 1): how much of them is ours, protection apart.

    ``limits``: which there are, the weight of a minute first.
    """

    def __init__(self, share: Decimal = Decimal(1), limits: Sequence[RateLimit] = FALLBACK) -> None:
        self._meters = [Meter(limit, share) for limit in limits]
        self._banned_until = 0
        self._limited_since = self._limited_until = 0
        self._trickle_at, self._trickle_ms = 0, TRICKLE_MS
        self._throttled_until = 0
        self._held_at: dict[Lane, int] = {}
        self._expected = 0

    def learn(self, limits: Iterable[RateLimit]) -> None:
        """What the venue says its limits are; kinds and spans that we do not know are left alone."""
        for told in limits:
            for meter in self._meters:
                if (meter.limit.counts, meter.limit.span_ms) == (told.counts, told.span_ms) and told.most > 0:
                    meter.allow(told.most)

    def expect(self, stops: int) -> None:
        """So many positions may need a stop at any moment: their entries rest, or have filled just now."""
        self._expected = stops

    def ask(self, lane: Lane, cost: Cost, at: Moment) -> Held | None:
        """None: it leaves in this step, and is counted. Otherwise why not, and nothing changed."""
        held = self.objection(lane, cost, at)
        if held is not None:
            self._held_at[lane] = at.mono_ms
            return held
        for meter in self._meters:
            meter.count(lane, cost.of(meter.limit.counts), at)
        if at.mono_ms < self._limited_until:
            self._trickle_at = at.mono_ms + self._trickle_ms
        return None

    def objection(self, lane: Lane, cost: Cost, at: Moment) -> Held | None:
        """What holds such a request back now; None: nothing. Counts nothing."""
        left = self.banned_ms(at)
        if left:
            return Held(why="the venue has banned this address", wait_ms=left)
        if at.mono_ms < self._limited_until:
            held = self._trickled(lane, at)
            if held is not None:
                return held
        if lane is Lane.OPEN and cost.orders and at.mono_ms < self._throttled_until:
            return Held(why="the venue throttles entries", wait_ms=Millis(self._throttled_until - at.mono_ms))
        for meter in self._meters:
            mine = cost.of(meter.limit.counts)
            entry = lane is Lane.OPEN and cost.orders > 0  # asked by every meter: what follows it needs them all
            if (mine or entry) and not meter.room(lane, mine, at, self._expected):
                return Held(why=_full(meter, lane, at), wait_ms=Millis(meter.look_again_ms(at)))
        return None

    def hear(self, used: Sequence[int | None], sent: Moment, at: Moment) -> None:
        """The venue's own counts, in the order of the limits, in the answer to what left at ``sent``."""
        for meter, count in zip(self._meters, used, strict=True):
            if count is not None and meter.interval_of(sent) == meter.interval_of(at):  # else it is of which?
                meter.hear(count, at)

    def taken(self, sent_ms: int) -> None:
        """A request that left at ``sent_ms`` (monotonic) was taken: the trickle need not be slower."""
        if sent_ms >= self._limited_since:
            self._trickle_ms = TRICKLE_MS

    def limited(self, wait_ms: int | None, sent_ms: int, at: Moment) -> None:
        """The venue refused for haste (429, -1003, -1015); ``wait_ms`` is its Retry-After."""
        wait_ms = max(LIMITED_MS, self._meters[0].left_ms(at)) if wait_ms is None else max(wait_ms, TRICKLE_MS)
        if at.mono_ms >= self._limited_until:
            self._limited_since, self._trickle_ms = at.mono_ms, TRICKLE_MS
        elif sent_ms >= self._limited_since:  # not one of those that were under way already
            self._trickle_ms = min(2 * self._trickle_ms, SLOWEST_TRICKLE_MS)
        self._limited_until = max(self._limited_until, at.mono_ms + wait_ms)
        self._trickle_at = at.mono_ms + self._trickle_ms

    def banned(self, wait_ms: int, at: Moment) -> None:
        """418: every further request lengthens it."""
        self._banned_until = max(self._banned_until, at.mono_ms + wait_ms)

    def throttled(self, at: Moment) -> None:
        """-1008: the venue sheds what does not reduce."""
        self._throttled_until = at.mono_ms + THROTTLED_MS

    def banned_ms(self, at: Moment) -> Millis:
        """How long nothing may leave; 0: it may."""
        return Millis(max(self._banned_until - at.mono_ms, 0))

    def uses(self, at: Moment) -> tuple[RateUse, ...]:
        return tuple(meter.use(at) for meter in self._meters)

    def _trickled(self, lane: Lane, at: Moment) -> Held | None:
        if lane in _PAUSED:
            return Held(why="the venue asks for patience", wait_ms=Millis(self._limited_until - at.mono_ms))
        wait_ms = self._trickle_at - at.mono_ms
        if wait_ms <= 0 and self._gives_way(lane, at):
            wait_ms = GIVES_WAY_MS
        if wait_ms <= 0:
            return None
        return Held(why="the venue asks for patience: one at a time", wait_ms=Millis(wait_ms))

    def _gives_way(self, lane: Lane, at: Moment) -> bool:
        """Whether a more urgent lane was held back just now and will be here again."""
        higher = _LANES[: _PLACE[lane]]
        return any(at.mono_ms - self._held_at[each] < GIVES_WAY_MS for each in higher if each in self._held_at)


def _full(meter: Meter, lane: Lane, at: Moment) -> str:
    use, limit = meter.use(at), meter.limit
    words = f"{limit.counts.lower()} of {limit.most} in {limit.span_ms // 1000} s"
    return f"{use.used} used of {words}; {lane} stops at {use.ceiling[lane]}"
