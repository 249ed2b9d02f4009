"""The route table and the curves that refine it: how long to rest, into how many slices to cut, and on which terms.

Rows ascend by ``notional_usdt_max``; the first that covers an order decides, the last holds for every larger one. A
row may be of one market alone; where a market has none, the account's fees decide (``route.by_fees``). A curve gives a
factor for the table's wait by one measure of the order or the market.
"""

from collections.abc import Iterator
from decimal import Decimal
from enum import StrEnum

from chimera.trading.market import Market
from chimera.trading.money import ZERO, Quote
from chimera.trading.value import Value

REPRICES_MAX = 20
POINTS_MAX = 64  # of one curve
FACTOR_MAX = Decimal(100)


class Shape(StrEnum):
    """How a schedule's quantity is spread over its slices."""

    EQUAL = "equal"
    SQRT = "sqrt"  # slice i has a weight of the square root of i: small ones first


class Twap(Value, tag=False):
    """``slice_usdt`` sizes the slices and outranks their number: as many as the notional holds, rounded up."""

    slices: int
    gap_ms: int
    slice_usdt: Quote | None = None
    shape: Shape = Shape.EQUAL


class Row(Value, tag=False):
    """``market`` None: of both."""

    notional_usdt_max: Quote
    maker_wait_ms: int
    twap: Twap
    market: Market | None = None


class Terms(Value, tag=False):
    """How every plan of a table is traded, beyond its rows. Shares are from 0 to 1, times milliseconds.

    ``inside_bps`` is how much dearer than the touch a maker may rest, to be the first. ``theta`` decides at the end of
    its wait: so much of the slice filled, and the rest chases once by a tick. A spread above ``spread_max_bps``, or
    above ``spread_factor`` times its one-hour mean, postpones; a touch below ``depth_share`` of its one-hour mean, or a
    cost above ``slip_max_bps``, cuts and bounds.
    """

    theta: Decimal = Decimal("0.5")
    reprices: int = 3
    inside_bps: Decimal = Decimal(0)
    chase_ms: int = 500
    time_jitter: Decimal = Decimal("0.1")  # of a gap, each way; at most a half
    size_jitter: Decimal = Decimal("0.1")  # of a slice, each way
    band_bps: Decimal | None = None  # of the price at acceptance: no child goes beyond; None: no band
    slip_max_bps: Decimal = Decimal(50)
    spread_max_bps: Decimal = Decimal(50)
    spread_factor: Decimal = Decimal(2)
    depth_share: Decimal = Decimal("0.1")
    postpone_ms: int = 5_000
    postpone_max_ms: int = 15_000

    def faults(self) -> Iterator[str]:
        """What is out of range, with what is accepted."""
        ranges: dict[str, tuple[Decimal | int | None, int | str, int | str]] = {
            "theta": (self.theta, 0, 1),
            "reprices": (self.reprices, 0, REPRICES_MAX),
            "inside_bps": (self.inside_bps, 0, 100),
            "chase_ms": (self.chase_ms, 0, 60_000),
            "time_jitter": (self.time_jitter, 0, "0.5"),
            "size_jitter": (self.size_jitter, 0, "0.9"),
            "band_bps": (self.band_bps, 1, 10_000),
            "slip_max_bps": (self.slip_max_bps, 0, 10_000),
            "spread_max_bps": (self.spread_max_bps, 0, 10_000),
            "spread_factor": (self.spread_factor, 1, 1_000),
            "depth_share": (self.depth_share, 0, 1),
            "postpone_ms": (self.postpone_ms, 0, 60_000),
            "postpone_max_ms": (self.postpone_max_ms, 0, 600_000),
        }
        for name, (value, least, most) in ranges.items():
            if value is not None and not Decimal(least) <= value <= Decimal(most):
                yield f"terms.{name}: {least} to {most} is accepted, got {value}"


class RouteTable(Value, tag=False):
    """A revision of the table; ``rev`` appears in every plan's reasons."""

    rev: int
    rows: tuple[Row, ...]
    terms: Terms = Terms()

    def of(self, market: Market) -> tuple[Row, ...]:
        """Its rows, those of both markets among them."""
        return tuple(row for row in self.rows if row.market in (None, market))

    def row_for(self, market: Market, notional: Quote) -> Row | None:
        """None: there is none for this market."""
        rows = self.of(market)
        return next((row for row in rows if notional <= row.notional_usdt_max), rows[-1] if rows else None)

    def __post_init__(self) -> None:
        for market in Market:
            limits = [row.notional_usdt_max for row in self.of(market)]
            if limits != sorted(set(limits)):
                raise ValueError(f"rows: notional_usdt_max must ascend, got {[str(limit) for limit in limits]}")
        for number, row in enumerate(self.rows):
            twap = row.twap
            if row.maker_wait_ms < 0 or twap.slices < 1 or twap.gap_ms < 0:
                raise ValueError(
                    f"rows[{number}]: maker_wait_ms >= 0, twap.slices >= 1 and twap.gap_ms >= 0 are accepted"
                )
            if twap.slice_usdt is not None and twap.slice_usdt <= ZERO:
                raise ValueError(f"rows[{number}].twap.slice_usdt: above 0 is accepted, got {twap.slice_usdt}")
        for fault in self.terms.faults():
            raise ValueError(fault)


class Point(Value, tag=False, array_like=True):
    at: Decimal
    factor: Decimal


class Measures(Value, tag=False):
    """A curve by each measure; one that is absent does not count. Straight between its points, level beyond them."""

    notional_usdt: tuple[Point, ...] = ()
    spread_bps: tuple[Point, ...] = ()
    depth_usdt: tuple[Point, ...] = ()  # of the touch that would be taken


class Curves(Value, tag=False):
    """A revision of the curves of one route parameter: the table's value times each measure's factor."""

    rev: int
    by: Measures
    least_ms: int = 0
    most_ms: int | None = None


class WrongCurve(ValueError):
    """What is wrong with a curve, where, and what would do."""

    def __init__(self, field: str, value: object, accepted: str) -> None:
        super().__init__(f"{field}: {accepted} is accepted, got {value}")
        self.field = field
        self.value = value
        self.accepted = accepted


def check(curves: Curves) -> Curves:
    """The same curves; raises ``WrongCurve`` for the first that is wrong."""
    if curves.rev < 1:
        raise WrongCurve("rev", curves.rev, "a whole number >= 1")
    if curves.least_ms < 0:
        raise WrongCurve("least_ms", curves.least_ms, "a whole number >= 0")
    if curves.most_ms is not None and curves.most_ms < curves.least_ms:
        raise WrongCurve("most_ms", curves.most_ms, f"a whole number >= least_ms, {curves.least_ms}")
    for name in ("notional_usdt", "spread_bps", "depth_usdt"):
        _check_points(f"by.{name}", getattr(curves.by, name))
    return curves


def _check_points(field: str, points: tuple[Point, ...]) -> None:
    if len(points) > POINTS_MAX:
        raise WrongCurve(field, f"{len(points)} points", f"at most {POINTS_MAX} points")
    for number, point in enumerate(points):
        if not point.at.is_finite() or point.at < 0 or (number and point.at <= points[number - 1].at):
            raise WrongCurve(f"{field}[{number}][0]", point.at, "a number >= 0 above the point before it")
        if not point.factor.is_finite() or not 0 <= point.factor <= FACTOR_MAX:
            raise WrongCurve(f"{field}[{number}][1]", point.factor, f"a factor from 0 to {FACTOR_MAX}")
