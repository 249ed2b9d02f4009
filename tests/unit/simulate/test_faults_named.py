"""Every named fault on the real twin: it happens as named, and book and audit say what really happened."""

from decimal import Decimal
from pathlib import Path

import pytest
from trading_desk import Desk

from chimera.simulate.door.messages import WireRequest
from chimera.simulate.keeping.whole import Kept
from chimera.simulate.trouble.catalogue import CATALOGUE
from chimera.simulate.trouble.match import Match
from chimera.simulate.trouble.scenario import Fault, Scenario, When
from chimera.simulate.twin import Twin
from chimera.simulate.venue.audit import Kind
from chimera.wire import codec

D = Decimal


ALL, ALWAYS = Match(), When()


def arm(desk: Desk, name: str, match: Match = ALL, when: When = ALWAYS, count: int | None = None, **params) -> str:
    """Arm one fault by its name from now on; its id."""
    fault = Fault(name=name, match=match, when=when, count=count, params=params)
    return desk.twin.faults.arm([fault], desk.now)[0]


def sent(desk: Desk, method: str, path: str, **params):
    """A signed call; the response as the client sees it, and its lateness."""
    replies, handle = [], desk.twin.handle

    def listen(request: WireRequest, now_ms: int):
        replies.append(handle(request, now_ms))
        return replies[-1].but(status=0, body=b"null") if replies[-1].dropped else replies[-1]

    desk.twin.handle = listen
    desk.call(method, path, **params)
    desk.twin.handle = handle
    return replies[0]


def bought(desk: Desk, **more):
    return sent(desk, "POST", "v1/order", **desk.market_terms("BUY", "0.1") | more)


def struck(desk: Desk) -> list[tuple[str, str]]:
    return [(record.reason, record.status) for record in desk.log(Kind.FAULT)]


# ── requests ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_latency_is_drawn_by_seed(new_desk):
    def waits(seed: int) -> list[int]:
        desk = new_desk(seed=seed)
        desk.top("65799.9", "65800.0")
        arm(desk, "latency", spread="uniform", least_ms=10, most_ms=90)
        return [sent(desk, "GET", "v1/ping").delay_ms for _ in range(20)]

    assert waits(1) == waits(1) != waits(2)
    assert all(10 <= wait <= 90 for wait in waits(1))


def test_latency_on_the_way_in_makes_a_request_too_old(desk):
    arm(desk, "latency", way="in", ms=6_000)
    request = WireRequest(method="POST", path="/fapi/v1/order")
    wait = desk.twin.lag_ms(request, desk.now)
    signed_at, desk.now = desk.now, desk.now + wait
    assert wait == 6_000
    assert desk.code("POST", "v1/order", **desk.market_terms("BUY", "0.1"), timestamp=signed_at) == -1021
    assert desk.position == 0


def test_latency_before_the_matching_engine_makes_an_order_too_old_for_it(desk):
    arm(desk, "latency", way="engine", ms=6_000)
    assert desk.code("POST", "v1/order", **desk.market_terms("BUY", "0.1")) == -5028
    assert desk.position == 0
    assert desk.ok("POST", "v1/order", **desk.market_terms("BUY", "0.1"), recvWindow=7_000)["status"] == "FILLED"


def test_latency_adds_to_another_fault(desk):
    arm(desk, "latency", ms=30)
    arm(desk, "unavailable_503")
    response = bought(desk)
    assert (response.status, response.delay_ms) == (503, 30)


def test_a_late_ack_comes_after_its_fill_events(desk):
    desk.listen()
    arm(desk, "late_ack", ms=400)
    response = bought(desk)
    frames = desk.twin.drain()
    assert (response.status, response.delay_ms) == (200, 400)
    assert [frame.delay_ms for frame in frames if frame.event == "ORDER_TRADE_UPDATE"] == [0, 0]
    assert struck(desk) == [("late_ack", "executed")]


