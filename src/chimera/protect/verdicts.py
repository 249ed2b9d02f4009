"""What a refusal of a stop or target says: of the form it had, of its price, of our rules, of the key. One table.

Sources beside the rows: BEC = developers.binance.com, USD-M error codes; B4.5, B10 = the project's Binance reference
(conditional orders; codes), which names the reports behind what no page documents. What no row knows is UNSURE: the
next try takes another form, and there are few of them (incident 2).
"""

from enum import StrEnum
from typing import Final


class Verdict(StrEnum):
    """What to do next with the position that was to be protected."""

    FORM = "FORM"  # the venue does not take this form now: another at once
    OCCUPIED = "OCCUPIED"  # one of this form stands there already: another form at once
    CROSSED = "CROSSED"  # its price has passed: close now
    STATUS = "STATUS"  # the symbol does not trade: the form is taken
    PLACE = "PLACE"  # this price, this position or too many orders: the form is taken
    RULES = "RULES"  # against a filter: by the rules as they are now it may pass
    KEY = "KEY"  # nobody listens to us: neither a form nor a close can help
    UNSURE = "UNSURE"


_TABLE: Final[dict[int, Verdict]] = {
    -4120: Verdict.FORM,  # order type not supported for this endpoint; B4.5, incident 2
    -4136: Verdict.FORM,  # invalid for this type with closePosition; BEC
    -4137: Verdict.FORM,  # quantity must be zero with closePosition; BEC
    -4138: Verdict.FORM,  # reduceOnly must be true with closePosition; BEC
    -4061: Verdict.FORM,  # position side against the account's mode; BEC
    -4062: Verdict.FORM,  # reduceOnly combined wrongly (hedge mode); BEC
    -1014: Verdict.FORM,  # unsupported order combination; BEC
    -1020: Verdict.FORM,  # unsupported operation; BEC
    -1101: Verdict.FORM,  # too many parameters; BEC
    -1102: Verdict.FORM,  # a mandatory parameter is missing: the venue wants more than it did; BEC
    -1103: Verdict.FORM,  # unknown parameter; BEC
    -1104: Verdict.FORM,  # not all parameters were read; BEC
    -1105: Verdict.FORM,  # a parameter was empty; BEC
    -1106: Verdict.FORM,  # a parameter was not required: reduceOnly beside closePosition, by report; B4.5
    -1116: Verdict.FORM,  # invalid order type; BEC
    -5000: Verdict.FORM,  # path or method invalid; BEC
    404: Verdict.FORM,  # an endpoint that is not there (B36)
    405: Verdict.FORM,
    410: Verdict.FORM,
    -4130: Verdict.OCCUPIED,  # a closePosition order in this direction stands; B4.5 item 8
    -2021: Verdict.CROSSED,  # would immediately trigger; B10
    -4142: Verdict.CROSSED,  # the same, of stop and target; B10
    -2022: Verdict.PLACE,  # reduce-only: no position, or others cover it; B10
    -4118: Verdict.PLACE,  # reduce-only orders in the way; B10
    -4509: Verdict.PLACE,  # closePosition while flat; B4.5 item 8
    -4045: Verdict.PLACE,  # as many conditional orders as the account may have; B4.5 item 5
    -4016: Verdict.PLACE,  # price above the band; B4.8
    -4024: Verdict.PLACE,  # price below the band; B4.8
    -4131: Verdict.PLACE,  # the book is outside the band; B4.8
    -4210: Verdict.PLACE,  # trigger above the band; B4.8
    -4211: Verdict.PLACE,  # trigger below the band; B4.8
    -1122: Verdict.STATUS,  # symbol status; BEC
    -4108: Verdict.STATUS,  # symbol is settling or closed; BEC
    -4140: Verdict.STATUS,  # symbol status, for opening; BEC
    -4141: Verdict.STATUS,  # symbol is closed; BEC
    0: Verdict.PLACE,  # no code: it was taken, and ended by the venue later
    -1111: Verdict.RULES,  # more digits than the symbol has; B4.8
    -1013: Verdict.RULES,  # spot's word for a filter; here for the day futures use it
    -4001: Verdict.RULES,  # price at most zero; B4.8
    -4002: Verdict.RULES,  # price above the maximum; B4.8
    -4003: Verdict.RULES,  # quantity at most zero; B4.8
    -4004: Verdict.RULES,  # quantity below the least; B4.8
    -4005: Verdict.RULES,  # quantity above the most; B4.8
    -4006: Verdict.RULES,  # stop price at most zero; BEC
    -4007: Verdict.RULES,  # stop price above the maximum; BEC
    -4013: Verdict.RULES,  # price below the least; B4.8
    -4014: Verdict.RULES,  # price off the tick; B4.8
    -4023: Verdict.RULES,  # quantity off the step; B4.8
    -4164: Verdict.RULES,  # below the least notional, from which reduce-only is exempt; B10
    -1022: Verdict.KEY,  # signature; B10
    -2014: Verdict.KEY,  # key format; B10
    -2015: Verdict.KEY,  # key, address or permission; B10
    -2017: Verdict.KEY,  # keys are locked; BEC
    401: Verdict.KEY,  # B7.2
}


_OF_FORM: Final[dict[Verdict, bool | None]] = {
    Verdict.FORM: False,
    Verdict.KEY: None,
    Verdict.RULES: None,
    Verdict.UNSURE: None,
}


def takes_form(code: int) -> bool | None:
    """What a refusal says of the form it had: taken (something else was wrong), or not; None: nothing."""
    return _OF_FORM.get(verdict(code), True)


def verdict(code: int) -> Verdict:
    """``code``: the venue's, or an HTTP status where it gave none."""
    return _TABLE.get(code, Verdict.UNSURE)
