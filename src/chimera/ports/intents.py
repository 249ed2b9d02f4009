"""Handing an intent to the router: in process, over HTTP, or through the world's simulated network."""

from decimal import Decimal
from typing import Protocol

from chimera.trading.intent import Intent
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


class IntentSink(Protocol):
    async def submit(self, intent: Intent) -> OrderAnswer:
        """Hands it over and does not wait for the market; the same intent again is the same order.

        Raises ``Refused`` (the router said no, for good), ``NotSent`` (it took nothing; try again) or
        ``OutcomeUnknown`` (it may have taken it; try again with the same intent).
        """
        ...
