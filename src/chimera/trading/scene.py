"""What a reducer is handed beside its state and the fact: time, market, rules of the symbol, rates and limits."""

from decimal import Decimal

from chimera.trading.form import FORMS, Form
from chimera.trading.instrument import Instrument
from chimera.trading.intent import WorkingType
from chimera.trading.liquidity import Book
from chimera.trading.market import Touch
from chimera.trading.money import Millis, Price, Quote
from chimera.trading.standstill import Standstill
from chimera.trading.value import Value
from chimera.trading.venue import DOUBT_MARGIN_MS, FeeRates, VenueOrder


class Policy(Value):
    """The router's own settings, as deciding code uses them."""

    working_type: WorkingType = WorkingType.MARK_PRICE
    default_stop_bps: Decimal = Decimal(150)  # of the entry price
    doubt_margin_ms: int = DOUBT_MARGIN_MS
    send_within_ms: int = 2_000  # a held-back entry older than this is not sent
    trigger_patience_ms: int = 1_000  # a triggered stop that has not filled by then is not a stop
    passed_patience_ms: int = 10_000  # one that still waits, its price passed for so long, is none either
    restart_patience_ms: int = 1_000  # after a restart, how long a doubtful stop waits for the venue's word on it
    survey_every_ms: int = 30_000
    maker_check_ms: int = 2_000  # a resting entry is asked for so often (weight 1): a fill that nobody told of is bare
    stop_check_ms: int = 5_000  # a stop that waits is asked for so often: its end may never be told (weight 1)
    trades_overlap_ms: int = 60_000
    stop_refusals: int = 2  # then the position is flattened
    guard_ms: int = 0  # how long a guard of ours may stand in for a stop that the venue refuses; 0: close at once
    nets_opposite: bool = False  # an entry against a position of the other side reduces it first; else it is refused
    stop_limit_bps: Decimal = Decimal(100)  # spot: how far below its trigger a stop that fired may sell
    maker_tries: int = 3
    taker_tries: int = 3
    entry_retries: int = 3  # after a sending that the venue failed to take, in a row
    reductions: int = 2  # an entry may be made smaller this often for lack of margin
    strikes: int = 3  # surveys in a row that must disagree before the venue's larger position is believed
    strikes_to_shrink: int = 20  # ... and a smaller one, which no trade explains: venues have shown zeros by mistake


class Scene(Value):
    """The present moment of one symbol. ``venue_now_ms`` is the venue's clock, by our estimate."""

    now_ms: Millis
    venue_now_ms: Millis
    instrument: Instrument
    fees: FeeRates
    touch: Touch | None = None
    mark: Price | None = None
    policy: Policy = Policy()
    standstill: Standstill = Standstill()
    forms: tuple[Form, ...] = FORMS  # of stops and targets that the venue is believed to take, the best first
    available: Quote | None = None  # margin for new positions, as last heard; None: not heard
    book: Book | None = None  # beyond the touch, where somebody shows it
    external: tuple[VenueOrder, ...] = ()  # open orders on the symbol that are not ours, as last heard

    @property
    def near(self) -> Price | None:
        """Mark price, else mid: what a quantity is worth now."""
        return self.mark or (self.touch.mid if self.touch else None)

    @property
    def mid(self) -> Price | None:
        """Of the touch, while it is fresh."""
        return self.touch.mid if self.touch else None

    @property
    def top(self) -> Book | None:
        """The book's best levels; None where only a touch is known."""
        return self.book.best() if self.book else None

    @property
    def seen(self) -> Book | None:
        """The book, or as much of one as the touch tells."""
        return self.book or (Book.of(self.touch) if self.touch else None)
