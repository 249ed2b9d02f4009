"""One table: what a spot answer means, by the two questions of ``trading.errors``, and why it said no.

Spot puts most refusals under -2010 and -1013, and the reason into the text; what is refused before the matching engine
carries the texts of -2010 under -1013. This is the only place that reads them. What no row knows may have happened,
and every 5xx may have. Sources: S = Binance Spot errors.md; 7.4 = the project's Binance reference, "Executed, not
executed, unknown".
"""

from typing import Final

from chimera.adapters.binance.outcomes import judged, said
from chimera.adapters.binance.transport import Reply
from chimera.trading.errors import ChimeraError, NotSent, OutcomeUnknown, VenueRejected
from chimera.trading.money import Millis
from chimera.trading.refusal import Refusal

ARCHIVED: Final = -2026  # ended unfilled more than 90 days ago
OVERLOADED: Final = -1008
_FILTERED: Final = -1013  # a filter, or a sentence of -2010 that was said before the matching engine
_ENGINE: Final = -1010  # the matching engine's words, whatever they are
_BY_TEXT: Final = frozenset({_FILTERED, _ENGINE, -2010})
_FILTER: Final = "filter failure: "
_DUPLICATE: Final = "duplicate order"

# Lowest and highest code of each certain family, and who says so.
_REJECTED: Final[tuple[tuple[int, int, str], ...]] = (
    (-1002, -1002, "not authorised; S"),
    (-1014, -1013, "-1013 filters and the texts of -2010, -1014 unsupported combination; 7.4"),
    (-1016, -1016, "service shut down; S"),
    (-1020, -1020, "unsupported operation; S"),
    (-1023, -1022, "-1022 bad signature, -1023 start after end; 7.4"),
    (-1099, -1099, "not found, unauthenticated or unauthorised; S"),
    (-1225, -1100, "-11xx and -12xx: parameters, shapes of lists, pegs; 7.4"),
    (-2011, -2010, "-2010 order rejected, -2011 cancel rejected: it ended some way, ask; 7.4"),
    (-2016, -2013, "-2013 no such order (no proof by itself), -2014 and -2015 key, -2016 no window; 7.4"),
    (-2026, -2026, "archived; S"),
    (-2036, -2035, "user stream subscribed already, or not; S"),
    (-2039, -2038, "-2038 amend refused, -2039 two ids of two orders; S"),
    (-2043, -2042, "-2042 no subscription ids left, -2043 no reference price; S"),
)
_NOT_SENT: Final[dict[int, str]] = {
    -1003: "too many requests; 7.2",
    -1015: "too many new orders; 7.2",
    -1021: "time stamp outside recvWindow or ahead; 7.4",
}
_FILTERS: Final[dict[str, Refusal]] = {
    "PRICE_FILTER": Refusal.PRICE_RULE,
    "PERCENT_PRICE": Refusal.PRICE_BAND,
    "PERCENT_PRICE_BY_SIDE": Refusal.PRICE_BAND,
    "LOT_SIZE": Refusal.QTY_RULE,
    "MARKET_LOT_SIZE": Refusal.QTY_RULE,
    "MIN_NOTIONAL": Refusal.NOTIONAL,
    "NOTIONAL": Refusal.NOTIONAL,
    "MAX_POSITION": Refusal.MAX_POSITION,
    "MAX_ASSET": Refusal.MAX_POSITION,
    "TRAILING_DELTA": Refusal.UNSUPPORTED,
    "ICEBERG_PARTS": Refusal.UNSUPPORTED,
}
_COUNTS: Final = ("MAX_NUM_", "EXCHANGE_MAX_")
_TEXTS: Final[tuple[tuple[str, Refusal], ...]] = (  # in lower case, the first that is in the text
    ("insufficient balance", Refusal.LACKS_BALANCE),
    ("immediately match", Refusal.WOULD_TAKE),
    ("trigger immediately", Refusal.WOULD_TRIGGER),
    ("relationship of the prices", Refusal.BAD_PRICES),
    ("market is closed", Refusal.MARKET_CLOSED),
    ("this symbol is not permitted", Refusal.NOT_PERMITTED),
    ("this symbol is restricted", Refusal.NOT_PERMITTED),
    ("disabled on this account", Refusal.NOT_PERMITTED),
    ("may not place or cancel", Refusal.NOT_PERMITTED),
    ("trading is not enabled", Refusal.NOT_PERMITTED),
    ("order book liquidity", Refusal.THIN_BOOK),
    ("qty is zero or less", Refusal.QTY_RULE),
    ("invalid quantity", Refusal.QTY_RULE),
    ("invalid price", Refusal.PRICE_RULE),
    ("unsupported order combination", Refusal.UNSUPPORTED),
    ("not supported for this symbol", Refusal.UNSUPPORTED),
)
_BY_CODE: Final[dict[int, Refusal]] = {
    -1111: Refusal.TOO_PRECISE,
    -1112: Refusal.THIN_BOOK,
    -1002: Refusal.NOT_PERMITTED,
    -1014: Refusal.UNSUPPORTED,
    -1020: Refusal.UNSUPPORTED,
    -1158: Refusal.UNSUPPORTED,
    -1165: Refusal.BAD_PRICES,
    -1166: Refusal.BAD_PRICES,
    -1196: Refusal.BAD_PRICES,
    -1197: Refusal.BAD_PRICES,
    -1198: Refusal.BAD_PRICES,
    -1199: Refusal.BAD_PRICES,
    -1101: Refusal.MALFORMED,
    -1102: Refusal.MALFORMED,
    -1103: Refusal.MALFORMED,
    -1104: Refusal.MALFORMED,
    -1105: Refusal.MALFORMED,
    -1106: Refusal.MALFORMED,
    -1116: Refusal.MALFORMED,
    -1122: Refusal.MARKET_CLOSED,
    -1022: Refusal.SIGNATURE,
    -2014: Refusal.KEY,
    -2015: Refusal.KEY,
}
_OF_RULES: Final = frozenset({_FILTERED, -1111, -1122})  # what rules of the symbol read anew may explain


