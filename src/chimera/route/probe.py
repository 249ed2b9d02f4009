"""The liquidity probe: what a book would cost, whether it is as it was in the last hour, and what a child does then.

Costs are told too low rather than too high: what goes beyond the known levels is priced at the last of them. ``judge``
is asked before each child of a plan (S4-ROUTE-7, S4-ROUTE-8, S4-ROUTE-9); exits are never asked about. Slippage is
positive when it costs.
"""

from decimal import Decimal
from typing import Final

from chimera.route.schedule import least_qty
from chimera.trading.execution import Plan
from chimera.trading.instrument import Instrument
from chimera.trading.liquidity import Book, Hour, Liquidity
from chimera.trading.market import Side
from chimera.trading.money import BPS, MINUTE_MS, ZERO, Price, Qty, Quote, text
from chimera.trading.value import Value

MINUTES: Final = 60
READINGS_MIN: Final = 60  # fewer are no hour

_SHOWN: Final = Decimal("0.01")


class HourMean:
    """A rolling mean over sixty minutes in sixty buckets: neither memory nor time grows with the readings."""

    def __init__(self) -> None:
        self._buckets: list[tuple[int, Decimal, int]] = [(-MINUTES, ZERO, 0)] * MINUTES  # minute, sum, count

    def take(self, at_ms: int, value: Decimal) -> None:
        """One reading; each weighs the same, in whichever minute it came."""
        minute = at_ms // MINUTE_MS
        known, total, count = self._buckets[minute % MINUTES]
        if known > minute:
            return  # a clock that was set back: its hour is not this one
        self._buckets[minute % MINUTES] = (minute, total + value, count + 1) if known == minute else (minute, value, 1)

    def mean(self, now_ms: int) -> Decimal | None:
        """None below ``READINGS_MIN`` readings in the hour that ends with this minute."""
        oldest = now_ms // MINUTE_MS - MINUTES
        fresh = [(total, count) for minute, total, count in self._buckets if minute > oldest]
        count = sum(many for _, many in fresh)
        return sum((total for total, _ in fresh), ZERO) / count if count >= READINGS_MIN else None


class LastHour:
    """Spread and depth of one symbol as they usually are."""

    def __init__(self) -> None:
        self._spread, self._depth = HourMean(), HourMean()

    def take(self, at_ms: int, book: Book) -> None:
        self._spread.take(at_ms, book.spread_bps)
        self._depth.take(at_ms, min(depth_top1(book, side) for side in Side))

    def now(self, now_ms: int) -> Hour | None:
        spread, depth = self._spread.mean(now_ms), self._depth.mean(now_ms)
        return None if spread is None or depth is None else Hour(spread_bps=spread, depth=Quote(depth))


class Go(Value):
    """Send so much of it; ``limit`` None: at market. ``why`` is empty where nothing was in the way."""

    qty: Qty
    limit: Price | None = None
    why: str = ""


class Wait(Value):
    """Send nothing yet."""

    ms: int
    why: str


def depth_top1(book: Book, side: Side) -> Quote:
    """Quote asset at the touch that an order of this side takes."""
    best = book.taken_by(side)[0]
    return Quote(best.price * best.qty)


def slippage_bps(book: Book, side: Side, qty: Decimal) -> Decimal:
    """What taking ``qty`` (> 0) would cost against the mid, half the spread included; at least that."""
    left, paid, price = qty, ZERO, book.mid
    for price, there in book.levels(side):
        taken = min(left, there)
        paid += price * taken
        left -= taken
        if not left:
            break
    vwap = (paid + price * left) / qty
    return (vwap - book.mid) / book.mid * BPS * side.sign


