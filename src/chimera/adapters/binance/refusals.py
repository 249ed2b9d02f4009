"""One table: what futures' error codes, and statuses without one, say in words of ours (``trading.refusal``).

What no row knows is None: nobody has read it. Sources beside the rows: BEC = developers.binance.com, USD-M error codes;
B4.5, B10 and the like = the project's Binance reference (conditional orders; codes), which names the reports behind
what no page documents. Spot gives several of these numbers another meaning and has its own table (``spot.outcomes``).
"""

from typing import Final

from chimera.trading.refusal import Refusal

NEWER_RULES: Final = frozenset(  # what rules of the symbol read anew may explain
    {Refusal.FILTER, Refusal.TOO_PRECISE, Refusal.PRICE_RULE, Refusal.QTY_RULE, Refusal.NOTIONAL, Refusal.MARKET_CLOSED}
)
BY_STATUS: Final[dict[int, Refusal]] = {  # certain, though no code came with it; both markets
    401: Refusal.KEY,  # B7.2
    404: Refusal.NO_ENDPOINT,  # an endpoint that is not there (B36)
    405: Refusal.NO_ENDPOINT,
    410: Refusal.NO_ENDPOINT,
}
BY_CODE: Final[dict[int, Refusal]] = {
    -4120: Refusal.UNSUPPORTED,  # order type not supported for this endpoint; B4.5, incident 2
    -4136: Refusal.UNSUPPORTED,  # invalid for this type with closePosition; BEC
    -4137: Refusal.UNSUPPORTED,  # quantity must be zero with closePosition; BEC
    -4138: Refusal.UNSUPPORTED,  # reduceOnly must be true with closePosition; BEC
    -4061: Refusal.ACCOUNT_MODE,  # position side against the account's mode; BEC
    -4062: Refusal.ACCOUNT_MODE,  # reduceOnly combined wrongly (hedge mode); BEC
    -1014: Refusal.UNSUPPORTED,  # unsupported order combination; BEC
    -1020: Refusal.UNSUPPORTED,  # unsupported operation; BEC
    -1101: Refusal.MALFORMED,  # too many parameters; BEC
    -1102: Refusal.MALFORMED,  # a mandatory parameter is missing: the venue wants more than it did; BEC
    -1103: Refusal.MALFORMED,  # unknown parameter; BEC
    -1104: Refusal.MALFORMED,  # not all parameters were read; BEC
    -1105: Refusal.MALFORMED,  # a parameter was empty; BEC
    -1106: Refusal.MALFORMED,  # a parameter was not required: reduceOnly beside closePosition, by report; B4.5
    -1116: Refusal.MALFORMED,  # invalid order type; BEC
    -5000: Refusal.NO_ENDPOINT,  # path or method invalid; BEC
    -4130: Refusal.OCCUPIED,  # a closePosition order in this direction stands; B4.5 item 8
    -2021: Refusal.WOULD_TRIGGER,  # would immediately trigger; B10
    -4142: Refusal.WOULD_TRIGGER,  # the same, of stop and target; B10
    -2022: Refusal.NOTHING_TO_REDUCE,  # reduce-only: no position, or others cover it; B10
    -4118: Refusal.NOTHING_TO_REDUCE,  # reduce-only orders in the way; B10
    -4509: Refusal.NOTHING_TO_REDUCE,  # closePosition while flat; B4.5 item 8
    -4045: Refusal.TOO_MANY,  # as many conditional orders as the account may have; B4.5 item 5
    -4016: Refusal.PRICE_BAND,  # price above the band; B4.8
    -4024: Refusal.PRICE_BAND,  # price below the band; B4.8
    -4131: Refusal.PRICE_BAND,  # the book is outside the band; B4.8
    -4210: Refusal.PRICE_BAND,  # trigger above the band; B4.8
    -4211: Refusal.PRICE_BAND,  # trigger below the band; B4.8
    -1122: Refusal.MARKET_CLOSED,  # symbol status; BEC
    -4108: Refusal.MARKET_CLOSED,  # symbol is settling or closed; BEC
    -4140: Refusal.MARKET_CLOSED,  # symbol status, for opening; BEC
    -4141: Refusal.MARKET_CLOSED,  # symbol is closed; BEC
    -1111: Refusal.TOO_PRECISE,  # more digits than the symbol has; B4.8
    -1013: Refusal.FILTER,  # spot's word for a filter; here for the day futures use it
    -4001: Refusal.PRICE_RULE,  # price at most zero; B4.8
    -4002: Refusal.PRICE_RULE,  # price above the maximum; B4.8
    -4006: Refusal.PRICE_RULE,  # stop price at most zero; BEC
    -4007: Refusal.PRICE_RULE,  # stop price above the maximum; BEC
    -4013: Refusal.PRICE_RULE,  # price below the least; B4.8
    -4014: Refusal.PRICE_RULE,  # price off the tick; B4.8
    -4003: Refusal.QTY_RULE,  # quantity at most zero; B4.8
    -4004: Refusal.QTY_RULE,  # quantity below the least; B4.8
    -4005: Refusal.QTY_RULE,  # quantity above the most; B4.8
    -4023: Refusal.QTY_RULE,  # quantity off the step; B4.8
    -4164: Refusal.NOTIONAL,  # below the least notional, from which reduce-only is exempt; B10
    -1022: Refusal.SIGNATURE,  # B10
    -2014: Refusal.KEY,  # key format; B10
    -2015: Refusal.KEY,  # key, address or permission; B10
    -2017: Refusal.KEY,  # keys are locked; BEC
    -1002: Refusal.NOT_PERMITTED,  # not authorised; BEC
    -2011: Refusal.NOT_OPEN,  # unknown order, on cancel: it ended some way; B10
    -2018: Refusal.LACKS_BALANCE,  # balance; B10
    -2019: Refusal.LACKS_BALANCE,  # margin; B10
    -4116: Refusal.DUPLICATE,  # an open order has this id; B10
    -5022: Refusal.WOULD_TAKE,  # post-only, and it would have traded; B10
}
