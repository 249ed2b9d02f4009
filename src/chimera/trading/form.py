"""The shapes in which a stop or target can stand at the venue: what is sent, and where it rests.

A venue may stop taking one overnight (-4120 to every stop order, 2025-12-09), so which of them work is a fact like any
other. What each may carry: Binance, USD-M "New Algo Order" and "New Order".
"""

from enum import StrEnum
from typing import Final


class Form(StrEnum):
    """Each can only close: on futures because the venue sees to it, on spot because we count what is held."""

    QTY = "QTY"  # Algo service: reduceOnly, with a quantity
    WHOLE = "WHOLE"  # Algo service: closePosition, without one; all of the position, however it grows; one at a time
    REGULAR = "REGULAR"  # the order endpoint: reduceOnly, with a quantity and a stopPrice; the only one before 2025-12
    OCO = "OCO"  # spot: a leg of an order list, the other of which ends when this one fills or fires
    ALONE = "ALONE"  # spot: a stop that rests by itself


FORMS: Final = (Form.QTY, Form.WHOLE, Form.REGULAR)  # the first choice first: only QTY can be placed beside its like
SPOT_FORMS: Final = (Form.OCO, Form.ALONE)