def within(book: Book, side: Side, bps: Decimal) -> Qty:
    """How much the known book gives at a mean price no worse than this against the mid."""
    limit = book.mid * (1 + side.sign * bps / BPS)
    got, paid = ZERO, ZERO
    for price, there in book.levels(side):
        apart = (price - limit) * side.sign
        if apart <= 0:
            got, paid = got + there, paid + price * there
            continue
        room = (limit * got - paid) * side.sign  # what the better levels leave for this one
        got += min(there, room / apart)
        if room < there * apart:
            break
        paid += price * there
    return Qty(got)


def bound(book: Book, side: Side, bps: Decimal, instrument: Instrument) -> Price:
    """The worst price of a child in a poor market: so far from the mid, but never short of the touch it takes."""
    edge, touch = book.mid * (1 + side.sign * bps / BPS), book.taken_by(side)[0].price
    if side is Side.BUY:
        return max(instrument.price_at_or_below(edge), touch)
    return min(instrument.price_at_or_above(edge), touch)


def judge(
    side: Side, qty: Qty, book: Book, plan: Plan, instrument: Instrument, *, taking: bool, waited_ms: int, shrunk: int
) -> Go | Wait:
    """What to do with a child of ``qty`` now. ``waited_ms``: by the whole intent; ``shrunk``: in this slice."""
    terms = plan.liquidity
    if terms is None:
        return _held_to(plan.worst_price, Go(qty=qty), side, taking=taking)
    wide = book.spread_bps > terms.spread_max_bps
    if wide and terms.postpone_ms and waited_ms + terms.postpone_ms <= terms.postpone_max_ms:
        return Wait(ms=terms.postpone_ms, why=f"postponed {terms.postpone_ms} ms: {_too_wide(book, terms)}")
    if not taking:
        return Go(qty=qty)
    poor = _poor(side, qty, book, terms)
    if wide:
        poor = (*poor, _too_wide(book, terms))
    if not poor:
        return _held_to(plan.worst_price, Go(qty=qty), side, taking=True)
    limit, why = bound(book, side, terms.slip_max_bps, instrument), "; ".join(poor)
    part = _part(side, qty, book, terms, instrument) if shrunk < terms.shrinks else qty
    told = f"cut from {text(qty)} to {text(part)}" if part < qty else "sent as a limit order"
    sent = Go(qty=part, limit=limit, why=f"{told} at {text(limit)}: {why}")
    return _held_to(plan.worst_price, sent, side, taking=True)


def _poor(side: Side, qty: Qty, book: Book, terms: Liquidity) -> tuple[str, ...]:
    """Why this much should not simply be taken."""
    found = []
    depth, slip = depth_top1(book, side), slippage_bps(book, side, qty)
    if depth < terms.depth_min and qty > book.taken_by(side)[0].qty:
        found.append(f"depth {depth:.0f} at the touch is below {terms.depth_min:.0f}")
    if slip > terms.slip_max_bps:
        found.append(f"it would cost {_bps(slip)} bps, above {_bps(terms.slip_max_bps)}")
    return tuple(found)


def _part(side: Side, qty: Qty, book: Book, terms: Liquidity, instrument: Instrument) -> Qty:
    """As much as the market bears, where that and what stays are both legal orders; else all of it."""
    bears = within(book, side, terms.slip_max_bps)
    if depth_top1(book, side) < terms.depth_min:
        bears = min(bears, book.taken_by(side)[0].qty)
    if bears >= qty:
        return qty
    least = least_qty(instrument, book.mid, reduces=False)
    part = instrument.floor_to_step(min(bears, qty - least))
    return part if part >= least else qty


def _held_to(worst: Price | None, go: Go, side: Side, *, taking: bool) -> Go:
    """With the plan's own worst price, where that is tighter."""
    if worst is None or not taking:
        return go
    if go.limit is None or (go.limit - worst) * side.sign > 0:
        return go.but(limit=worst)
    return go


def _too_wide(book: Book, terms: Liquidity) -> str:
    return f"spread {_bps(book.spread_bps)} bps is above {_bps(terms.spread_max_bps)}"


def _bps(amount: Decimal) -> str:
    return text(amount.quantize(_SHOWN))
