"""The fault seam: both flavours of unknown, exemptions, frames lost, late and doubled."""

from decimal import Decimal

import pytest

from chimera.simulate.door.messages import WireRequest
from chimera.simulate.trouble.faults import FrameFault, FrameTrouble, NoFaults, RequestFault, Trouble
from chimera.simulate.venue.audit import Kind

D = Decimal


class Once(NoFaults):
    """One fault on the next order placement."""

    def __init__(self, fault):
        self.fault = fault

    def on_request(self, request, now_ms):
        if request.method != "POST" or not request.path.endswith("rder"):
            return None
        fault, self.fault = self.fault, None
        return fault


class OnFrames(NoFaults):
    def __init__(self, fault):
        self.fault = fault

    def on_frame(self, frame, now_ms):
        return self.fault if frame.event == "TRADE_LITE" else None


def sent(desk, fault, **more):
    """Place a marketable order under ``fault``; the response as the client sees it."""
    desk.twin.faults = Once(fault)
    replies = []
    handle = desk.twin.handle
    desk.twin.handle = lambda request, now: replies.append(handle(request, now)) or WireFriendly(replies[-1])
    desk.call("POST", "v1/order", **desk.market_terms("BUY", "0.1") | more)
    desk.twin.handle = handle
    return replies[0]


class WireFriendly:
    """A response whose empty body parses."""

    def __init__(self, response):
        self.status = response.status
        self.response = response

    def json(self):
        return None if self.response.dropped else self.response.json()


@pytest.mark.parametrize("executed", [False, True])
@pytest.mark.parametrize(
    ("trouble", "status", "code"),
    [
        (Trouble.DROP, 0, None),
        (Trouble.UNKNOWN_503, 503, -1000),
        (Trouble.OVERLOADED_503, 503, -1008),
        (Trouble.TIMEOUT_1007, 408, -1007),
    ],
)
def test_an_unknown_outcome_may_have_happened_or_not(desk, trouble, status, code, executed):
    response = sent(desk, RequestFault(trouble=trouble, executed=executed))
    assert (response.status, response.dropped) == (status, trouble is Trouble.DROP)
    if code is not None:
        assert response.json()["code"] == code
    assert desk.position == (D("0.1") if executed else 0)
    assert [r.reason for r in desk.log(Kind.FAULT)] == [trouble]


@pytest.mark.parametrize(
    ("trouble", "status", "code"),
    [(Trouble.UNAVAILABLE_503, 503, 0), (Trouble.INTERNAL_503, 503, -1001), (Trouble.THROTTLED_503, 503, -1008)],
)
def test_a_sure_failure_never_happened(desk, trouble, status, code):
    response = sent(desk, RequestFault(trouble=trouble, executed=True))
    assert (response.status, response.json()["code"]) == (status, code)
    assert desk.position == 0


def test_exits_pass_system_protection(desk):
    desk.market("BUY", "0.2")
    response = sent(desk, RequestFault(trouble=Trouble.THROTTLED_503), side="SELL", reduceOnly="true")
    assert response.status == 200
    assert desk.position == D("0.1")


def test_a_named_refusal(desk):
    response = sent(desk, RequestFault(trouble=Trouble.REFUSE, code=-4120, msg="stop refused"))
    assert (response.status, response.json()) == (400, {"code": -4120, "msg": "stop refused"})
    assert desk.position == 0


def test_a_delay_is_executed_and_answered_late(desk):
    response = sent(desk, RequestFault(trouble=Trouble.DELAY, delay_ms=250))
    assert (response.status, response.delay_ms) == (200, 250)
    assert desk.position == D("0.1")


@pytest.mark.parametrize(
    ("trouble", "delays"),
    [(FrameTrouble.DROP, []), (FrameTrouble.DELAY, [40]), (FrameTrouble.DUPLICATE, [0, 40])],
)
def test_user_frames(desk, trouble, delays):
    desk.listen()
    desk.twin.faults = OnFrames(FrameFault(trouble=trouble, delay_ms=40))
    desk.market("BUY", "0.1")
    frames = desk.twin.drain()
    assert [f.delay_ms for f in frames if f.event == "TRADE_LITE"] == delays
    assert len([f for f in frames if f.event != "TRADE_LITE"]) == 3


def test_control_calls_are_never_troubled(desk):
    desk.twin.faults = Once(RequestFault(trouble=Trouble.DROP))
    assert desk.twin.handle(WireRequest(method="GET", path="/sim/state"), desk.now).status == 200
