"""One listed symbol: its rules, its book, its last and mark price, the orders resting and the triggers waiting on it.

Also the instruments the twin knows by default. ``DEMO`` is what ``make run`` trades; ``PRODUCTION`` carries the minimum
notional seen on Binance (50 on BTCUSDT, 20 on ETHUSDT).
"""

from bisect import bisect_left, insort
from decimal import Decimal

from chimera.simulate.usdm.algos import Algo, Working
from chimera.simulate.venue.book import Book
from chimera.simulate.venue.orders import Queue
from chimera.trading.ids import Symbol
from chimera.trading.instrument import Instrument
from chimera.trading.market import Market, Side, next_funding_ms
from chimera.trading.money import ZERO, Price, Qty

_DEFAULT_FUNDING = Decimal("0.0001")
_STEP = Decimal("0.001")


def _usdt_perpetual(base: str, *, tick: str, max_price: str, max_qty: str, min_notional: str) -> Instrument:
    return Instrument(
        symbol=Symbol(f"{base}USDT"),
        market=Market.FUT,
        base=base,
        quote="USDT",
        tick=Decimal(tick),
        step=_STEP,
        min_price=Price(Decimal(tick)),
        max_price=Price(Decimal(max_price)),
        min_qty=Qty(_STEP),
        max_qty=Qty(Decimal(max_qty)),
        market_max_qty=Qty(Decimal(max_qty) / 10),
        min_notional=Decimal(min_notional),
    )


DEMO = (
    _usdt_perpetual("BTC", tick="0.1", max_price="4529764", max_qty="1000", min_notional="5"),
    _usdt_perpetual("ETH", tick="0.01", max_price="306177", max_qty="10000", min_notional="5"),
)
PRODUCTION = (
    _usdt_perpetual("BTC", tick="0.1", max_price="4529764", max_qty="1000", min_notional="50"),
    _usdt_perpetual("ETH", tick="0.01", max_price="306177", max_qty="10000", min_notional="20"),
)


class Triggers:
    """Algo orders waiting for one price to rise to, or fall to, their trigger."""

    __slots__ = ("falling", "rising")

    def __init__(self) -> None:
        self.rising: list[tuple[Decimal, int, Algo]] = []
        self.falling: list[tuple[Decimal, int, Algo]] = []

    def add(self, algo: Algo) -> None:
        """Wait."""
        line, entry = self._entry(algo)
        insort(line, entry)

    def remove(self, algo: Algo) -> None:
        """Stop waiting."""
        line, entry = self._entry(algo)
        del line[bisect_left(line, entry)]

    def pop_due(self, price: Decimal) -> list[Algo]:
        """Those that ``price`` triggers, nearest trigger first, oldest first."""
        due: list[Algo] = []
        while self.rising and self.rising[0][0] <= price:
            due.append(self.rising.pop(0)[2])
        while self.falling and self.falling[-1][0] >= price:
            due.append(self.falling.pop()[2])
        return due

    def _entry(self, algo: Algo) -> tuple[list[tuple[Decimal, int, Algo]], tuple[Decimal, int, Algo]]:
        if algo.rises:
            return self.rising, (algo.trigger_price, algo.algo_id, algo)
        return self.falling, (algo.trigger_price, -algo.algo_id, algo)


class Listing:
    """A symbol on the venue."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.symbol: str = instrument.symbol
        self.book = Book(instrument.tick)
        self.queues = {Side.BUY: Queue(Side.BUY), Side.SELL: Queue(Side.SELL)}
        self.triggers = {working: Triggers() for working in Working}
        self.last: Decimal | None = None
        self.traded = False  # the source prints trades; until then the mid stands for the last price
        self.mark: Decimal | None = None
        self.index: Decimal | None = None
        self.mark_given = False  # the source gives marks; until then the mid stands for it
        self.marked_ms = 0
        self.dark = False  # its market has not been seen since a gap
        self.funding_rate = _DEFAULT_FUNDING
        self.next_funding_ms = 0
        self.trade_id = 0
        self.price_places = max(2, places(instrument.tick))
        self.qty_places = places(instrument.step)

    def price(self, working: Working) -> Decimal | None:
        """The price a trigger looks at; none while dark, for there is no book to trade on."""
        if self.dark:
            return None
        return self.mark if working is Working.MARK_PRICE else self.last

    def go_dark(self) -> None:
        """The market is out of sight, as in a restart: its book is forgotten, the update ids go on.

        Last and mark price stay as last seen, for accounts are shown at them; nothing triggers by them. The first
        quote of both sides ends it.
        """
        seen = self.book.update_id
        self.book = Book(self.instrument.tick)
        self.book.update_id = seen
        self.traded = self.mark_given = False
        self.dark = True

    def funding_at(self, now_ms: int) -> int:
        """The coming settlement: the source's, else the next whole eight hours."""
        return self.next_funding_ms if self.next_funding_ms > now_ms else next_funding_ms(now_ms)

    def p(self, price: Decimal) -> str:
        """A price as the wire writes it."""
        return f"{price:.{self.price_places}f}"

    def q(self, qty: Decimal) -> str:
        """A quantity as the wire writes it."""
        return f"{qty:.{self.qty_places}f}"

    def band(self, side: Side) -> Decimal:
        """PERCENT_PRICE: the worst price an order of ``side`` may name or take; needs a mark."""
        mark = self.mark if self.mark is not None else ZERO
        return mark * (self.instrument.price_up if side is Side.BUY else self.instrument.price_down)


def places(unit: Decimal) -> int:
    """Decimal places of a tick or step."""
    exponent = unit.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