@pytest.mark.parametrize(("name", "executed"), [("timeout_before", False), ("timeout_after", True)])
def test_a_time_out_before_or_after_acceptance(desk, name, executed):
    arm(desk, name, hang_ms=800, count=1)
    response = bought(desk, newClientOrderId="lost-1")
    assert (response.dropped, response.delay_ms, response.body) == (True, 800, b"")
    assert struck(desk) == [(name, "executed" if executed else "not executed")]
    assert desk.position == (D("0.1") if executed else 0)
    asked = {"symbol": "BTCUSDT", "origClientOrderId": "lost-1"}
    assert (
        desk.ok("GET", "v1/order", **asked)["status"] == "FILLED"
        if executed
        else (desk.code("GET", "v1/order", **asked) == -2013)
    )


@pytest.mark.parametrize("executed", [0, 1])
@pytest.mark.parametrize(
    ("name", "status", "code", "text"),
    [
        ("unknown_503", 503, -1000, "Unknown error, please check your request or try again later."),
        ("overloaded_503", 503, -1008, "Server is currently overloaded with other requests."),
        ("unexpected_1006", 500, -1006, "An unexpected response was received from the message bus."),
        ("timeout_1007", 408, -1007, "Timeout waiting for response from backend server."),
    ],
)
def test_an_open_outcome_is_told_by_the_audit(desk, name, status, code, text, executed):
    arm(desk, name, executed=D(executed))
    response = bought(desk)
    assert (response.status, response.json()["code"]) == (status, code)
    assert response.json()["msg"].startswith(text)
    assert struck(desk) == [(name, "executed" if executed else "not executed")]
    assert desk.position == (D("0.1") if executed else 0)


def test_whether_an_open_outcome_was_executed_is_drawn(desk):
    arm(desk, "unknown_503")
    for _ in range(30):
        bought(desk, quantity="0.001")
    told = [status for _, status in struck(desk)]
    assert 5 < told.count("executed") < 25
    assert desk.position == D("0.001") * told.count("executed")


@pytest.mark.parametrize(
    ("name", "code", "text"),
    [
        ("unavailable_503", 0, "Service Unavailable."),
        ("internal_503", -1001, "Internal error; unable to process your request. Please try again."),
        ("throttled_503", -1008, "Request throttled by system-level protection."),
    ],
)
def test_a_sure_failure_never_happened(desk, name, code, text):
    arm(desk, name)
    response = bought(desk)
    assert (response.status, response.json()["code"]) == (503, code)
    assert response.json()["msg"].startswith(text)
    assert (desk.position, struck(desk)) == (0, [(name, "not executed")])


def test_system_protection_lets_exits_and_cancels_pass(desk):
    desk.market("BUY", "0.1")
    desk.limit("BUY", "0.1", "65000", newClientOrderId="rests")
    arm(desk, "throttled_503")
    assert bought(desk).status == 503
    assert bought(desk, side="SELL", reduceOnly="true").status == 200
    desk.ok("DELETE", "v1/order", symbol="BTCUSDT", origClientOrderId="rests")
    assert desk.position == 0


def test_a_rate_limit_storm_turns_into_a_ban_for_who_does_not_wait(desk):
    arm(desk, "rate_limit_storm", retry_ms=4_000, patience=2, ban_ms=120_000)
    first, second, third = (sent(desk, "GET", "v3/balance") for _ in range(3))
    assert [first.status, second.status, third.status] == [429, 429, 418]
    assert (first.headers["Retry-After"], third.headers["Retry-After"]) == ("4", "120")
    assert str(desk.now + 120_000) in third.json()["msg"]
    desk.now += 119_000
    assert sent(desk, "GET", "v1/ping").status == 418
    desk.now += 1_000
    assert sent(desk, "GET", "v3/balance").status == 200


def test_who_waits_out_a_storm_is_not_banned(desk):
    arm(desk, "rate_limit_storm", retry_ms=4_000, patience=2)
    assert bought(desk).status == 429
    desk.now += 4_000
    assert bought(desk).status == 200
    assert desk.position == D("0.1")


