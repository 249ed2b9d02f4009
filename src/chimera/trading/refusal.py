"""Why a venue said no, in words of ours: what deciding code goes by where the venue's code alone does not say.

Spot puts most of its refusals under two numbers (-2010, -1013) and the reason into the sentence beside them; an adapter
reads the sentence once, in one place. ``None`` instead of a refusal means that nobody has read it.
"""

from enum import StrEnum


class Refusal(StrEnum):
    """Each is certain: nothing happened."""

    LACKS_BALANCE = "LACKS_BALANCE"  # balance or margin: resize, never repeat
    WOULD_TAKE = "WOULD_TAKE"  # post-only, and it would have traded at once: reprice
    WOULD_TRIGGER = "WOULD_TRIGGER"  # the price has passed the stop or target already
    BAD_PRICES = "BAD_PRICES"  # the prices of an order list do not stand around the market
    DUPLICATE = "DUPLICATE"  # an open order has this id: proof of life
    NOT_OPEN = "NOT_OPEN"  # on a cancel: it ended some way, ask
    PRICE_RULE = "PRICE_RULE"  # off the tick or beyond the bounds of prices
    PRICE_BAND = "PRICE_BAND"  # too far from the market
    QTY_RULE = "QTY_RULE"  # off the step or beyond the bounds of quantities
    NOTIONAL = "NOTIONAL"  # too small or too large in quote asset
    TOO_PRECISE = "TOO_PRECISE"  # more digits than the symbol has
    TOO_MANY = "TOO_MANY"  # open orders, conditional orders or lists
    MAX_POSITION = "MAX_POSITION"
    THIN_BOOK = "THIN_BOOK"  # nothing there to trade with
    MARKET_CLOSED = "MARKET_CLOSED"  # the symbol does not trade now
    NOT_PERMITTED = "NOT_PERMITTED"  # this account, key or address may not
    UNSUPPORTED = "UNSUPPORTED"  # a type or combination that the symbol does not take
    OTHER = "OTHER"  # read, and none of these
