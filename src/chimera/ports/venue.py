"""One market of one exchange, as the router needs it, in three faces.

Each call returns, or raises ``VenueRejected`` (it said no; nothing happened), ``NotSent`` (it never took it) or
``OutcomeUnknown`` (it may have happened). Queries may raise the same; there an unknown
outcome is only a missing answer.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from chimera.trading.fill import Fill
from chimera.trading.ids import Symbol, TradeId
from chimera.trading.instrument import Instrument, MarginStep
from chimera.trading.market import Touch
from chimera.trading.money import Millis, Price
from chimera.trading.order import NewOrder
from chimera.trading.value import Value
from chimera.trading.venue import (
    AccountModes,
    AccountSnapshot,
    FeeRates,
    Funds,
    Income,
    OrderRef,
    VenueOrder,
    VenuePosition,
    VenueSnapshot,
)


class StreamUp(Value):
    """The user stream (re)connected: what happened meanwhile must be asked for."""


class Loss(StrEnum):
    """Why a user stream is gone; the sentence beside it has the details."""

    CLOSED = "CLOSED"  # by the venue
    UNREACHABLE = "UNREACHABLE"  # no connection, or no answer about its key
    SILENT = "SILENT"
    KEY_REFUSED = "KEY_REFUSED"
    KEY_EXPIRED = "KEY_EXPIRED"  # the venue said so, knows it no more, or has made another
    KEY_UNKEPT = "KEY_UNKEPT"  # it could not be kept alive for as long as it is good
    RENEWED = "RENEWED"  # by ourselves, before the venue's 24 hours
    UNREADABLE = "UNREADABLE"  # one event: the connection stays
    ASKED = "ASKED"  # by ``Venue.reconnect``


class StreamDown(Value):
    """The user stream is gone or silent."""

    reason: str
    cause: Loss = Loss.CLOSED


class KeyAtRisk(Value):
    """The stream is up and its key could not be kept alive: it is tried again, and opened anew in time."""

    reason: str


class OrderReport(Value):
    """An order's new state, with its trade where there was one."""

    order: VenueOrder
    fill: Fill | None = None


class ModesDoubted(Value):
    """Something was told that does not go with the account's mode as we trade in it: the venue should be asked."""

    why: str


class TermsChanged(Value):
    """Somebody, perhaps we, set a symbol's leverage, or its margin type; ``leverage`` None: which is not told."""

    symbol: Symbol
    leverage: int | None = None


Report = StreamUp | StreamDown | KeyAtRisk | OrderReport | ModesDoubted | TermsChanged


class Venue(Protocol):
    """Orders."""

    async def place(self, order: NewOrder, *, timeout_ms: int) -> VenueOrder: ...

    async def rehearse(self, order: NewOrder, *, timeout_ms: int) -> None:
        """Whether the venue would take it, without placing it; not for what rests in the Algo service."""
        ...

    async def cancel(self, ref: OrderRef, *, timeout_ms: int) -> VenueOrder | None:
        """None: cancelled, and the venue said no more (the Algo service)."""
        ...

    async def find(self, ref: OrderRef) -> VenueOrder | None:
        """The order by our id, from the right service (and its child, where a conditional order triggered)."""
        ...

    def reports(self) -> AsyncIterator[Report]:
        """User-stream events for ever, reconnecting by itself; ``StreamUp`` comes first and after each gap."""
        ...

    def reconnect(self, why: str) -> None:
        """The stream is open and does not tell: end the connection and make another; nothing where none is open."""
        ...

    def dead_after_ms(self, sent_ms: Millis) -> Millis:
        """Venue clock past which a request stamped ``sent_ms`` (ours) can no longer be accepted."""
        ...


class Pairs(Protocol):
    """A target and a stop as one order list: when one of them fills or fires, the venue ends the other.

    Spot alone has it. ``Venue.cancel`` of one leg ends both; each leg is found by its own id, like any order.
    """

    async def place_pair(self, target: NewOrder, stop: NewOrder, *, timeout_ms: int) -> tuple[VenueOrder, VenueOrder]:
        """Target and stop as accepted: both or neither. Both name the list by ``group``, and differ in no size or side.

        A *partial* fill of the target ends the stop too; what is left of the target rests on, guarded by nothing.
        """
        ...


class Records(Protocol):
    """What the venue knows of us."""

    async def survey(
        self, symbol: Symbol, trades_since_ms: Millis, *, booked: Collection[TradeId] = ()
    ) -> VenueSnapshot:
        """The symbol's open orders, position and trades; those in ``booked`` are known already and left out."""
        ...

    async def whole(self) -> AccountSnapshot:
        """Every open order of both services and every position, over all symbols: dear, so asked for rarely."""
        ...

    async def placed_lately(self, symbol: Symbol) -> Sequence[VenueOrder]:
        """The newest regular orders of a week at most, open or over, in no promised order."""
        ...

    async def placed_since(self, symbol: Symbol, since_ms: Millis) -> Sequence[VenueOrder]:
        """Every regular order placed from then on (venue clock) that the venue still tells of, open or over."""
        ...

    async def positions(self) -> Sequence[VenuePosition]:
        """Every symbol with a position."""
        ...

    async def funds(self) -> Funds: ...

    async def fee_rates(self, symbol: Symbol) -> FeeRates: ...

    async def modes(self) -> AccountModes: ...

    async def income(self, since_ms: Millis, *, kind: str | None = None) -> Sequence[Income]:
        """What moved the account's money from ``since_ms`` on (venue clock), oldest first; ``kind``: only of that."""
        ...


class Rulebook(Protocol):
    """What the venue says of itself, and the settings we make before trading."""

    async def instruments(self) -> Sequence[Instrument]: ...

    async def margin_steps(self) -> Mapping[Symbol, tuple[MarginStep, ...]]:
        """The leverage brackets of each symbol, as they are for this account."""
        ...

    async def server_offset_ms(self) -> int:
        """Venue clock minus ours, measured by one call (half its round trip taken off)."""
        ...

    async def touch(self, symbol: Symbol) -> Touch: ...

    async def mark(self, symbol: Symbol) -> Price: ...

    async def prices(self) -> Mapping[Symbol, tuple[Touch | None, Price]]:
        """Touch, where the book has both sides, and mark of every symbol, at one price however many they are."""
        ...

    async def prepare(self, symbol: Symbol, leverage: int, *, change: bool = True) -> int:
        """Isolated margin and this leverage; "no need to change" is success. ``change`` False: the leverage stays.

        The leverage that it has now.
        """
        ...
