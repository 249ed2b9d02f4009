"""Money between the wallets of one owner: both move, both markets tell, history and refusals."""

from decimal import Decimal
from typing import Any

import pytest
from trading_desk import RICH
from treasurer import BACK, THERE, Treasurer, kept_of

from chimera.simulate.door.keyring import Permission
from chimera.simulate.twin import Twin
from chimera.simulate.venue.audit import Kind

D = Decimal
DAY_MS = 24 * 60 * 60_000


@pytest.fixture
def desk() -> Treasurer:
    desk = Treasurer()
    desk.top("65799.9", "65800.0")
    return desk


@pytest.mark.req("TW-2")
def test_both_wallets_move_at_once(desk: Treasurer) -> None:
    first, second = desk.move("250.5"), desk.move("100", BACK)
    assert second == first + 1
    assert desk.wallets() == (D("9849.5"), D("100150.5"))


def test_both_markets_tell_and_the_audit_writes_both_sides(desk: Treasurer) -> None:
    _, key = desk.raw("POST", "/fapi/v1/listenKey")
    desk.move("250.5")
    told = {(frame.route, frame.channel): frame.json() for frame in desk.twin.drain()}
    futures = told["private", key["listenKey"]]
    assert (futures["e"], futures["a"]["m"]) == ("ACCOUNT_UPDATE", "DEPOSIT")
    assert (futures["a"]["B"][0]["wb"], futures["a"]["B"][0]["bc"]) == ("100250.50000000", "250.50000000")
    assert told["spot_private", "main"]["B"] == [{"a": "USDT", "f": "9749.50000000", "l": "0.00000000"}]
    written = [(each.market, each.qty, each.wallet_after) for each in desk.twin.audit if each.kind is Kind.TRANSFER]
    assert written == [("SPOT", D("-250.5"), D("9749.5")), ("", D("250.5"), D("100250.5"))]
    desk.move("1", BACK)
    (gone,) = [frame.json() for frame in desk.twin.drain() if frame.event == "ACCOUNT_UPDATE"]
    assert gone["a"]["m"] == "WITHDRAW"
    rows = desk.ok("GET", "v1/income", incomeType="TRANSFER")
    assert [row["income"] for row in rows] == ["250.50000000", "-1.00000000"]


def test_a_balance_update_goes_before_the_position(desk: Treasurer) -> None:
    desk.move("250.5")
    told = [frame.json() for frame in desk.twin.drain() if frame.route == "spot_private"]
    assert [each["e"] for each in told] == ["balanceUpdate", "outboundAccountPosition"]
    assert told[0]["d"] == "-250.50000000"


@pytest.mark.req("TW-2")
@pytest.mark.parametrize(
    ("code", "params"),
    [
        (-1102, {"type": "ABOVE_BELOW"}),
        (-1102, {"asset": ""}),
        (-1020, {"type": "MAIN_MARGIN"}),
        (-5007, {"amount": "0"}),
        (-5010, {"asset": "BTC"}),
        (-5013, {"amount": "10000.00000001"}),
        (-5013, {"type": BACK, "amount": "100000.00000001"}),
    ],
)
def test_refused_and_nothing_moved(desk: Treasurer, code: int, params: dict[str, Any]) -> None:
    before = desk.wallets()
    assert desk.refused(**params) == (400, code)
    assert desk.wallets() == before
    assert desk.history()["total"] == 0


def test_an_unknown_parameter_is_not_minded(desk: Treasurer) -> None:
    status, _ = desk.sapi("POST", type=THERE, asset="USDT", amount="1", fromAccount="spot")
    assert status == 200


def test_a_key_without_the_permission(desk: Treasurer) -> None:
    may_not = RICH.but(name="poor", api_key="poor-key-1", permissions=frozenset({Permission.READ}))
    desk.twin.admit(may_not)
    desk.account = may_not
    assert desk.refused() == (401, -1002)
    status, may = desk.sapi("GET", "/sapi/v1/account/apiRestrictions")
    assert (status, may["enableReading"], may["permitsUniversalTransfer"]) == (200, True, False)


def test_what_a_key_may_do(desk: Treasurer) -> None:
    _, may = desk.sapi("GET", "/sapi/v1/account/apiRestrictions")
    granted = {name for name, value in may.items() if value is True}
    assert granted == {"enableReading", "enableFutures", "permitsUniversalTransfer", "enableSpotAndMarginTrading"}


def test_what_stands_behind_a_position_does_not_leave(desk: Treasurer) -> None:
    desk.market("BUY", "1")
    free = D(desk.ok("GET", "v3/account")["maxWithdrawAmount"])
    assert desk.refused(type=BACK, amount=str(free + 1)) == (400, -5013)
    desk.move(str(free), BACK)


@pytest.mark.req("TW-2")
def test_history_newest_first_by_pages(desk: Treasurer) -> None:
    ids = []
    for amount in ("1", "2.50", "3"):
        ids.append(desk.move(amount))
        desk.now += 1_000
    desk.move("1", BACK)
    found = desk.history()
    assert (found["total"], [row["tranId"] for row in found["rows"]]) == (3, ids[::-1])
    assert found["rows"][1] == {
        "asset": "USDT",
        "amount": "2.5",
        "type": THERE,
        "status": "CONFIRMED",
        "tranId": ids[1],
        "timestamp": desk.now - 2_000,
    }
    assert [row["tranId"] for row in desk.history(size=2, current=2)["rows"]] == ids[:1]
    window = {"startTime": desk.now - 2_000, "endTime": desk.now - 1_001}
    assert [row["tranId"] for row in desk.history(**window)["rows"]] == [ids[1]]


def test_history_is_of_the_last_week_unless_asked_and_of_six_months_at_most(desk: Treasurer) -> None:
    desk.move("1")
    begin, desk.now = desk.now, desk.now + 8 * DAY_MS
    assert desk.history()["total"] == 0
    assert desk.history(startTime=begin)["total"] == 1
    desk.now += 183 * DAY_MS
    assert desk.history(startTime=begin)["total"] == 0
    for bad in ({"size": 101}, {"size": 0}, {"current": 0}):
        assert desk.sapi("GET", type=THERE, **bad)[1]["code"] == -1130


def test_ids_go_on_after_a_restart(desk: Treasurer) -> None:
    first = desk.move("1")
    desk.twin = Twin(now_ms=desk.now, accounts=(), kept=kept_of(desk.twin))
    assert desk.move("1") > first
