"""The best way to trade an admitted intent: its slices, its waits, its bounds, and why. Immutable once made.

A function of its arguments: the jitter is drawn from the intent's id. The request's own words win over the table and
its curves, a row of the table over what the fees say (``by_fees``), and all are capped. What the probe has read becomes
terms of the plan, which each child is held to.
"""

from decimal import Decimal
from itertools import pairwise

from chimera.route.by_fees import by_fees
from chimera.route.curves import refined_wait
from chimera.route.probe import depth_top1, slippage_bps
from chimera.route.schedule import Spread, schedule, slices_for
from chimera.trading.execution import Maker, Plan, Slice
from chimera.trading.instrument import Instrument
from chimera.trading.intent import Intent, MakerThenTaker, MarketNow, OrderList, StopAlone
from chimera.trading.liquidity import Book, Hour, Liquidity
from chimera.trading.market import Side, Touch
from chimera.trading.money import BPS, Millis, Price, Quote, text
from chimera.trading.routes import Curves, RouteTable, Row, Shape, Terms, Twap
from chimera.trading.value import Value
from chimera.trading.venue import FeeRates


class RoutePolicy(Value):
    """Caps on whatever table and caller ask for."""

    maker_max_wait_ms: int = 3000
    bare_rest_ms: int = 1_000  # of a slice that reduces on spot, chase included: what rests there has no stop
    twap_max_slices: int = 4
    patience_ms: int = 10_000  # beyond the schedule
    slack_ms: int = 60_000  # how far late slices may move the deadline


class Sight(Value):
    """What the probe sees of the market when a plan is made; any of it may be missing."""

    touch: Touch | None = None
    book: Book | None = None
    hour: Hour | None = None

    @property
    def seen(self) -> Book | None:
        """The book, or as much of one as the touch is."""
        return self.book or (None if self.touch is None else Book.of(self.touch))


UNSEEN = Sight()
_WHOLE = Twap(slices=1, gap_ms=0)


class _Wish(Value):
    """Waits and slices before they are capped, and the terms they go by."""

    wait_ms: int
    spread: Spread
    terms: Terms
    why: tuple[str, ...]


def plan_for(
    intent: Intent,
    table: RouteTable,
    instrument: Instrument,
    price: Price,
    policy: RoutePolicy,
    fees: FeeRates,
    now_ms: Millis,
    *,
    sight: Sight = UNSEEN,
    curves: Curves | None = None,
) -> Plan:
    """``intent.qty`` is a multiple of the step; ``fees`` are what this account pays.

    Slices that the venue's minimum would refuse are merged: fewer, larger, still summing to exactly the quantity.
    """
    if isinstance(intent.policy, StopAlone):
        told = "a stop on its own: it moves the stop of the position and trades nothing"
        return Plan(slices=(Slice(qty=intent.qty),), deadline_ms=now_ms, why=(told,))
    bare_ms = policy.bare_rest_ms if intent.reduce_only and not intent.market.reduces_only else None
    wish = _capped(_wished(intent, table, price, policy, fees, sight, curves), policy, bare_ms)
    terms = wish.terms
    slices = schedule(intent.qty, wish.spread, instrument, price, seed=intent.intent_id, reduces=intent.reduce_only)
    why = [*wish.why, *_told(slices, wish.spread)]
    maker, cut = _maker(wish.wait_ms, slices, terms, bare_ms)
    liquidity, probed = _liquidity(intent, sight, terms)
    worst = _worst(intent, instrument, price, terms)
    if worst is not None:
        why.append(f"no worse than {text(worst)}: the band around {text(price)}")
    deadline = now_ms + slices[-1].after_ms + maker.wait_ms + maker.chase_ms + policy.patience_ms
    if intent.valid_until_ms is not None and not intent.reduce_only:
        deadline = min(deadline, intent.valid_until_ms)
    return Plan(
        slices=slices,
        deadline_ms=Millis(deadline),
        maker=maker,
        worst_price=worst,
        liquidity=liquidity,
        slack_ms=policy.slack_ms,
        why=(*why, *cut, *probed),
    )


