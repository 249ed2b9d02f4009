"""Why a venue said no, in words of ours: what deciding code goes by. The venue's code stays beside it, for telling.

An adapter reads it once, in one place: futures' numbers say it themselves; spot puts most of its refusals under two
(-2010, -1013) and the reason into the sentence beside them. ``None`` means that
nobody has read it.
"""

from enum import StrEnum


class Refusal(StrEnum):
    """Each is certain: nothing happened."""

    LACKS_BALANCE = "LACKS_BALANCE"  # balance or margin: resize, never repeat
    WOULD_TAKE = "WOULD_TAKE"  # post-only, and it would have traded at once: reprice
    WOULD_TRIGGER = "WOULD_TRIGGER"  # the price has passed the stop or target already
    BAD_PRICES = "BAD_PRICES"  # the prices of an order list do not stand around the market
    DUPLICATE = "DUPLICATE"  # an open order has this id: proof of life, not of quantity
    OCCUPIED = "OCCUPIED"  # one that closes the whole position stands there already
    NOT_OPEN = "NOT_OPEN"  # on a cancel: it ended some way, ask
    NOTHING_TO_REDUCE = "NOTHING_TO_REDUCE"  # reduce-only: no position, or other orders cover it
    PRICE_RULE = "PRICE_RULE"  # off the tick or beyond the bounds of prices
    PRICE_BAND = "PRICE_BAND"  # too far from the market
    QTY_RULE = "QTY_RULE"  # off the step or beyond the bounds of quantities
    NOTIONAL = "NOTIONAL"  # too small or too large in quote asset
    TOO_PRECISE = "TOO_PRECISE"  # more digits than the symbol has
    FILTER = "FILTER"  # a rule of the symbol for which there is no word here
    TOO_MANY = "TOO_MANY"  # open orders, conditional orders or lists
    MAX_POSITION = "MAX_POSITION"
    THIN_BOOK = "THIN_BOOK"  # nothing there to trade with
    MARKET_CLOSED = "MARKET_CLOSED"  # the symbol does not trade now
    NOT_PERMITTED = "NOT_PERMITTED"  # this account or address may not
    KEY = "KEY"  # the key is not taken: nobody listens to us
    SIGNATURE = "SIGNATURE"  # nor is what it signed: the secret is another key's
    UNSUPPORTED = "UNSUPPORTED"  # a type or combination that is not taken
    ACCOUNT_MODE = "ACCOUNT_MODE"  # not in the mode that the account is in now
    MALFORMED = "MALFORMED"  # a parameter is missing, unknown, empty or too many
    NO_ENDPOINT = "NO_ENDPOINT"  # no such path or method
    KEPT_BACK = "KEPT_BACK"  # our own last look before the sending said no
    ENDED = "ENDED"  # it was taken, and ended by the venue later
    OTHER = "OTHER"  # read, and none of these
