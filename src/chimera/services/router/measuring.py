"""What S4's metrics are counted from: the events of one market's positions, rows of intents that ended, and answers.

Counts since the start, and what the last hour brought. Each event costs a few additions and no decoding; memory is
bounded; an end that is told again counts once. It knows no names of other services and sends nothing: ``telemetry``
puts the market beside the samples.

Not seen here: levels (breaker, barriers, cover, queues), which are read as they stand when somebody looks.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, TypeAlias, TypeVar

from chimera.admit.tallies import Shares
from chimera.ports.clock import Clock
from chimera.services.exposition import Recent, Sample, Spread
from chimera.trading.events import Alert, Event, FillRecorded, OrderChanged
from chimera.trading.fill import Fill
from chimera.trading.form import Form
from chimera.trading.ids import ClientOrderId, Symbol
from chimera.trading.market import Side
from chimera.trading.money import HOUR_MS, ZERO, Millis
from chimera.trading.order import Order, Role, Status

KEPT: Final = 2_000  # of each kind, and none for longer than an hour, whether anybody looks or not
FORGET_MS: Final = 600_000  # an entry that still has no stop then was closed, or covered by one that stood already
TELLS: Final = (0.5, 0.95)  # S4-MET-1 asks for these
USDT: Final = "USDT"
K = TypeVar("K")
V = TypeVar("V")
Noted: TypeAlias = OrderedDict[K, tuple[Millis, V]]  # by name: when, monotonic, and what
_ENTERING: Final = (Role.MAKER, Role.TAKER)
_GONE: Final = (Status.CANCELED, Status.EXPIRED)


class Measures:
    """Of one account on one market."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._submits = Spread("router_submit_latency_ms")
        self._submits_of_late = Recent(HOUR_MS, KEPT)
        self._stops = Spread("stop_latency_ms")
        self._slippage = Recent(HOUR_MS, KEPT)
        self._ended: Counter[str] = Counter()
        self._cancels: Counter[str] = Counter()
        self._orders_taken, self._cancels_done, self._twaps = Shares(KEPT), Shares(KEPT), Shares(KEPT)
        self._traded: deque[tuple[Millis, Decimal, Decimal]] = deque(maxlen=KEPT)  # when, notional, of it as taker
        self._fees_usdt, self._rebates_usdt = ZERO, ZERO
        self._other_fees: dict[str, Decimal] = {}
        self.maker_timeouts = 0
        self._asked: Noted[ClientOrderId, None] = OrderedDict()  # cancels under way
        self._known: Noted[str, None] = OrderedDict()  # intents that were counted
        self._bare: dict[Symbol, Millis] = {}  # first fill of an entry that waits for its stop, UTC
        self._filled: Noted[ClientOrderId, Decimal] = OrderedDict()  # of entries, base asset
        self._whole: dict[Symbol, ClientOrderId] = {}  # a stop for whatever is held: it covers what fills next
        self._failures = 0

    # ── what happens ──

    def heard(self, event: Event) -> None:
        """One event of a position."""
        match event.body:
            case OrderChanged(order=order):
                self._heard_of_cancel(order)
                self._heard_of_stop(order, event.at_ms)
            case FillRecorded(fill=fill, slippage_bps=slippage):
                self._traded_with(fill)
                if slippage is not None:
                    self._slippage.took(float(slippage), self._now)  # no money: a figure for a graph
            case Alert(code="MAKER_TIMEOUT"):
                self.maker_timeouts += 1
            case _:
                return

    def ended(self, row: Mapping[str, Any], *, failed: bool) -> None:
        """The row of an intent that is over. ``failed``: for the venue's reasons."""
        name = str(row.get("intent_id"))
        if name in self._known:
            return
        _note(self._known, name, None, self._now)
        taken = bool(row.get("order_ids"))
        self._ended[_outcome(row, failed=failed)] += 1
        if failed or taken:
            self._orders_taken.ended(name, Decimal(not failed), self._now)
        latency_ms = _latency_ms(row)
        if latency_ms is not None:
            self._submits.took(latency_ms)
            self._submits_of_late.took(latency_ms, self._now)
        efficiency = _efficiency(row)
        if efficiency is not None:
            self._twaps.ended(name, efficiency, self._now)

    def failed(self) -> None:
        """An answer of the 5xx kind, not of a barrier: nothing was accepted."""
        self._failures += 1
        self._ended["failed"] += 1
        self._orders_taken.ended(f"answer {self._failures}", ZERO, self._now)

    def _heard_of_cancel(self, order: Order) -> None:
        if order.status is Status.PENDING_CANCEL:
            _note(self._asked, order.ref, None, self._now)
            return
        if order.ref not in self._asked:
            return
        del self._asked[order.ref]
        outcome = "filled" if order.status is Status.FILLED else "canceled" if order.status in _GONE else "failed"
        self._cancels[outcome] += 1
        if outcome != "filled":
            number = sum(self._cancels.values())  # one order may be cancelled several times
            self._cancels_done.ended(f"{order.ref}:{number}", Decimal(outcome == "canceled"), self._now)

    def _heard_of_stop(self, order: Order, at_ms: Millis) -> None:
        symbol = order.request.symbol
        if order.role in _ENTERING:
            if self._grew(order) and not order.request.reduce_only and symbol not in self._whole:
                self._bare.setdefault(symbol, at_ms)
        elif order.role is Role.STOP:
            if order.status is Status.NEW:
                if order.request.form is Form.WHOLE:
                    self._whole[symbol] = order.ref
                bare_ms = self._bare.pop(symbol, None)
                if bare_ms is not None and at_ms - bare_ms < FORGET_MS:
                    self._stops.took(at_ms - bare_ms)
            elif order.status.final and self._whole.get(symbol) == order.ref:
                del self._whole[symbol]
        elif order.role is Role.EXIT and order.status is Status.FILLED:
            self._bare.pop(symbol, None)  # closed before it had one

    def _grew(self, order: Order) -> bool:
        """Whether more of it has filled, by a trade or by the venue's word; the trade of that word is no news."""
        filled = max(order.cum_qty, order.venue_cum_qty)
        _, before = self._filled.get(order.ref, (0, ZERO))
        grew = filled > before
        if grew:
            _note(self._filled, order.ref, filled, self._now)
        return grew

    def _traded_with(self, fill: Fill) -> None:
        notional = fill.price * fill.qty
        self._traded.append((self._now, notional, ZERO if fill.maker else notional))
        self._forget_trades(self._now)
        if fill.fee_asset == USDT:
            self._fees_usdt += max(fill.fee, ZERO)
            self._rebates_usdt += max(-fill.fee, ZERO)
        elif fill.fee > 0:
            self._other_fees[fill.fee_asset] = self._other_fees.get(fill.fee_asset, ZERO) + fill.fee

    # ── what is shown ──

    def samples(self) -> Iterator[Sample]:
        """Without the market, which is whoever's asks to put first."""
        now_ms = self._now
        if sum(self._submits.counts):
            yield Sample("router_submit_latency_ms", (), self._submits)
        if sum(self._stops.counts):
            yield Sample("stop_latency_ms", (), self._stops)
        for name, recent in (
            ("router_submit_latency_ms_recent", self._submits_of_late),
            ("slippage_bps", self._slippage),
        ):
            for share, value in recent.percentiles(TELLS, now_ms)[1].items():
                yield Sample(name, (share,), value)
        for name, counts in (("orders_ended", self._ended), ("cancels", self._cancels)):
            for outcome, count in counts.items():
                yield Sample(name, (outcome,), count)
        of_late = {
            "order_success_rate": self._orders_taken,
            "cancel_success_rate": self._cancels_done,
            "twap_efficiency": self._twaps,
        }
        for name, shares in of_late.items():
            count, mean = shares.ratio(now_ms)
            if count:
                yield Sample(name, (), mean)
        yield from self._of_trades(now_ms)
        yield Sample("maker_timeouts", (), self.maker_timeouts)

    def _of_trades(self, now_ms: Millis) -> Iterator[Sample]:
        self._forget_trades(now_ms)
        whole = sum((notional for _, notional, _ in self._traded), ZERO)
        if whole:
            yield Sample("taker_rate", (), sum((taken for _, _, taken in self._traded), ZERO) / whole)
        yield Sample("fee_usdt", (), self._fees_usdt)
        yield Sample("rebate_usdt", (), self._rebates_usdt)
        for asset, paid in self._other_fees.items():
            yield Sample("fee_other", (asset,), paid)

    def _forget_trades(self, now_ms: Millis) -> None:
        while self._traded and self._traded[0][0] <= now_ms - HOUR_MS:
            self._traded.popleft()

    @property
    def _now(self) -> Millis:
        return self._clock.monotonic_ms()


