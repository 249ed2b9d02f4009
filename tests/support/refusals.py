"""A venue's no as its owner hears it: the one place where tests turn futures' codes into refusals of ours."""

from chimera.adapters.binance.outcomes import by_code
from chimera.adapters.binance.refusals import BY_CODE, BY_STATUS
from chimera.trading.errors import VenueRejected
from chimera.trading.facts import PlaceRefused
from chimera.trading.ids import ClientOrderId
from chimera.trading.refusal import Refusal


def refusal_of(code: int) -> Refusal | None:
    """``code``: futures', or an HTTP status."""
    return BY_STATUS.get(code) if code > 0 else BY_CODE.get(code)


def said_no(ref: ClientOrderId, code: int, message: str = "no") -> PlaceRefused:
    return PlaceRefused(ref=ref, code=code, message=message, refusal=refusal_of(code))


def rejected(code: int, message: str = "no") -> VenueRejected:
    """As the adapter raises it."""
    if code > 0:
        return VenueRejected(code, message, BY_STATUS.get(code))
    error = by_code(code, message)
    assert isinstance(error, VenueRejected), code
    return error
