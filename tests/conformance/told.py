"""What a foreign client told us, in words all clients share, and how it must agree with the twin's own state.

Each client module translates its library's answers into these; the scenarios then judge every client by one yardstick.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, NoReturn

D = Decimal
PENDING, OPEN, PART, FILLED, CANCELED, EXPIRED = (
    "PENDING_NEW",
    "NEW",
    "PARTIALLY_FILLED",
    "FILLED",
    "CANCELED",
    "EXPIRED",
)


def amount(shown: Any) -> Decimal:
    """A number however the library shows it (text, float, int); none of ours has more than eight digits."""
    return D(str(shown))


@dataclass(frozen=True, kw_only=True)
class Told:
    """An order as the client understood it. ``status`` in Binance's words; ``None`` where the answer left it out."""

    order_id: str
    client_id: str
    side: str | None = None
    status: str | None = None
    price: Decimal | None = None
    qty: Decimal | None = None
    filled: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class ToldAlgo:
    """A conditional order of the Algo service."""

    algo_id: str
    client_id: str
    status: str | None = None
    trigger: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class ToldList:
    """A spot order list; ``orders``: order id by client id."""

    list_id: str
    client_id: str
    status: str
    orders: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class ToldTrade:
    """One of our executions. ``fee`` in ``fee_asset``."""

    trade_id: str
    order_id: str
    price: Decimal
    qty: Decimal
    fee: Decimal
    fee_asset: str
    maker: bool


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The filters a client read from exchangeInfo."""

    tick: Decimal
    step: Decimal
    min_qty: Decimal
    min_notional: Decimal


@dataclass(frozen=True, kw_only=True)
class Touch:
    """Best bid and ask."""

    bid: Decimal
    ask: Decimal


@dataclass(frozen=True, kw_only=True)
class Past:
    """What traded: all candles as one (open, high, low, close, volume), the 24 h ticker's last price and volume, and
    each public trade's price, quantity and whether its taker bought.
    """

    candle: tuple[Decimal, ...]
    last: Decimal
    volume: Decimal
    trades: list[tuple[Decimal, Decimal, bool]]


def one_candle(rows: Iterable[Sequence[Any]]) -> tuple[Decimal, ...]:
    """Rows of open, high, low, close and volume, for a minute may end between two trades."""
    opens, highs, lows, closes, volumes = zip(*([amount(cell) for cell in row[:5]] for row in rows), strict=True)
    return opens[0], max(highs), min(lows), closes[-1], sum(volumes, D(0))


@dataclass(frozen=True, kw_only=True)
class Held:
    """A position; ``qty`` signed."""

    qty: Decimal
    entry: Decimal


class Refused(Exception):  # it is an answer, not a fault
    """Binance's own refusal, as it reached the client's user."""

    def __init__(self, code: int, text: str = "") -> None:
        super().__init__(f"{code} {text}")
        self.code = code


class NoSuchMethod(Exception):  # a fact about a library
    """The library offers no way to ask for this."""


class Client:
    """A foreign library, opened on one venue. What a subclass does not define, its library cannot do."""

    lacks: ClassVar[dict[str, str]] = {}  # method → why the library cannot; the only ones a scenario may miss
    complaints: list[str]  # what the library logged about our answers

    def cannot(self, what: str) -> NoReturn:
        """Say that the library has no way to do this; only what ``lacks`` explains."""
        raise NoSuchMethod(self.lacks[what])

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        if name.startswith("_") or name not in self.lacks:
            raise AttributeError(name)

        def missing(*_: Any, **__: Any) -> NoReturn:
            self.cannot(name)

        return missing


async def refusal(call: Awaitable[Any]) -> int:
    """The code this call is refused with."""
    try:
        answer = await call
    except Refused as refused:
        return refused.code
    raise AssertionError(f"not refused but answered: {answer}")


@asynccontextmanager
async def closing(thing: Any) -> AsyncIterator[Any]:
    """Close a library's connections whatever happens."""
    try:
        yield thing
    finally:
        await thing.close()