def test_maintenance_refuses_all_and_ends_streams_until_it_is_over(desk):
    desk.market("BUY", "0.1")
    arm(desk, "maintenance", when=When(from_ms=1_000, to_ms=61_000))
    desk.now += 1_000
    response = bought(desk)
    assert (response.status, response.json()["code"]) == (503, -1016)
    cut = desk.twin.drain()
    assert [(frame.route, frame.event) for frame in cut if not frame.ends] == [
        ("spot", "serverShutdown"),
        ("spot_private", "serverShutdown"),
    ]
    assert any(frame.ends for frame in cut)
    assert not desk.twin.admits("private", desk.now)
    desk.now += 60_000
    assert desk.position == D("0.1")
    assert desk.twin.admits("private", desk.now)


def test_too_little_balance_refuses_new_risk_only(desk):
    desk.market("BUY", "0.1")
    arm(desk, "balance_too_low")
    response = bought(desk)
    assert response.json() == {"code": -2019, "msg": "Margin is insufficient."}
    assert bought(desk, side="SELL", reduceOnly="true").status == 200
    assert desk.position == 0


def test_a_balance_read_answers_zeros_once(desk):
    before = desk.ok("GET", "v3/balance")
    arm(desk, "zero_balance_read")
    [zero] = desk.ok("GET", "v3/balance")
    assert (zero["asset"], D(zero["balance"]), D(zero["availableBalance"])) == ("USDT", 0, 0)
    assert desk.ok("GET", "v3/balance") == before
    assert struck(desk) == [("zero_balance_read", "executed")]


def test_reads_lag_behind_a_placement(desk):
    arm(desk, "read_lag", ms=500)
    desk.market("BUY", "0.1", newClientOrderId="new-1")
    asked = {"symbol": "BTCUSDT", "origClientOrderId": "new-1"}
    assert desk.code("GET", "v1/order", **asked) == -2013
    assert desk.position == D("0.1")
    desk.now += 500
    assert desk.ok("GET", "v1/order", **asked)["status"] == "FILLED"


def test_lists_of_trades_lag_behind_order_and_position(desk):
    arm(desk, "trades_lag", ms=2_000)
    desk.market("BUY", "0.1")
    assert desk.ok("GET", "v1/userTrades", symbol="BTCUSDT") == []
    assert desk.position == D("0.1")
    desk.now += 2_000
    assert [row["qty"] for row in desk.ok("GET", "v1/userTrades", symbol="BTCUSDT")] == ["0.100"]
    assert struck(desk) == [("trades_lag", "executed"), ("trades_lag", "executed")]


@pytest.mark.parametrize(("params", "code"), [({}, -2021), ({"code": -4120}, -4120), ({"code": -9, "msg": "no"}, -9)])
def test_a_stop_is_refused_and_the_position_stays_bare(desk, params, code):
    desk.market("BUY", "0.1")
    arm(desk, "stop_refused", **params)
    assert desk.code("POST", "v1/algoOrder", **desk.stop_terms("SELL", "65000", quantity="0.1")) == code
    assert desk.ok("GET", "v1/openAlgoOrders") == []
    assert bought(desk).status == 200, "only stops are refused"


def test_a_request_is_refused_with_a_code(desk):
    arm(desk, "refused", match=Match(client_id="s3-"), code=-4131)
    assert desk.code("POST", "v1/order", **desk.market_terms("BUY", "0.1"), newClientOrderId="s3-1") == -4131
    assert bought(desk, newClientOrderId="other-1").status == 200


def test_a_fault_is_aimed_by_symbol_account_and_method(desk):
    arm(desk, "unavailable_503", match=Match(symbol="ETH*"))
    assert bought(desk).status == 200
    arm(desk, "unavailable_503", match=Match(account="nobody"))
    assert bought(desk).status == 200
    arm(desk, "unavailable_503", match=Match(account=desk.account.name, method="DELETE"))
    assert bought(desk).status == 200
    assert sent(desk, "DELETE", "v1/order", symbol="BTCUSDT", origClientOrderId="x").status == 503


# ── streams ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def events(desk: Desk) -> list[tuple[str, int]]:
    return [(frame.event, frame.delay_ms) for frame in desk.twin.drain()]


