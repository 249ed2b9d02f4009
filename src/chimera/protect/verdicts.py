"""What a refusal of a stop or target says: of the form it had, of its price, of our rules, of the key. One table.

What no row knows is UNSURE: the next try takes another form, and there are few of them (incident 2). It does not know
any venue's codes: an adapter has read them (``trading.refusal``).
"""

from enum import StrEnum
from typing import Final

from chimera.trading.refusal import Refusal


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


_TABLE: Final[dict[Refusal, Verdict]] = {
    Refusal.UNSUPPORTED: Verdict.FORM,
    Refusal.ACCOUNT_MODE: Verdict.FORM,
    Refusal.MALFORMED: Verdict.FORM,
    Refusal.NO_ENDPOINT: Verdict.FORM,
    Refusal.OCCUPIED: Verdict.OCCUPIED,
    Refusal.WOULD_TRIGGER: Verdict.CROSSED,
    Refusal.NOTHING_TO_REDUCE: Verdict.PLACE,
    Refusal.TOO_MANY: Verdict.PLACE,
    Refusal.PRICE_BAND: Verdict.PLACE,
    Refusal.KEPT_BACK: Verdict.PLACE,
    Refusal.ENDED: Verdict.PLACE,
    Refusal.MARKET_CLOSED: Verdict.STATUS,
    Refusal.FILTER: Verdict.RULES,
    Refusal.TOO_PRECISE: Verdict.RULES,
    Refusal.PRICE_RULE: Verdict.RULES,
    Refusal.QTY_RULE: Verdict.RULES,
    Refusal.NOTIONAL: Verdict.RULES,
    Refusal.KEY: Verdict.KEY,
    Refusal.SIGNATURE: Verdict.KEY,
}
_OF_FORM: Final[dict[Verdict, bool | None]] = {
    Verdict.FORM: False,
    Verdict.KEY: None,
    Verdict.RULES: None,
    Verdict.UNSURE: None,
}


def takes_form(refusal: Refusal | None) -> bool | None:
    """What a refusal says of the form it had: taken (something else was wrong), or not; None: nothing."""
    return _OF_FORM.get(verdict(refusal), True)


def verdict(refusal: Refusal | None) -> Verdict:
    """``refusal``: None where nobody has read the venue's code."""
    return Verdict.UNSURE if refusal is None else _TABLE.get(refusal, Verdict.UNSURE)
