"""What the spot matching engine says when it says no: the texts under -1013, -2010, -2011 and -2038.

Source: Binance spot errors.md. What is refused before the matching engine carries the same words under -1013.
"""

from typing import Final

from chimera.simulate.door.refusals import Refusal

INSUFFICIENT: Final = "Account has insufficient balance for requested action."
DUPLICATE: Final = "Duplicate order sent."
WOULD_MATCH: Final = "Order would immediately match and take."
WOULD_TRIGGER: Final = "Order would trigger immediately."
BAD_PRICES: Final = "The relationship of the prices for the orders is not correct."
UNSUPPORTED: Final = "Unsupported order combination"
CLOSED: Final = "Market is closed."
ICEBERG_EXCEEDS: Final = "IcebergQty exceeds QTY."
THIN_LOT: Final = "Order book liquidity is less than `LOT_SIZE` filter minimum quantity."
THIN: Final = "Order book liquidity is less than symbol minimum quantity."
THIN_PEG: Final = "Order book liquidity is too low for this pegged order."
NO_PEG: Final = "This order type may not use pegged price."
WRONG_PEG: Final = "This price peg cannot be used with this order type."
UNKNOWN: Final = "Unknown order sent."
RESTRICTED: Final = "Order was not canceled due to cancel restrictions."
NO_INCREASE: Final = "Order amend (quantity increase) is not supported."
NO_CHANGE: Final = "The requested action would change no state; rejecting."
PENDING_OPO: Final = "Order amend (pending OPO order) is not supported."


def invalid(text: str) -> Refusal:
    """-1013, before the matching engine."""
    return Refusal(-1013, text=text)


def filtered(name: str) -> Refusal:
    """-1013: the filter ``name`` is not met."""
    return invalid(f"Filter failure: {name}")


def too_precise(parameter: str) -> Refusal:
    """-1111."""
    return Refusal(-1111, text=f"Parameter '{parameter}' has too much precision.")


def rejected(text: str) -> Refusal:
    """-2010: the matching engine refused an order."""
    return Refusal(-2010, text=text)


def not_canceled(text: str) -> Refusal:
    """-2011: it refused a cancel."""
    return Refusal(-2011, text=text)


def not_amended(text: str) -> Refusal:
    """-2038: it refused an amendment."""
    return Refusal(-2038, text=text)