FILL = [("ORDER_TRADE_UPDATE", 0), ("TRADE_LITE", 0), ("ACCOUNT_UPDATE", 0), ("ORDER_TRADE_UPDATE", 0)]


def test_a_frame_is_dropped(desk):
    desk.listen()
    arm(desk, "frame_drop", match=Match(event="ACCOUNT_*"))
    desk.market("BUY", "0.1")
    assert events(desk) == [each for each in FILL if each[0] != "ACCOUNT_UPDATE"]
    assert desk.position == D("0.1")
    [lost] = desk.log(Kind.FAULT)
    assert (lost.reason, lost.type, lost.account) == ("frame_drop", "ACCOUNT_UPDATE", "main")


def test_a_frame_comes_twice(desk):
    desk.listen()
    arm(desk, "frame_duplicate", match=Match(event="TRADE_LITE"), after_ms=70)
    desk.market("BUY", "0.1")
    assert events(desk) == [*FILL[:2], ("TRADE_LITE", 70), *FILL[2:]]


def test_a_frame_comes_late(desk):
    desk.listen()
    arm(desk, "frame_delay", match=Match(event="TRADE_LITE"), ms=900)
    desk.market("BUY", "0.1")
    assert events(desk) == [FILL[0], ("TRADE_LITE", 900), *FILL[2:]]


def test_a_frame_comes_after_the_next_but_not_after_its_own_type(desk):
    desk.listen()
    fault = arm(desk, "frame_reorder", match=Match(event="ACCOUNT_UPDATE"))
    desk.market("BUY", "0.1")
    assert events(desk) == [*FILL[:2], FILL[3], FILL[2]]
    desk.twin.faults.clear([fault])
    arm(desk, "frame_reorder", match=Match(event="ORDER_TRADE_UPDATE"), most_ms=300)
    desk.limit("BUY", "0.1", "65000", newClientOrderId="rests")
    desk.ok("DELETE", "v1/order", symbol="BTCUSDT", origClientOrderId="rests")
    first = [frame.json()["o"]["X"] for frame in desk.twin.drain()]
    desk.now += 300
    desk.twin.tick(desk.now)
    assert first + [frame.json()["o"]["X"] for frame in desk.twin.drain()] == ["NEW", "CANCELED"]


def test_a_stream_goes_silent_and_stays_connected(desk):
    desk.listen()
    arm(desk, "stream_silent", for_ms=5_000)
    desk.market("BUY", "0.1")
    assert events(desk) == []
    desk.now += 5_000
    desk.market("BUY", "0.1")
    assert events(desk) == FILL


def test_public_frames_are_struck_where_they_are_aimed_at(desk):
    desk.twin.subscribe("public", "btcusdt@bookTicker")
    desk.twin.subscribe("market", "btcusdt@markPrice@1s")
    arm(desk, "frame_drop", match=Match(route="public", symbol="BTCUSDT"))
    desk.top("65799.8", "65800.1", later_ms=2_000)
    assert {event for event, _ in events(desk)} == {"markPriceUpdate"}
    assert desk.log(Kind.FAULT) == [], "public frames are too many for the audit"


def test_a_connection_ends_in_place_of_an_event(desk):
    key = desk.listen()
    arm(desk, "stream_cut_at_event", match=Match(event="TRADE_LITE"))
    desk.market("BUY", "0.1")
    [cut] = [frame for frame in desk.twin.drain() if frame.ends]
    assert (cut.route, cut.channel, cut.payload) == ("private", key, b"")


def test_stream_connections_are_cut_again_and_again(desk):
    arm(desk, "stream_cut", match=Match(route="private"), again_ms=1_000)
    cuts = []
    for _ in range(5):
        desk.now += 500
        desk.twin.tick(desk.now)
        cuts.append([(frame.route, frame.channel) for frame in desk.twin.drain() if frame.ends])
    assert cuts == [[("private", "*")], [], [("private", "*")], [], [("private", "*")]]


# ── conditional orders ──────────────────────────────────────────────────────────────────────────────────────────────
def protected(desk: Desk, **more) -> None:
    desk.market("BUY", "0.2")
    desk.stop("SELL", "65700", clientAlgoId="sl-1", **{"quantity": "0.2", "reduceOnly": "true"} | more)


