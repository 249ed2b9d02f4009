"""Handing an intent to the router: in process, over HTTP, or through the world's simulated network."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from chimera.trading.intent import Intent
from chimera.trading.market import Market
from chimera.trading.money import Millis
from chimera.trading.value import Value


class OrderAnswer(Value, tag=False, forbid_unknown_fields=False):
    """What the router says of an order, at once or later (``OrderResult`` on the wire). ``filled_qty`` base asset."""

    result: str  # OK or FAIL
    status: str
    order_id: str
    client_order_id: str
    intent_id: str = ""
    in_doubt: bool = False
    order_ids: tuple[str, ...] = ()
    filled_qty: Decimal = Decimal(0)
    avg_price: Decimal | None = None
    message: str | None = None
    code: str | None = None
    notes: tuple[str, ...] = ()  # what was done otherwise than asked


class RouterLevel(Value, tag=False):
    """Something that keeps entries back at the router. None: every symbol, market, strategy; a moment not told."""

    code: str
    why: str
    since_ms: Millis | None = None
    symbol: str | None = None
    market: Market | None = None
    strategy: str | None = None


class RouterLevels(Protocol):
    async def levels(self) -> Sequence[RouterLevel]:
        """All that stand now. Raises ``NotSent`` or ``OutcomeUnknown`` where nobody tells."""
        ...


class IntentSink(Protocol):
    async def submit(self, intent: Intent) -> OrderAnswer:
        """Hands it over and does not wait for the market; the same intent again is the same order.

        Raises ``Refused`` (the router said no, for good), ``NotSent`` (it took nothing; try again) or
        ``OutcomeUnknown`` (it may have taken it; try again with the same intent).
        """
        ...
