"""Every answer is one of three errors or none, and an unheard-of one is never called certain."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.adapters.binance.outcomes import trouble
from chimera.adapters.binance.transport import Reply
from chimera.trading.errors import ChimeraError, NotSent, OutcomeUnknown, VenueRejected
from chimera.trading.money import Millis

NOW = Millis(1_763_635_200_000)
REJECTED = (
    -1002, -1013, -1014, -1016, -1020, -1022, -1023, -1099, -1100, -1101, -1102, -1103, -1104, -1105, -1106, -1108,
    -1111, -1112, -1114, -1115, -1116, -1117, -1118, -1119, -1121, -1122, -1125, -1127, -1128, -1130, -1134, -1135,
    -1136, -1145, -2010, -2011, -2013, -2014, -2015, -2016, -2017, -2018, -2019, -2020, -2021, -2022, -2023, -2024,
    -2025, -2026, -2027, -2028, -4001, -4002, -4003, -4004, -4005, -4006, -4007, -4013, -4014, -4015, -4016, -4023,
    -4024, -4028, -4031, -4045, -4046, -4047, -4048, -4059, -4060, -4061, -4062, -4067, -4068, -4087, -4088, -4105,
    -4106, -4107, -4109, -4116, -4117, -4118, -4120, -4130, -4131, -4135, -4137, -4138, -4140, -4141, -4142, -4161,
    -4164, -4168, -4183, -4184, -4189, -4192, -4202, -4209, -4210, -4211, -4400, -4401, -4402, -4403, -4509, -4531,
    -5000, -5021, -5022, -5024, -5025, -5026, -5027, -5029, -5037, -5038, -5039, -5040, -5041, -5043, -5047,
)  # fmt: skip
NOT_SENT = (-1003, -1015, -1021, -5028)
UNKNOWN = (-1000, -1001, -1006, -1007, -1008, -1010, -1, -999, -1005, -2029, -3000, -5001, -5030, -5042, -6000, -9999)
THROTTLED = (
    "Request throttled by system-level protection. Reduce-only/close-position orders are exempt. Please try again."
)
OVERLOADED = "Server is currently overloaded with other requests. Please try again in a few minutes."
UNKNOWN_ERROR = "Unknown error, please check your request or try again later."
INTERNAL = "Internal error; unable to process your request. Please try again."


def a_reply(status: int, code: int | None = None, msg: str = "text", headers: dict[str, str] | None = None) -> Reply:
    body = msg.encode() if code is None else msgspec.json.encode({"code": code, "msg": msg})
    return Reply(status=status, headers=headers or {}, body=body)


@pytest.mark.req("S4-RETRY-1")
@pytest.mark.parametrize(("codes", "kind"), [(REJECTED, VenueRejected), (NOT_SENT, NotSent), (UNKNOWN, OutcomeUnknown)])
def test_each_code_has_its_class(codes: tuple[int, ...], kind: type[ChimeraError]) -> None:
    for code in codes:
        error = trouble(a_reply(400, code), NOW)
        assert type(error) is kind, code
        if isinstance(error, VenueRejected):
            assert error.code == code


@pytest.mark.req("S4-RETRY-2")
@pytest.mark.parametrize(
    ("status", "code", "msg", "kind"),
    [
        (503, -1000, UNKNOWN_ERROR, OutcomeUnknown),
        (503, 0, "Service Unavailable.", NotSent),
        (503, None, "Service Unavailable.", NotSent),
        (503, -1001, INTERNAL, OutcomeUnknown),  # the documents differ between markets: the careful one
        (503, -1008, THROTTLED, NotSent),
        (503, -1008, OVERLOADED, OutcomeUnknown),
        (400, -1008, THROTTLED, NotSent),
        (503, None, "<html>gateway</html>", OutcomeUnknown),
        (500, -4001, "a code of a certain family under an uncertain status", OutcomeUnknown),
        (502, None, "Service Unavailable.", OutcomeUnknown),
        (504, None, "", OutcomeUnknown),
        (408, -1007, "Timeout waiting for response from backend server.", OutcomeUnknown),
        (408, -4001, "x", OutcomeUnknown),
        (400, None, "not json", OutcomeUnknown),
        (400, -2010, "Duplicate order sent.", OutcomeUnknown),
        (401, -2015, "Invalid API-key, IP, or permissions for action.", VenueRejected),
        (401, None, "", VenueRejected),
        (403, None, "<html>firewall</html>", OutcomeUnknown),
        (403, -4001, "x", OutcomeUnknown),
        (404, None, "nothing here", VenueRejected),
        (410, None, "gone", VenueRejected),
        (302, None, "", OutcomeUnknown),
        (429, -1003, "Too many requests", NotSent),
        (418, None, "", NotSent),
        (200, -2013, "Order does not exist.", VenueRejected),
        (200, -1007, "Timeout", OutcomeUnknown),
    ],
)
@pytest.mark.fault("B9", "B5")
def test_status_and_text_decide_where_they_must(status: int, code: int | None, msg: str, kind: type) -> None:
    assert type(trouble(a_reply(status, code, msg), NOW)) is kind


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"orderId":1}', b'{"code":200,"msg":"done"}', b'{"code":"200"}', b""])
def test_a_2xx_without_an_error_code_is_no_trouble(body: bytes) -> None:
    assert trouble(Reply(status=200, headers={}, body=body), NOW) is None


@pytest.mark.req("S4-RETRY-1")
@pytest.mark.parametrize(
    ("headers", "msg", "wait_ms"),
    [
        ({"retry-after": "30"}, "", 30_000),
        ({}, f"Way too many requests; IP(1.2.3.4) banned until {NOW + 120_000}. Please use", 120_000),
        ({}, f"banned until {NOW - 5}", 0),
        ({"retry-after": "soon"}, "no number", None),
        ({"retry-after": "9" * 40}, "", 7 * 86_400_000),
        ({}, "no hint", None),
    ],
)
def test_a_limit_says_when_to_come_back(headers: dict[str, str], msg: str, wait_ms: int | None) -> None:
    error = trouble(a_reply(429, -1003, msg, headers), NOW)

    assert isinstance(error, NotSent)
    assert error.retry_after_ms == wait_ms


@given(status=st.integers(100, 599), body=st.binary(max_size=80) | st.from_regex(rb'\{"code":-?[0-9]{1,25}\}'))
@pytest.mark.fault("B34")
def test_no_bytes_break_it(status: int, body: bytes) -> None:
    error = trouble(Reply(status=status, headers={}, body=body), NOW)

    assert error is None or isinstance(error, ChimeraError)
    assert error is not None or 200 <= status < 300