def falls(desk: Desk) -> None:
    desk.top("65699.9", "65700.0", later_ms=1)


@pytest.mark.parametrize(("cancel", "code"), [("-2011", -2011), ("-4117", -4117)])
def test_a_stop_is_stuck_in_triggering_for_a_while(desk, cancel, code):
    protected(desk)
    arm(desk, "stuck_triggering", ms=2_000, cancel=cancel)
    falls(desk)
    assert desk.algo("sl-1")["algoStatus"] == "TRIGGERING"
    assert desk.code("DELETE", "v1/algoOrder", clientAlgoId="sl-1") == code
    assert desk.position == D("0.2"), "bare"
    desk.now += 2_000
    desk.twin.tick(desk.now)
    assert desk.algo("sl-1")["algoStatus"] == "FINISHED"
    assert desk.position == 0


def test_a_stop_is_stuck_until_the_fault_is_cleared(desk):
    protected(desk)
    fault = arm(desk, "stuck_triggering")
    falls(desk)
    desk.now += 3_600_000
    desk.twin.tick(desk.now)
    assert desk.algo("sl-1")["algoStatus"] == "TRIGGERING"
    desk.twin.faults.clear([fault])
    desk.twin.tick(desk.now)
    assert desk.position == 0
    assert [record.reason for record in desk.log(Kind.FAULT)] == ["stuck_triggering"]


def test_a_stop_that_is_triggering_holds_the_position_mode(desk):
    """Let through after a change, it would open a one-way position that nobody in hedge mode is shown."""
    arm(desk, "stuck_triggering")
    desk.stop("SELL", "65000", quantity="0.010", clientAlgoId="sl-1")
    desk.trade("64990", "0.001", "SELL")
    assert desk.algo("sl-1")["algoStatus"] == "TRIGGERING"
    assert desk.code("POST", "v1/positionSide/dual", dualSidePosition="true") == -4067
    assert desk.ok("GET", "v1/positionSide/dual") == {"dualSidePosition": False}


def test_a_stuck_stop_goes_on_after_a_restart(desk):
    protected(desk)
    arm(desk, "stuck_triggering")
    falls(desk)
    kept = codec.decode(codec.encode(desk.twin.keep(clean=True)), Kept)
    again = Desk(Twin(now_ms=desk.now, kept=kept), desk.account)
    again.now = desk.now
    assert again.algo("sl-1")["algoStatus"] == "TRIGGERING", "there is no market yet"
    again.top("65699.9", "65700.0", later_ms=1)
    again.twin.tick(again.now)
    assert (again.algo("sl-1")["algoStatus"], again.position) == ("FINISHED", 0)


def test_a_child_is_refused_at_the_trigger(desk):
    protected(desk)
    arm(desk, "trigger_refused", code=-2019)
    falls(desk)
    dead = desk.algo("sl-1")
    assert (dead["algoStatus"], dead["actualOrderId"]) == ("REJECTED", "")
    assert desk.position == D("0.2")
    assert [record.code for record in desk.log(Kind.REJECT)] == [-2019]


def test_a_trigger_finds_a_book_for_a_part_only(desk):
    protected(desk)
    desk.listen()
    arm(desk, "trigger_partial_fill", share=D("0.3"))
    falls(desk)
    ends = [frame["o"] for frame in desk.events("ORDER_TRADE_UPDATE")]
    assert [(each["X"], each["z"], each["er"]) for each in ends][-1] == ("EXPIRED", "0.060", "9")
    assert desk.algo("sl-1")["algoStatus"] == "FINISHED"
    assert desk.position == D("0.14")


# ── accounts, symbols, clock ────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("told", [True, False])
def test_a_listen_key_is_lost_with_or_without_its_event(desk, told):
    key = desk.listen()
    arm(desk, "listen_key_lost", when=When(from_ms=500), event=told)
    desk.market("BUY", "0.1")
    assert events(desk) == FILL
    desk.now += 500
    desk.twin.tick(desk.now)
    frames = desk.twin.drain()
    assert [(frame.event, frame.channel) for frame in frames] == ([("listenKeyExpired", key)] if told else [])
    assert desk.raw("PUT", "/fapi/v1/listenKey")[1]["code"] == -1125
    desk.market("BUY", "0.1")
    assert events(desk) == []


