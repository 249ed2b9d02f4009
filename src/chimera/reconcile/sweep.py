"""The account as a whole, as the venue lists it, against the union of all holdings (S4-REC-2).

Pure comparison: it names what does not fit and which owners should look again. It orders nothing, so it can bare
nothing: whether an order goes is decided by the owner of its position, who keeps the stop that is the only one.
News younger than the question count neither for nor against: an order is compared only where we thought the same of it
before the question and after the answer. A flat reading is never acted upon (B26): the owner's surveys judge it.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final

from chimera.reconcile.external import ExternalOrders, Name
from chimera.reconcile.survey import LISTING_LAG_MS
from chimera.trading.events import Alert, Severity
from chimera.trading.execution import Phase
from chimera.trading.holding import Holding
from chimera.trading.ids import Symbol, child_of
from chimera.trading.money import Millis
from chimera.trading.order import OPEN, Role
from chimera.trading.value import Value
from chimera.trading.venue import AccountSnapshot, VenueOrder, VenuePosition

LATE_MS: Final = 5_000  # past its deadline; its owner's timer cancels it at once
LOOKS: Final = 2  # in a row: what passes by itself between two looks is nobody's news
LONGEST_LIST: Final = 5  # names in one alert

Holdings = Mapping[Symbol, Holding]


class SweepPolicy(Value):
    """How often the account is looked at as a whole, and what is made of it."""

    every_ms: int = 60_000
    jaccard: Decimal = Decimal("0.9")
    fewest: int = 5  # orders compared; below that one order's news, still on its way, is too large a share
    external: ExternalOrders = ExternalOrders.ADOPT
    doubt_alert_ms: int = 60_000


class Sweep(Value):
    """What one look found. ``ask``: whose owners should ask the venue; ``tick``: whose should look at the time."""

    jaccard: Decimal
    compared: int  # orders in the union
    low: bool
    orphans: tuple[VenueOrder, ...]  # ours by their id, open, and no holding knows them or thinks them open
    missing: tuple[Name, ...]  # we think they rest; the venue does not list them
    expired: tuple[Name, ...]  # makers that rest past their time
    doubles: tuple[Name, ...]  # stops beyond the first, of one position
    gaps: tuple[Symbol, ...]  # the venue shows another position
    ownerless: tuple[VenuePosition, ...]  # positions on symbols that nobody here owns
    ask: tuple[Symbol, ...]
    tick: tuple[Symbol, ...]


def compare(before: Holdings, now: Holdings, snapshot: AccountSnapshot, policy: SweepPolicy) -> Sweep:
    """``before``: the holdings as the question was asked; ``now``: as the answer came."""
    listed = {(order.symbol, order.ref): order for order in snapshot.orders if child_of(order.ref)}
    ours = _thought_open(before) & _thought_open(now)
    orphans = tuple(order for name, order in listed.items() if _orphan(name, before, now, snapshot.asked_ms))
    theirs = {name for name in listed if name in ours} | {(order.symbol, order.ref) for order in orphans}
    union = len(ours | theirs)
    share = Decimal(len(ours & theirs)) / union if union else Decimal(1)
    low = union >= policy.fewest and share < policy.jaccard
    missing = tuple(sorted(ours - theirs))
    gaps = tuple(_gaps(before, now, snapshot))
    expired, doubles = tuple(_expired(ours, now, snapshot)), tuple(_doubles(ours, now))
    differ = {*(order.symbol for order in orphans), *(symbol for symbol, _ in missing), *gaps}
    late = {symbol for symbol, _ in (*expired, *doubles)}
    return Sweep(
        jaccard=share,
        compared=union,
        low=low,
        orphans=orphans,
        missing=missing,
        expired=expired,
        doubles=doubles,
        gaps=gaps,
        ownerless=tuple(held for held in snapshot.positions if held.symbol not in now),
        ask=tuple(symbol for symbol in now if low or symbol in differ),
        tick=tuple(symbol for symbol in now if symbol in late and not (low or symbol in differ)),
    )


def _thought_open(holdings: Holdings) -> set[Name]:
    return {
        (symbol, ref)
        for symbol, holding in holdings.items()
        for ref, order in holding.orders.items()
        if order.status in OPEN
    }


def _orphan(name: Name, before: Holdings, now: Holdings, asked_ms: Millis) -> bool:
    """Listed, and known to no holding; or known as ended long before the question."""
    symbol, ref = name
    known = [holdings[symbol].orders.get(ref) for holdings in (before, now) if symbol in holdings]
    orders = [order for order in known if order is not None]
    if not orders:
        return True
    return all(order.ended_ms is not None and order.ended_ms + LISTING_LAG_MS <= asked_ms for order in orders)


def _gaps(before: Holdings, now: Holdings, snapshot: AccountSnapshot) -> Iterator[Symbol]:
    """Where a trade has been counted meanwhile, or is still owed, the answer is older than our news."""
    held = {position.symbol: position.qty for position in snapshot.positions}
    for symbol, holding in now.items():
        known = before.get(symbol)
        if known is None or known.position is not holding.position:
            continue
        if holding.exposure == holding.position.qty != held.get(symbol, Decimal(0)):
            yield symbol


def _expired(ours: set[Name], now: Holdings, snapshot: AccountSnapshot) -> Iterator[Name]:
    for symbol, holding in now.items():
        for order in holding.in_role(Role.MAKER):
            working = holding.working_of(order)
            if (symbol, order.ref) not in ours:
                continue
            if working is None or working.phase is Phase.DONE:
                late_from = order.created_ms
            else:
                ends_ms = working.ends_ms(snapshot.asked_ms)
                late_from = min(ends_ms, working.rests_until_ms or ends_ms)
            if late_from + LATE_MS < snapshot.asked_ms:
                yield symbol, order.ref


def _doubles(ours: set[Name], now: Holdings) -> Iterator[Name]:
    """Incident 11: stops of one position pile up. While one replaces another there are two, for a moment."""
    for symbol, holding in now.items():
        stops = [order.ref for order in holding.in_role(Role.STOP) if (symbol, order.ref) in ours]
        yield from ((symbol, ref) for ref in stops[1:])


# ── what of it is news ──

Standing = tuple[str, str]  # code and what it is about


class Seen(Value):
    """How many looks in a row each thing has been found in."""

    looks: dict[Standing, int] = {}

    def after(self, found: Sweep) -> tuple["Seen", tuple[Alert, ...]]:
        """With this look, and the alerts of what has just stood for long enough; each once while it stands."""
        present = tuple(_standing(found))
        looks = {each: min(self.looks.get(each, 0) + 1, LOOKS + 1) for each in present}
        fresh = [each for each, looked in looks.items() if looked == _patience(each)]
        codes = dict.fromkeys(code for code, _ in fresh)
        alerts = [_alert(code, [about for of, about in fresh if of == code], found) for code in codes]
        return Seen(looks=looks), tuple(alerts)

    @property
    def told(self) -> tuple[Standing, ...]:
        """What there was an alert of, and still stands."""
        return tuple(each for each, looked in self.looks.items() if looked >= _patience(each))


_AT_ONCE: Final = ("JACCARD_LOW", "POSITION_WITHOUT_OWNER")


def _patience(each: Standing) -> int:
    """Looks in a row before it is told."""
    return 1 if each[0] in _AT_ONCE else LOOKS


def _standing(found: Sweep) -> Iterator[Standing]:
    if found.low:
        yield "JACCARD_LOW", ""
    yield from (("ORPHAN_ORDER", f"{order.symbol} {order.ref}") for order in found.orphans)
    yield from (("ORDER_NOT_LISTED", f"{symbol} {ref}") for symbol, ref in found.missing)
    yield from (("ORDER_OVERDUE", f"{symbol} {ref}") for symbol, ref in found.expired)
    yield from (("SECOND_STOP", f"{symbol} {ref}") for symbol, ref in found.doubles)
    yield from (("POSITION_WITHOUT_OWNER", str(held.symbol)) for held in found.ownerless)


def _alert(code: str, names: list[str], found: Sweep) -> Alert:
    about = ", ".join(names[:LONGEST_LIST]) + (", ..." if len(names) > LONGEST_LIST else "")
    if code == "JACCARD_LOW":
        orphans, missing = len(found.orphans), len(found.missing)
        about = (
            f"{found.jaccard:.2f} over {found.compared} orders: {orphans} not known here, {missing} not listed there;"
            " every owner asks the venue"
        )
    return Alert(severity=Severity.ERROR, code=code, text=about)
