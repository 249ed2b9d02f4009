"""The WebSocket API: REST's own handlers behind JSON frames, sessions, and what it says to nonsense."""

import json
from base64 import b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from trading_desk import Desk

from chimera.simulate.door.auth import signature
from chimera.simulate.door.keyring import KeyKind
from chimera.simulate.door.limits import TOLERATED, USDM_BUDGET
from chimera.simulate.door.session import Session
from chimera.simulate.trouble.faults import NoFaults, RequestFault, Trouble
from chimera.simulate.venue.account_spec import READY_ACCOUNT, AccountSpec

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PEM = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
SIGNER = AccountSpec(name="signer", api_key="ed25519-key", public_key=PEM)
MARKET = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.010", "newOrderRespType": "RESULT"}


class Line:
    """One connection to the futures WebSocket API."""

    def __init__(self, desk: Desk, ip: str = "", *, market: str = "usdm", shows_limits: bool = True) -> None:
        self.desk, self.market = desk, market
        self.session = Session(ip=ip, connected_ms=desk.now, shows_limits=shows_limits)
        desk.twin.ws_open(market, self.session, desk.now)

    def frames(self, text: str) -> list[Any]:
        return [json.loads(each) for each in self.desk.twin.ws(self.market, self.session, text, self.desk.now).payloads]

    def ask(self, method: str, params: dict[str, Any] | None = None, number: Any = 1, **more: Any) -> Any:
        request = {"id": number, "method": method} | ({} if params is None else {"params": params}) | more
        return self.frames(json.dumps(request))[0]

    def signed(self, method: str, account: AccountSpec = READY_ACCOUNT, **params: Any) -> Any:
        params = {"timestamp": self.desk.now, "apiKey": account.api_key} | params
        words = {name: {True: "true", False: "false"}.get(value, value) for name, value in params.items()}
        text = "&".join(f"{name}={words[name]}" for name in sorted(words))
        if account.secret:
            params["signature"] = signature(account.secret.encode(), text)
        else:
            params["signature"] = b64encode(PRIVATE.sign(text.encode())).decode()
        return self.ask(method, params)


@pytest.fixture
def line(desk) -> Line:
    return Line(desk)


class TestOrders:
    def test_the_life_of_one(self, line):
        terms = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "newClientOrderId": "w-1"}
        placed = line.signed("order.place", **terms, quantity="0.010", price="60000.0")
        assert (placed["id"], placed["status"], placed["result"]["status"]) == (1, 200, "NEW")
        assert line.desk.order("w-1")["orderId"] == placed["result"]["orderId"], "REST sees the same order"
        asked = line.signed("order.status", symbol="BTCUSDT", orderId=placed["result"]["orderId"])
        assert asked["result"]["clientOrderId"] == "w-1"
        canceled = line.signed("order.cancel", symbol="BTCUSDT", origClientOrderId="w-1")
        assert canceled["result"]["status"] == "CANCELED"
        again = line.signed("order.cancel", symbol="BTCUSDT", origClientOrderId="w-1")
        assert (again["status"], again["error"]["code"]) == (400, -2011)
        assert "result" not in again

    def test_numbers_may_be_numbers(self, line):
        placed = line.signed("order.place", **MARKET | {"quantity": 0.01}, reduceOnly=False)
        assert placed["result"]["origQty"] == "0.010"

    def test_a_stop(self, line):
        stop = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET"}
        placed = line.signed("algoOrder.place", **stop, triggerPrice="64000", quantity="0.010", clientAlgoId="s-1")
        assert placed["result"]["algoStatus"] == "NEW"
        assert line.signed("algoOrder.cancel", clientAlgoId="s-1")["result"]["code"] == "200"

    @pytest.mark.parametrize("method", ["v2/account.balance", "v2/account.status", "v2/account.position"])
    def test_the_account(self, line, method):
        line.signed("order.place", **MARKET)
        assert line.signed(method)["result"]

    def test_a_listen_key_needs_no_signature(self, line):
        key = {"apiKey": READY_ACCOUNT.api_key}
        started = line.ask("userDataStream.start", key)
        assert line.ask("userDataStream.ping", key)["result"] == started["result"]
        assert line.ask("userDataStream.stop", key)["result"] == {}
        assert line.ask("userDataStream.ping", key)["error"]["code"] == -1125