def trouble(reply: Reply, server_ms: Millis) -> ChimeraError | None:
    """What a spot reply says went wrong, or None for a 2xx without an error body. ``server_ms`` dates ban texts."""
    return judged(reply, server_ms, by_code, _server_error)


def by_code(code: int, text: str) -> ChimeraError:
    """The meaning of a spot error code and the sentence beside it."""
    if code in _NOT_SENT:
        return NotSent(f"{code}: {text}")
    if code in _BY_TEXT and _DUPLICATE in text.lower():
        return OutcomeUnknown(f"{code}: {text}")  # an order with this id lives: ask for it
    meant = refusal(code, text)
    if code == _ENGINE and meant in (None, Refusal.OTHER):
        return OutcomeUnknown(f"{code}: {text}")
    if code == _ENGINE or any(low <= code <= high for low, high, _ in _REJECTED):
        return VenueRejected(code, text, meant, of_rules=code in _OF_RULES)
    return OutcomeUnknown(f"{code}: {text}")  # -1000, -1001, -1006, -1007, -1008, and the unheard of


def refusal(code: int, text: str) -> Refusal | None:
    """Why it said no; None where the code says all there is."""
    if code in _BY_TEXT:
        meant = _read(text.lower())
        return Refusal.FILTER if code == _FILTERED and meant is Refusal.OTHER else meant
    if code == -2011:
        return Refusal.OTHER if "restrictions" in text else Refusal.NOT_OPEN
    return _BY_CODE.get(code)


def throttled(body: bytes) -> bool:
    """Whether the venue sheds load: -1008, of which spot exempts nobody."""
    return said(body)[0] == OVERLOADED


def _read(text: str) -> Refusal:
    if text.startswith(_FILTER):
        name = text.removeprefix(_FILTER).strip().rstrip(".").upper()
        return Refusal.TOO_MANY if name.startswith(_COUNTS) else _FILTERS.get(name, Refusal.OTHER)
    return next((meant for words, meant in _TEXTS if words in text), Refusal.OTHER)


def _server_error(status: int, code: int | None, text: str) -> ChimeraError:
    """Always unknown (S, "general information on endpoints")."""
    return OutcomeUnknown(f"HTTP {status} {code or ''} {text}".strip())