def _outcome(row: Mapping[str, Any], *, failed: bool) -> str:
    if failed:
        return "failed"
    if row.get("status") == Status.REJECTED:
        return "refused"
    if row.get("status") == Status.FILLED:
        return "filled"
    return "part" if Decimal(str(row.get("filled_qty") or 0)) else "unfilled"


def _latency_ms(row: Mapping[str, Any]) -> int | None:
    """Until the venue's first word. A wait for a better market (``route.probe``) is wanted, and not counted."""
    accepted_ms, ack_ms = row.get("accepted_ms"), row.get("first_ack_ms")
    if accepted_ms is None or ack_ms is None:
        return None
    began_ms = next((part["began_ms"] for part in row.get("slices") or ()), None)
    since_ms = began_ms if began_ms is not None and accepted_ms <= began_ms <= ack_ms else accepted_ms
    return int(ack_ms - since_ms)


def _efficiency(row: Mapping[str, Any]) -> Decimal | None:
    """Of an order in several: the mean of the mids at which its children were sent over the price that it paid."""
    if len(row.get("slices") or ()) < 2 or not row.get("avg_price"):
        return None
    children = row.get("children") or ()
    mids = [
        Decimal(child["mid_at_send"]) for child in children if child.get("mid_at_send") and Decimal(child["filled_qty"])
    ]
    if not mids:
        return None
    mean, paid = sum(mids, ZERO) / len(mids), Decimal(row["avg_price"])
    return mean / paid if row["side"] == Side.BUY else paid / mean


def _note(names: Noted[K, V], name: K, value: V, now_ms: Millis) -> None:
    """The newest last; what is older than an hour, or too many, goes."""
    names[name] = now_ms, value
    names.move_to_end(name)
    while len(names) > KEPT or next(iter(names.values()))[0] < now_ms - HOUR_MS:
        names.popitem(last=False)
