"""The fault between the wallets: money that is under way for a while."""

from decimal import Decimal

from treasurer import Treasurer, kept_of

from chimera.simulate.trouble.match import Match
from chimera.simulate.trouble.scenario import Fault, Scenario, When
from chimera.simulate.twin import Twin
from chimera.simulate.venue.audit import Kind

D = Decimal
SLOW = Fault(name="transfer_pending", params={"ms": 5_000}, match=Match(account="main"), when=When(to_ms=60_000))


def test_while_it_is_under_way_it_is_in_neither_wallet() -> None:
    desk = Treasurer()
    desk.twin.begin(Scenario(faults=(SLOW,)))
    desk.move("250")
    assert [each.account for each in desk.twin.audit if each.kind is Kind.FAULT] == ["main"]
    assert desk.wallets() == (D("9750"), D("100000"))
    assert desk.history()["rows"][0]["status"] == "PENDING"
    desk.twin.tick(desk.now + 4_999)
    assert desk.wallets() == (D("9750"), D("100000"))
    for twin in (desk.twin, Twin(now_ms=desk.now, accounts=(), kept=kept_of(desk.twin))):
        desk.twin = twin
        twin.tick(desk.now + 5_000)
        assert desk.wallets() == (D("9750"), D("100250"))
        assert desk.history()["rows"][0]["status"] == "CONFIRMED"


def test_it_passes_and_others_are_spared() -> None:
    desk = Treasurer()
    desk.twin.begin(Scenario(faults=(SLOW,)))
    desk.now += 60_000
    desk.twin.tick(desk.now)
    desk.move("1")
    assert desk.history()["rows"][0]["status"] == "CONFIRMED"
    desk = Treasurer()
    desk.twin.begin(Scenario(faults=(SLOW.but(match=Match(account="another")),)))
    desk.move("1")
    assert desk.history()["rows"][0]["status"] == "CONFIRMED"
