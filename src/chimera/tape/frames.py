"""Binance's public market messages, spot and USD-M, as typed structs: what is on the wire, field for field.

Only the fields Chimera reads are named; Binance adds fields without notice, so unknown ones are allowed. Amounts are
parsed from text straight into ``Decimal``. Source of the fields: Binance market stream documentation, spot and USD-M.
"""

from decimal import Decimal

import msgspec

from chimera.trading.market import Level


class Combined(msgspec.Struct):
    """``{"stream": …, "data": …}``; neither for a REST answer or a control message."""

    stream: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")


class BookTicker(msgspec.Struct):
    """``<symbol>@bookTicker``. Spot has no event time."""

    u: int  # book update id, on the same count as the depth diffs
    s: str
    b: Decimal
    B: Decimal
    a: Decimal
    A: Decimal


class Diff(msgspec.Struct):
    """``<symbol>@depth[@…ms]``: updates ``U`` to ``u``; ``pu`` (USD-M only) is the previous message's ``u``."""

    s: str
    U: int
    u: int
    b: tuple[Level, ...]
    a: tuple[Level, ...]
    pu: int | None = None


class Snapshot(msgspec.Struct):
    """``GET …/depth``: has no symbol."""

    lastUpdateId: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class Bare(msgspec.Struct):
    """A message without a combined stream's wrapper. Spot's ``bookTicker`` has no ``e``, and is known by its ``B``."""

    e: str = ""
    B: msgspec.Raw = msgspec.Raw(b"")


class Trade(msgspec.Struct):
    """``<symbol>@trade`` (its id: ``t``) and ``<symbol>@aggTrade`` (``a``), at ``T`` ms.

    ``m``: the buyer was the maker. ``X`` (USD-M trade): its kind.
    """

    s: str
    p: Decimal
    q: Decimal
    m: bool
    X: str = "MARKET"
    t: int | None = None
    a: int | None = None
    T: int = 0


class MarkPrice(msgspec.Struct):
    """``<symbol>@markPrice[@1s]``, USD-M."""

    s: str
    p: Decimal
    i: Decimal
    r: Decimal
    T: int  # next funding, UTC ms


bare = msgspec.json.Decoder(Bare)
combined = msgspec.json.Decoder(Combined)
book_ticker = msgspec.json.Decoder(BookTicker)
diff = msgspec.json.Decoder(Diff)
snapshot = msgspec.json.Decoder(Snapshot)
trade = msgspec.json.Decoder(Trade)
mark_price = msgspec.json.Decoder(MarkPrice)