def _wished(
    intent: Intent,
    table: RouteTable,
    price: Price,
    policy: RoutePolicy,
    fees: FeeRates,
    sight: Sight,
    curves: Curves | None,
) -> _Wish:
    match intent.policy:
        case MarketNow() | OrderList() | StopAlone():
            name = "OCO" if isinstance(intent.policy, OrderList) else "MARKET"
            told = f"policy {name}: take at once"
            return _Wish(wait_ms=0, spread=Spread(slices=1, gap_ms=0), terms=table.terms, why=(told,))
        case MakerThenTaker() as asked:
            notional = Quote(intent.qty * price)
            row = table.row_for(intent.market, notional)
            wait_ms, twap, terms, why = _by_fees(table, fees, policy) if row is None else _by_row(row, table, notional)
            if given := _named(asked):
                why.append(f"the request's own {', '.join(given)} wins")
            if asked.wait_ms is not None:
                wait_ms = asked.wait_ms
            elif curves is not None:
                wait_ms, told = _refined(wait_ms, curves, notional, intent.side, sight)
                why.append(told)
            spread, sized = _spread(asked, twap, terms, notional)
            return _Wish(wait_ms=wait_ms, spread=spread, terms=terms, why=(*why, *sized))


def _by_row(row: Row, table: RouteTable, notional: Quote) -> tuple[int, Twap, Terms, list[str]]:
    told = f"route table rev {table.rev}: notional {notional:.2f} falls under {row.notional_usdt_max}"
    return row.maker_wait_ms, row.twap, table.terms, [told]


def _by_fees(table: RouteTable, fees: FeeRates, policy: RoutePolicy) -> tuple[int, Twap, Terms, list[str]]:
    said = by_fees(fees, policy.maker_max_wait_ms, table.terms)
    return said.wait_ms, _WHOLE, said.terms, [f"route table rev {table.rev} has no row for it", said.why]


def _refined(wait_ms: int, curves: Curves, notional: Quote, side: Side, sight: Sight) -> tuple[int, str]:
    book = sight.seen
    return refined_wait(
        wait_ms,
        curves,
        notional=notional,
        spread_bps=None if book is None else book.spread_bps,
        depth=None if book is None else depth_top1(book, side),
    )


def _spread(asked: MakerThenTaker, twap: Twap, terms: Terms, notional: Quote) -> tuple[Spread, tuple[str, ...]]:
    """The request's own words over the table's."""
    size = asked.slice_usdt or (twap.slice_usdt if asked.slices is None else None)
    count = asked.slices or twap.slices
    sized: tuple[str, ...] = ()
    if size is not None:
        count = slices_for(notional, size)
        sized = (f"slices of {text(size)} USDT: {count}",)
    spread = Spread(
        slices=count,
        gap_ms=twap.gap_ms if asked.gap_ms is None else asked.gap_ms,
        shape=asked.shape or twap.shape,
        time_jitter=terms.time_jitter,
        size_jitter=terms.size_jitter,
    )
    return spread, sized


def _named(asked: MakerThenTaker) -> list[str]:
    named = {
        "maker_wait_ms": asked.wait_ms,
        "twap.slices": asked.slices,
        "twap.slice_usdt": asked.slice_usdt,
        "twap.gap_ms": asked.gap_ms,
        "twap.curve": asked.shape,
    }
    return [name for name, value in named.items() if value is not None]


def _capped(wish: _Wish, policy: RoutePolicy, bare_ms: int | None) -> _Wish:
    why = list(wish.why)
    wait_ms, spread = wish.wait_ms, wish.spread
    if wait_ms > policy.maker_max_wait_ms:
        why.append(f"maker_wait_ms {wait_ms} capped to {policy.maker_max_wait_ms}")
        wait_ms = policy.maker_max_wait_ms
    if bare_ms is not None and wait_ms > bare_ms:
        why.append(f"maker_wait_ms {wait_ms} capped to {bare_ms}: on spot what rests to be sold has no stop meanwhile")
        wait_ms = bare_ms
    if spread.slices > policy.twap_max_slices:
        why.append(f"slices {spread.slices} capped to {policy.twap_max_slices}")
        spread = spread.but(slices=policy.twap_max_slices)
    return wish.but(wait_ms=wait_ms, spread=spread, why=tuple(why))


