"""What a router can be asked for, in one process or through a face: submit, cancel, close, show.

``Router`` is it; HTTP is one face of it, the virtual-time world's link another.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Literal, Protocol

from chimera.services.exposition import Sample
from chimera.services.router.cash_desk import CashApi
from chimera.trading.errors import Refused
from chimera.trading.execution import CloseName
from chimera.trading.ids import Symbol
from chimera.trading.instrument import Instrument
from chimera.trading.intent import Intent
from chimera.trading.market import Market
from chimera.trading.standstill import Kill, Scope
from chimera.trading.transfer import Route
from chimera.trading.value import Value
from chimera.wire.policies import not_enabled
from chimera.wire.requests import Instruments


class Outcome(Value):
    """What came of an intent: the ``OrderResult`` row, and how certain it is."""

    row: dict[str, Any]
    done: bool
    in_doubt: bool


class TransfersApi(Protocol):
    """What the HTTP face asks."""

    async def ask(self, route: Route, asset: str, amount: Decimal, why: str) -> Mapping[str, Any]:
        """All of it or nothing. Raises ``Refused`` or ``StoreUnavailable``."""
        ...

    async def settle(self, *, happened: bool, by: str) -> Mapping[str, Any]:
        """Raises ``Refused`` where nothing waits for it."""
        ...

    def shown(self) -> Mapping[str, Any]: ...


class Counted(Protocol):
    def measured(self) -> Iterable[Sample]:
        """For ``/metrics``, without the market."""
        ...


class RouterApi(Protocol):
    """What the HTTP face needs of the router."""

    @property
    def transferring(self) -> TransfersApi:
        """Money between the wallets."""
        ...

    @property
    def cash(self) -> CashApi:
        """The cash ledger's window."""
        ...

    async def submit(self, intent: Intent, body_hash: str, *, wait_ms: int | None) -> Outcome:
        """Raises ``Refused`` or ``StoreUnavailable``. ``wait_ms`` None is the default policy, 0 answers at once."""
        ...

    async def preview(self, intent: Intent) -> dict[str, object]:
        """What would come of it; claims, sends and keeps nothing. Raises ``Refused``."""
        ...

    async def steer(self, name: str, ask: Literal["pause", "resume", "finish"]) -> dict[str, object]:
        """The order's row as it is then. Raises ``Refused`` (``NOT_FOUND``, ``NOT_WORKING``)."""
        ...

    async def replace(self, name: str, document: Mapping[str, object]) -> Outcome:
        """Change an order that lives; raises ``Refused`` as an intent is, or ``NOT_FOUND``, ``NOT_WORKING``."""
        ...

    async def cancel(
        self, name: str, *, by: Literal["order_id", "client_order_id"], reason: str, escalate: bool, cascade: bool
    ) -> dict[str, object]:
        """``CancelResponse``; raises ``Refused`` (``NOT_FOUND``, ``ALREADY_FILLED``)."""
        ...

    async def close(
        self, market: Market, symbol: str, qty: Decimal | None, reason: str, name: CloseName | None = None
    ) -> dict[str, object]:
        """``qty`` None: all of it. Asked again by the same ``name`` it closes nothing more. Raises ``Refused``."""
        ...

    async def survey(self, market: Market, symbol: str) -> dict[str, object]:
        """Ask the venue about it now; the position after its word. Raises ``Refused``."""
        ...

    async def order(self, name: str) -> dict[str, object] | None:
        """By order, client or intent id."""
        ...

    async def positions(self) -> list[dict[str, object]]: ...

    def external(self) -> list[dict[str, object]]:
        """Open orders on the account that are not ours."""
        ...

    def doubts(self) -> list[dict[str, object]]:
        """What the venue has not told us yet, oldest first."""
        ...

    async def kill(self, kill: Kill, *, wait_ms: int | None) -> dict[str, object]:
        """In force before this waits for anything; the signed receipt by the venue's word."""
        ...

    async def arm(self, scope: Scope, name: str, *, by: str, reason: str, confirm: str | None) -> dict[str, object]:
        """The first step answers ``confirm``, the second repeats it. Raises ``Refused``."""
        ...

    def killed(self) -> dict[str, object]:
        """What stands still."""
        ...

    def health(self) -> dict[str, object]: ...

    def tallied(self) -> Mapping[Market, Counted]:
        """What was counted of each market."""
        ...

    def ready(self) -> bool: ...

    @property
    def markets(self) -> tuple[Market, ...]:
        """Those that are traded here."""
        ...

    def instrument(self, market: Market, symbol: str) -> Instrument | None: ...


class Listed(Protocol):
    """Who knows what is traded."""

    @property
    def markets(self) -> tuple[Market, ...]: ...

    def instrument(self, market: Market, symbol: str) -> Instrument | None: ...

    def ready(self) -> bool: ...


def instruments_of(router: Listed) -> Instruments:
    """The router's instruments; before it has read them, a symbol is not unknown but asked too early."""

    def find(market: Market, symbol: Symbol) -> Instrument | None:
        if market not in router.markets:
            raise not_enabled("market", market)
        found = router.instrument(market, symbol)
        if found is None and not router.ready():
            raise Refused("NOT_READY", "the venue's symbols are not read yet; try again", field="symbol", value=symbol)
        return found

    return find
