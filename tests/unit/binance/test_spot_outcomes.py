"""Every spot answer is one of three errors or none; its sentence is read into a refusal of ours; no 5xx is certain."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.adapters.binance.spot.outcomes import refusal, throttled, trouble
from chimera.adapters.binance.transport import Reply
from chimera.trading.errors import ChimeraError, NotSent, OutcomeUnknown, VenueRejected
from chimera.trading.money import Millis
from chimera.trading.refusal import Refusal

NOW = Millis(1_763_635_200_000)
REJECTED = (
    -1002, -1013, -1014, -1016, -1020, -1022, -1023, -1099, -1100, -1102, -1106, -1111, -1112, -1116, -1121, -1128,
    -1145, -1158, -1165, -1168, -1196, -1199, -1210, -1225, -2010, -2011, -2013, -2014, -2015, -2016, -2026, -2035,
    -2036, -2038, -2039, -2042, -2043,
)  # fmt: skip
UNKNOWN = (-1, -1000, -1001, -1006, -1007, -1008, -1010, -2012, -2021, -2022, -2027, -4116, -5022, -9999)


def a_reply(status: int, code: int | None, msg: str = "text") -> Reply:
    body = msg.encode() if code is None else msgspec.json.encode({"code": code, "msg": msg})
    return Reply(status=status, headers={}, body=body)


@pytest.mark.req("S4-RETRY-1")
@pytest.mark.parametrize(
    ("codes", "kind"), [(REJECTED, VenueRejected), ((-1003, -1015, -1021), NotSent), (UNKNOWN, OutcomeUnknown)]
)
def test_each_code_has_its_class(codes: tuple[int, ...], kind: type[ChimeraError]) -> None:
    for code in codes:
        assert type(trouble(a_reply(400, code), NOW)) is kind, code


@pytest.mark.parametrize(
    ("code", "msg", "why"),
    [
        (-2010, "Account has insufficient balance for requested action.", Refusal.LACKS_BALANCE),
        (-2010, "Order would immediately match and take.", Refusal.WOULD_TAKE),
        (-2010, "Order would trigger immediately.", Refusal.WOULD_TRIGGER),
        (-2010, "The relationship of the prices for the orders is not correct.", Refusal.BAD_PRICES),
        (-2010, "Market is closed.", Refusal.MARKET_CLOSED),
        (-2010, "This symbol is not permitted for this account.", Refusal.NOT_PERMITTED),
        (-2010, "This symbol is restricted for this account.", Refusal.NOT_PERMITTED),
        (-2010, "This action is disabled on this account.", Refusal.NOT_PERMITTED),
        (-2010, "This account may not place or cancel orders.", Refusal.NOT_PERMITTED),
        (-2010, "Rest API trading is not enabled.", Refusal.NOT_PERMITTED),
        (-2010, "Order book liquidity is less than `LOT_SIZE` filter minimum quantity.", Refusal.THIN_BOOK),
        (-2010, "Price * QTY is zero or less.", Refusal.QTY_RULE),
        (-2010, "Unsupported order combination", Refusal.UNSUPPORTED),
        (-2010, "Limit orders are not supported for this symbol.", Refusal.UNSUPPORTED),
        (-2010, "The stars are wrong.", Refusal.OTHER),
        (-1010, "Market is closed.", Refusal.MARKET_CLOSED),
        (-1013, "Order would trigger immediately.", Refusal.WOULD_TRIGGER),  # before the matching engine
        (-1013, "Filter failure: PRICE_FILTER", Refusal.PRICE_RULE),
        (-1013, "Filter failure: PERCENT_PRICE_BY_SIDE", Refusal.PRICE_BAND),
        (-1013, "Filter failure: LOT_SIZE", Refusal.QTY_RULE),
        (-1013, "Filter failure: MARKET_LOT_SIZE", Refusal.QTY_RULE),
        (-1013, "Filter failure: NOTIONAL", Refusal.NOTIONAL),
        (-1013, "Filter failure: MIN_NOTIONAL", Refusal.NOTIONAL),
        (-1013, "Filter failure: MAX_POSITION", Refusal.MAX_POSITION),
        (-1013, "Filter failure: MAX_NUM_ALGO_ORDERS", Refusal.TOO_MANY),
        (-1013, "Filter failure: MAX_NUM_ORDER_LISTS", Refusal.TOO_MANY),
        (-1013, "Filter failure: EXCHANGE_MAX_NUM_ORDERS", Refusal.TOO_MANY),
        (-1013, "Filter failure: NEWLY_MADE", Refusal.FILTER),
        (-1013, "The stars are wrong.", Refusal.FILTER),
        (-1013, "Invalid quantity.", Refusal.QTY_RULE),
        (-1013, "Invalid price.", Refusal.PRICE_RULE),
        (-1013, "Stop loss orders are not supported for this symbol.", Refusal.UNSUPPORTED),
        (-1111, "Parameter 'quantity' has too much precision.", Refusal.TOO_PRECISE),
        (-1197, "A stop loss order in a sell OCO must be below.", Refusal.BAD_PRICES),
        (-2011, "Unknown order sent.", Refusal.NOT_OPEN),
        (-2011, "Order was not canceled due to cancel restrictions.", Refusal.OTHER),
        (-1022, "Signature for this request is not valid.", Refusal.SIGNATURE),
        (-2014, "API-key format invalid.", Refusal.KEY),
        (-2015, "Invalid API-key, IP, or permissions for action.", Refusal.KEY),
        (-1002, "You are not authorized to execute this request.", Refusal.NOT_PERMITTED),
        (-1102, "Mandatory parameter was not sent.", Refusal.MALFORMED),
        (-1122, "Invalid symbol status.", Refusal.MARKET_CLOSED),
        (-1121, "Invalid symbol.", None),
    ],
)
def test_the_sentence_is_read_into_a_word_of_ours(code: int, msg: str, why: Refusal | None) -> None:
    error = trouble(a_reply(400, code, msg), NOW)

    assert isinstance(error, VenueRejected)
    assert (error.code, error.message, error.refusal) == (code, msg, why)


@pytest.mark.parametrize("code", [-2010, -1013, -1010])
def test_a_duplicate_is_proof_of_life_and_no_refusal(code: int) -> None:
    assert isinstance(trouble(a_reply(400, code, "Duplicate order sent."), NOW), OutcomeUnknown)


@pytest.mark.req("S4-RETRY-2")
@given(st.integers(500, 599), st.none() | st.integers(-9999, 0), st.text(max_size=60))
def test_no_5xx_is_certain(status: int, code: int | None, msg: str) -> None:
    if code in (-1003, -1015):
        return  # the door's own words, whatever the status
    assert isinstance(trouble(a_reply(status, code, msg), NOW), OutcomeUnknown)


@given(st.integers(-9999, -1), st.text(max_size=60))
def test_an_unheard_of_code_is_never_called_certain(code: int, msg: str) -> None:
    error = trouble(a_reply(400, code, msg), NOW)

    assert isinstance(error, VenueRejected | NotSent | OutcomeUnknown)
    if isinstance(error, VenueRejected):
        assert refusal(code, msg) is error.refusal
        assert -2100 < code < -1000


def test_overload_makes_entries_rest() -> None:
    assert throttled(b'{"code":-1008,"msg":"Server is currently overloaded with other requests."}')
    assert not throttled(b'{"code":-2010,"msg":"Request throttled by system-level protection"}')
