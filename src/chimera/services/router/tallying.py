"""Counts over the whole account that somebody should hear of (S4-ALR-1), fed by events, answers and refusals.

An order counts as failed when its answer was of the 5xx kind, or when its intent ended rejected for the venue's
reasons; an intent of which the venue took an order begins the count anew. What a caller did wrong counts for neither,
nor what we kept back ourselves (a barrier has an alert of its own), nor what ended before the venue had seen it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Final

from chimera.admit.tallies import SLICES_MAX, Failures, Makers, Shares, Shortages
from chimera.ports.clock import Clock
from chimera.services.exposition import Sample
from chimera.services.router.levels import Levels
from chimera.services.router.measuring import Measures
from chimera.trading.errors import Refused, VenueRejected
from chimera.trading.events import Alert, Event, IntentChanged, OrderChanged, Severity
from chimera.trading.order import Order, Role, Status
from chimera.trading.refusal import Refusal
from chimera.wire import failures
from chimera.wire.codec import decode

CODES: Final = 100  # of the venue's, counted apart
OTHER: Final = "other"
VENUES_REASONS: Final = ("VENUE_", "NOT_SENT", "INSUFFICIENT_BALANCE")  # how the code of a failed intent begins


class Tallying:
    """Of one account on one market. ``least``: S4_MAKER_FILL_RATIO_MIN."""

    def __init__(self, least: Decimal, clock: Clock, tell: Callable[[Alert], None]) -> None:
        self._least = least
        self._clock = clock
        self._notices = Levels(clock, tell)
        self._makers = Makers()
        self._slices = Shares(SLICES_MAX)
        self._shortages = Shortages()
        self._failures = Failures()
        self._refusals: Counter[int | str] = Counter()
        self.measures = Measures(clock)

    def heard(self, events: tuple[Event, ...]) -> None:
        """What positions tell."""
        for event in events:
            self.measures.heard(event)
            match event.body:
                case OrderChanged(order=order) if order.role is Role.MAKER and _rested(order):
                    self._makers.ended(order.ref, order.cum_qty / order.qty, self._clock.monotonic_ms())
                case IntentChanged(done=True, row=row):
                    ended = decode(row, dict[str, Any])
                    self._ended(ended)
                    self._count_slices(ended)
                case _:
                    continue

    def refused(self, error: VenueRejected) -> None:
        """The venue refused an order; why, its adapter has read."""
        self._refusals[error.code if error.code in self._refusals or len(self._refusals) < CODES else OTHER] += 1
        if error.refusal is Refusal.LACKS_BALANCE:
            self._shortages.count(self._clock.monotonic_ms())
            self.look()

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Around each answer of ``POST /orders``."""
        try:
            yield
        except Refused as no:
            if failures.status_of(no.code) >= HTTPStatus.INTERNAL_SERVER_ERROR and no.code not in failures.HELD:
                self._bad_answer(f"{no.code}: {no.message}")
            raise
        except Exception as error:  # any: it becomes an answer of the 5xx kind above
            self._bad_answer(f"{type(error).__name__}: {error}")
            raise

    def look(self) -> None:
        """Tell what stands, and what is over."""
        now_ms = self._clock.monotonic_ms()
        self._notices.level("MAKER_FILL_RATIO_LOW", self._makers.low(self._least, now_ms))
        self._notices.level("INSUFFICIENT_BALANCE_OFTEN", self._shortages.often(now_ms))
        self._notices.level("ORDERS_FAILING", self._failures.failing, severity=Severity.ERROR)

    @property
    def refusals(self) -> dict[str, int]:
        """Orders that the venue refused since the start, by its own code, most first."""
        return {str(code): count for code, count in self._refusals.most_common()}

    @property
    def fill_ratios(self) -> dict[str, Decimal]:
        """By metric, of the last hour; absent where nothing ended in it: what is not known is not 0."""
        now_ms = self._clock.monotonic_ms()
        told = {"maker_fill_ratio": self._makers.ratio(now_ms), "twap_slice_fill_ratio": self._slices.ratio(now_ms)}
        return {name: ratio for name, (count, ratio) in told.items() if count}

    def measured(self) -> Iterable[Sample]:
        """What ``/metrics`` shows of this market, without its name."""
        yield from (Sample(name, (), ratio) for name, ratio in self.fill_ratios.items())
        yield from self.measures.samples()
        yield from (Sample("notice", (level.code,), 1) for level in self._notices.standing)

    def _count_slices(self, row: dict[str, Any]) -> None:
        """Those that began, of an intent in several; what one left over counts with the next, which is full at most."""
        slices = row.get("slices") or []
        if len(slices) < 2:  # no schedule
            return
        for number, part in enumerate(slices):
            if part["began_ms"] is not None:
                share = min(Decimal(part["filled_qty"]) / Decimal(part["qty"]), Decimal(1))
                self._slices.ended(f"{row['intent_id']}:{number}", share, self._clock.monotonic_ms())

    def _ended(self, row: dict[str, Any]) -> None:
        code = str(row.get("code") or "")
        failed = row.get("status") == Status.REJECTED and code.startswith(VENUES_REASONS)
        self.measures.ended(row, failed=failed)
        if failed:
            self._bad(f"{row.get('intent_id')} ended {code}: {row.get('message')}")
            return
        if row.get("order_ids"):
            self._failures.good()
            self.look()

    def _bad_answer(self, why: str) -> None:
        self.measures.failed()
        self._bad(why)

    def _bad(self, why: str) -> None:
        self._failures.bad(why)
        self.look()


def _rested(order: Order) -> bool:
    """It ended, and had stood in the book: a post-only order that was refused at the door says nothing."""
    return order.status.final and order.status is not Status.REJECTED and order.venue_id is not None