def status_of(desk: Desk) -> str:
    _, info = desk.raw("GET", "/fapi/v1/exchangeInfo")
    return next(each["status"] for each in info["symbols"] if each["symbol"] == "BTCUSDT")


def test_a_symbol_takes_cancels_only_until_it_is_over(desk):
    desk.limit("BUY", "0.1", "65000", newClientOrderId="rests")
    arm(desk, "cancel_only", match=Match(symbol="BTCUSDT"), when=When(to_ms=60_000))
    assert status_of(desk) == "TRADING_CANCEL_ONLY"
    refused = desk.code("POST", "v1/order", **desk.market_terms("BUY", "0.1"))
    assert refused in (-4140, -1122)
    desk.ok("DELETE", "v1/order", symbol="BTCUSDT", origClientOrderId="rests")
    desk.now += 60_000
    desk.twin.tick(desk.now)
    assert status_of(desk) == "TRADING"
    assert bought(desk).status == 200


def test_a_delisted_symbol_is_settled_and_its_orders_expire(desk):
    protected(desk, quantity="0.1")
    desk.limit("BUY", "0.1", "65000", newClientOrderId="rests")
    desk.listen()
    arm(desk, "delisting", match=Match(symbol="BTCUSDT"))
    desk.twin.tick(desk.now)
    assert (status_of(desk), desk.position) == ("SETTLING", 0)
    assert desk.ok("GET", "v1/openAlgoOrders") == []
    told = {each["o"]["c"]: each["o"] for each in desk.events("ORDER_TRADE_UPDATE")}
    assert (told["rests"]["X"], told["rests"]["er"]) == ("EXPIRED", "7")
    [settled] = [name for name in told if name.startswith("settlement_autoclose-")]
    assert (told[settled]["X"], told[settled]["S"], told[settled]["l"]) == ("FILLED", "SELL", "0.200")
    assert desk.code("POST", "v1/order", **desk.market_terms("BUY", "0.1")) in (-4141, -1122)


@pytest.mark.parametrize("skew", [6_000, -2_000])
def test_the_venues_clock_is_another(desk, skew):
    arm(desk, "clock_skew", ms=skew)
    assert desk.raw("GET", "/fapi/v1/time")[1]["serverTime"] == desk.now + skew
    assert desk.code("POST", "v1/order", **desk.market_terms("BUY", "0.1")) == -1021
    ours = desk.now
    desk.ok("POST", "v1/order", **desk.market_terms("BUY", "0.1"), timestamp=ours + skew)


def test_the_twins_own_journal_fails_for_a_while(desk):
    arm(desk, "journal_fails", part="audit", when=When(to_ms=1_000))
    assert desk.twin.faults.journal_fails("audit", desk.now)
    assert not desk.twin.faults.journal_fails("state", desk.now)
    assert not desk.twin.faults.journal_fails("audit", desk.now + 1_000)
    assert bought(desk).status == 200


def test_the_same_scenario_and_calls_give_the_same_bytes(new_desk):
    faults = (
        Fault(name="unknown_503", chance=D("0.3")),
        Fault(name="latency", params={"spread": "lognormal"}),
        Fault(name="frame_reorder", chance=D("0.5")),
    )

    def day(seed: int) -> list[object]:
        desk = new_desk()
        desk.top("65799.9", "65800.0")
        desk.twin.begin(Scenario(seed=seed, faults=faults))
        desk.listen()
        answers = [(response.body, response.delay_ms) for response in (bought(desk) for _ in range(20))]
        return [answers, desk.twin.drain(), list(desk.twin.audit)]

    assert day(1) == day(1) != day(2)


def test_every_fault_of_the_catalogue_is_shown():
    told = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_faults_*.py"))
    assert [name for name in CATALOGUE if f'"{name}"' not in told] == []
