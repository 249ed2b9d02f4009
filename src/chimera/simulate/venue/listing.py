"""One listed symbol as both markets have it: its rules, its book, its last price, the orders resting on it."""

from decimal import Decimal
from typing import Generic, TypeVar

from chimera.simulate.venue.book import Book
from chimera.simulate.venue.orders import Order, Queue
from chimera.simulate.venue.prints import Prints
from chimera.trading.instrument import Instrument
from chimera.trading.market import Side

OrderT = TypeVar("OrderT", bound=Order)


class Listing(Generic[OrderT]):
    """A symbol on the venue."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.symbol: str = instrument.symbol
        self.book = Book(instrument.tick)
        self.queues: dict[Side, Queue[OrderT]] = {Side.BUY: Queue(Side.BUY), Side.SELL: Queue(Side.SELL)}
        self.last: Decimal | None = None
        self.traded = False  # the source prints trades; until then the mid stands for the last price
        self.dark = False  # its market has not been seen since a gap
        self.trade_id = 0
        self.prints = Prints()
        self.price_places = max(2, places(instrument.tick))
        self.qty_places = places(instrument.step)

    def go_dark(self) -> None:
        """The market is out of sight, as in a restart: its book is forgotten, the update ids go on.

        The last price stays as last seen; nothing triggers by it. The first quote of both sides ends it.
        """
        seen = self.book.update_id
        self.book = Book(self.instrument.tick)
        self.book.update_id = seen
        self.traded = False
        self.dark = True

    def p(self, price: Decimal) -> str:
        """A price as the wire writes it."""
        return f"{price:.{self.price_places}f}"

    def q(self, qty: Decimal) -> str:
        """A quantity as the wire writes it."""
        return f"{qty:.{self.qty_places}f}"

    def worth(self, amount: Decimal) -> str:
        """An amount of quote asset as the wire writes it."""
        return f"{amount:.{self.price_places + self.qty_places}f}"


def places(unit: Decimal) -> int:
    """Decimal places of a tick or step."""
    exponent = unit.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