class TestLimits:
    def test_counts_are_shown_and_shared_with_rest_per_account(self, line):
        line.desk.market("BUY", "0.001")
        placed = line.signed("order.place", **MARKET)
        counts = [(row["rateLimitType"], row["interval"], row["count"]) for row in placed["rateLimits"]]
        assert counts == [("ORDERS", "SECOND", 2), ("ORDERS", "MINUTE", 2), ("REQUEST_WEIGHT", "MINUTE", 5)]
        assert line.ask("ticker.book", {"symbol": "BTCUSDT"})["rateLimits"][0]["count"] == 7

    def test_they_can_be_hidden(self, line):
        assert "rateLimits" not in line.ask("depth", {"symbol": "BTCUSDT", "returnRateLimits": False})
        assert "rateLimits" not in line.signed("order.place", **MARKET, returnRateLimits=False)
        hidden = Line(line.desk, shows_limits=False)
        assert "rateLimits" not in hidden.ask("session.status")
        assert "rateLimits" in hidden.ask("depth", {"symbol": "BTCUSDT", "returnRateLimits": True})

    def test_too_much_is_429_and_then_418_with_the_time_to_come_back(self, line):
        for _ in range((USDM_BUDGET.weight.limit - 5) // 10):
            line.ask("depth", {"symbol": "BTCUSDT"})
        over = [line.ask("depth", {"symbol": "BTCUSDT"}) for _ in range(TOLERATED + 1)]
        assert (over[0]["status"], over[0]["error"]["code"]) == (429, -1003)
        next_minute = (line.desk.now // 60_000 + 1) * 60_000
        assert over[0]["error"]["data"] == {"serverTime": line.desk.now, "retryAfter": next_minute}
        assert over[-1]["status"] == 418
        line.desk.ok("GET", "v3/balance")


class TestSession:
    def test_logon_is_for_ed25519_and_then_no_key_is_needed(self, desk):
        desk.twin.admit(SIGNER)
        line = Line(desk)
        on = line.signed("session.logon", SIGNER)["result"]
        assert on == {
            "apiKey": "ed25519-key",
            "authorizedSince": desk.now,
            "connectedSince": desk.now,
            "returnRateLimits": True,
            "serverTime": desk.now,
            "userDataStream": None,
        }
        placed = line.ask("order.place", MARKET | {"timestamp": desk.now})
        assert placed["result"]["status"] == "FILLED"
        assert line.ask("order.place", MARKET)["error"]["code"] == -1102, "the timestamp stays mandatory"
        mine = line.signed("v2/account.position")["result"]
        assert mine == [], "a key of its own overrides the session's"
        assert line.ask("session.status")["result"]["apiKey"] == "ed25519-key"
        off = line.ask("session.logout")["result"]
        assert (off["apiKey"], off["authorizedSince"]) == (None, None)
        refused = line.ask("order.place", MARKET | {"timestamp": desk.now})
        assert (refused["error"]["code"], refused["error"]["msg"].split("'")[1]) == (-1102, "apiKey")

    def test_not_with_hmac(self, line):
        refused = line.signed("session.logon")
        assert refused["error"] == {"code": -4056, "msg": "HMAC_SHA256 API key is not supported."}
        assert line.ask("session.status")["result"]["apiKey"] is None

    def test_a_key_revoked_in_a_session(self, desk):
        desk.twin.admit(SIGNER)
        line = Line(desk)
        line.signed("session.logon", SIGNER)
        desk.twin.keyring.revoke(SIGNER.api_key)
        said = line.ask("order.place", MARKET | {"timestamp": desk.now})
        error = {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}
        assert said == {"id": None, "status": 401, "error": error}
        assert line.ask("session.status")["result"]["apiKey"] is None
        assert SIGNER.key().kind is KeyKind.ED25519


class TestShape:
    @pytest.mark.parametrize("number", [7, "a-b", None, "", -1])
    def test_ids_are_echoed(self, line, number):
        answer = line.ask("ticker.price", {"symbol": "BTCUSDT"}, number)
        assert answer["id"] == number
        assert answer["id"].__class__ is number.__class__

    @pytest.mark.parametrize(
        "text",
        [
            *(
                "{",
                "[]",
                '"x"',
                "{}",
                '{"id":1}',
                '{"id":1,"method":5}',
                '{"id":1,"method":"ping","params":[]}',
                "\x00",
            ),
            *('{"id":[1],"method":"ping"}', '{"id":true,"method":"ping"}', '{"id":1.5,"method":"ping"}'),
        ],
    )
    def test_what_is_no_request(self, line, text):
        [answer] = line.frames(text)
        assert (answer["id"], answer["status"], answer["error"]["code"]) == (None, 400, -1135)

    def test_an_unknown_method(self, line):
        answer = line.ask("order.placee", {"a": 1}, "x")
        assert (answer["id"], answer["status"], answer["error"]["code"]) == ("x", 400, -1020)

    def test_refusals_are_rest_s_own(self, line):
        assert line.signed("order.place", **MARKET, foo="1")["error"]["code"] == -1104
        assert line.ask("order.place", MARKET | {"timestamp": 1, "apiKey": "x" * 12})["error"]["code"] == -2015
        wrong = line.ask(
            "order.place", MARKET | {"timestamp": line.desk.now, "apiKey": READY_ACCOUNT.api_key, "signature": "00"}
        )
        assert wrong["error"]["code"] == -1022
        assert line.signed("order.place", **MARKET, timestamp=line.desk.now - 5_001)["error"]["code"] == -1021
        assert line.desk.ok("GET", "v3/positionRisk") == []


class TestTrouble:
    """Faults strike a frame as they would the REST call it stands for."""

    def struck(self, line: Line, fault: RequestFault, **more: Any) -> tuple[Any, int]:
        line.desk.twin.faults = Once(fault)
        params = {"timestamp": line.desk.now, "apiKey": READY_ACCOUNT.api_key} | MARKET | more
        text = "&".join(f"{name}={params[name]}" for name in sorted(params))
        params["signature"] = signature(READY_ACCOUNT.secret.encode(), text)
        frame = json.dumps({"id": "t", "method": "order.place", "params": params})
        reply = line.desk.twin.ws("usdm", line.session, frame, line.desk.now)
        line.desk.twin.faults = NoFaults()
        return [json.loads(each) for each in reply.payloads], reply.delay_ms

    @pytest.mark.parametrize("executed", [False, True])
    def test_a_lost_answer(self, line, executed):
        assert self.struck(line, RequestFault(trouble=Trouble.DROP, executed=executed)) == ([], 0)
        assert bool(line.desk.ok("GET", "v3/positionRisk")) is executed

    @pytest.mark.parametrize("executed", [False, True])
    def test_an_unknown_outcome(self, line, executed):
        [answer], _ = self.struck(line, RequestFault(trouble=Trouble.UNKNOWN_503, executed=executed))
        assert (answer["id"], answer["status"], answer["error"]["code"]) == ("t", 503, -1000)
        assert bool(line.desk.ok("GET", "v3/positionRisk")) is executed

    def test_a_late_answer(self, line):
        [answer], delay_ms = self.struck(line, RequestFault(trouble=Trouble.DELAY, delay_ms=700))
        assert (answer["result"]["status"], delay_ms) == ("FILLED", 700)

    def test_late_at_the_matching_engine(self, line):
        late = RequestFault(trouble=Trouble.DELAY, engine_ms=1_001)
        [answer], _ = self.struck(line, late, recvWindow=1_000)
        assert (answer["status"], answer["error"]["code"]) == (400, -5028)
        assert line.desk.ok("GET", "v3/positionRisk") == []

    def test_protection_spares_exits_here_too(self, line):
        line.desk.market("SELL", "0.010")
        throttled = RequestFault(trouble=Trouble.THROTTLED_503)
        [answer], _ = self.struck(line, throttled)
        assert (answer["status"], answer["error"]["code"]) == (503, -1008)
        [answer], _ = self.struck(line, throttled, reduceOnly="true")
        assert answer["result"]["status"] == "FILLED"


class Once(NoFaults):
    """One fault for every request."""

    def __init__(self, fault: RequestFault) -> None:
        self.fault = fault

    def on_request(self, request, now_ms):
        return self.fault