def _told(slices: tuple[Slice, ...], spread: Spread) -> list[str]:
    why = []
    if len(slices) < spread.slices:
        why.append(f"slices {spread.slices} merged to {len(slices)}: each must reach the venue's minimum")
    if len(slices) > 1 and spread.shape is not Shape.EQUAL:
        why.append(f"slices grow: curve {spread.shape}")
    return why


def _maker(wait_ms: int, slices: tuple[Slice, ...], terms: Terms, bare_ms: int | None) -> tuple[Maker, tuple[str, ...]]:
    """Waiting and chasing of a slice end before the next begins, and within ``bare_ms``."""
    if not wait_ms:
        return Maker(theta=terms.theta), ()
    room = min((later.after_ms - part.after_ms for part, later in pairwise(slices)), default=None)
    cut: tuple[str, ...] = ()
    if room is not None and wait_ms > room:
        cut = (f"maker_wait_ms {wait_ms} cut to the gap {room}",)
        wait_ms = room
    bounds = [most - wait_ms for most in (room, bare_ms) if most is not None]
    chase_ms = min(terms.chase_ms, *bounds) if bounds else terms.chase_ms
    maker = Maker(
        wait_ms=wait_ms,
        reprices=terms.reprices if wait_ms else 0,
        inside_bps=terms.inside_bps,
        theta=terms.theta,
        chase_ms=chase_ms,
    )
    return maker, cut


def _liquidity(intent: Intent, sight: Sight, terms: Terms) -> tuple[Liquidity | None, tuple[str, ...]]:
    """What the last hour and the settings call poor. Nothing holds back what reduces, and nothing delays MARKET."""
    if intent.reduce_only:
        return None, ("it reduces: no liquidity terms",)
    hour = sight.hour
    usual = terms.spread_max_bps if hour is None else terms.spread_factor * hour.spread_bps
    spread_max = min(terms.spread_max_bps, usual)
    held_to = Liquidity(
        spread_max_bps=spread_max,
        depth_min=Quote(Decimal(0) if hour is None else terms.depth_share * hour.depth),
        slip_max_bps=terms.slip_max_bps,
        postpone_ms=0 if isinstance(intent.policy, MarketNow | OrderList) else terms.postpone_ms,
        postpone_max_ms=terms.postpone_max_ms,
    )
    return held_to, _probed(intent, sight, held_to)


def _probed(intent: Intent, sight: Sight, terms: Liquidity) -> tuple[str, ...]:
    book = sight.seen
    if book is None:
        return ("probe: no book is seen",)
    depth, slip = depth_top1(book, intent.side), slippage_bps(book, intent.side, intent.qty)
    known = "" if book.whole else ", from the touch alone"
    mean = "not known yet" if sight.hour is None else f"{sight.hour.spread_bps:.2f}"
    return (
        f"probe: spread {book.spread_bps:.2f} bps (its hour's mean {mean}, bound {terms.spread_max_bps:.2f}), "
        f"{depth:.0f} at the touch, all at once about {slip:.2f} bps (bound {text(terms.slip_max_bps)}){known}",
    )


def _worst(intent: Intent, instrument: Instrument, price: Price, terms: Terms) -> Price | None:
    """The price band of an entry, rounded to its inner side."""
    if terms.band_bps is None or intent.reduce_only:
        return None
    edge = price * (1 + intent.side.sign * terms.band_bps / BPS)
    return instrument.price_at_or_below(edge) if intent.side.sign > 0 else instrument.price_at_or_above(edge)
