"""Both markets in one S4 over one twin: one kill -9, one kill switch, one loss of the day, money between the wallets.

The campaign is ``tools/sim.py --house --count N``; here are samples, and what is missed where a safeguard is gone.
"""

from decimal import Decimal
from typing import Any

import pytest

from chimera.admit.limits import LimitBook
from chimera.admit.transfer_policy import TransferPolicy
from chimera.admit.transfers import Declined, Unanswered
from chimera.services.router.transferring import Transferring
from chimera.simulate.venue.audit import Kind
from chimera.simulate.wallet.transfers import Route as Way
from chimera.simulate.wallet.transfers import Transfer as Row
from chimera.trading.intent import MarketNow
from chimera.trading.market import Market, Side
from chimera.trading.money import Millis, Qty, Quote
from chimera.trading.standstill import Standstill
from chimera.trading.transfer import Route, Stage, Transfer, Transfers
from support.incident_stage import without
from world import composed
from world.house_judge import moved_once
from world.plan import CALM, KillAtStep
from world.run import CALLERS, Options, Verdict, run
from world.seeds import campaign
from world.workload import Wish

HOUSE = Options(house=True, part_share=0.4, socket_share=0.2, demand_share=0.4)
CALLED = Options(house=True, who=CALLERS, fifo=True, safety_s=30, liveness_s=60)
ASKED, TAKEN = 5925, 5965  # steps of S4 in seed 0 of ``CALLED``: from a transfer's wish to the venue's word on disk


def told(verdict: Verdict) -> list[str]:
    return [f"{each.invariant}: {each.text}" for each in verdict.violations]


@pytest.mark.req("S4-XFER-1", "I4", "I7", "I10", "I14")
def test_in_fair_weather_both_markets_trade_and_a_lack_of_margin_moves_money_once() -> None:
    verdict = run(0, options=HOUSE.but(scenario="fair"), keep_audit=True)

    assert told(verdict) == []
    assert {record.market for record in verdict.audit if record.kind is Kind.FILL} == {"", "SPOT"}
    assert verdict.counters["transfers"] == 2
    assert verdict.counters["longest_bare_ms"] < 200


@pytest.mark.slow
@pytest.mark.req("S4-XFER-1", "S4-SPOT-1", "I4", "I7", "I10", "I12", "I14", "I15", "I17", "I26")
def test_a_sample_of_rough_seeds_of_the_house_holds_every_invariant_of_both_markets() -> None:
    lines: list[str] = []
    found = campaign(0, 24, options=HOUSE, say=lines.append)
    assert found.failed == (), "\n".join(lines)
    for happened in (
        "kills",
        "transfers",
        "moved_by_hand",
        "operator_kills",
        "fault_oco_refused",
        "fault_stop_refused",
    ):
        assert found.counters[happened] > 0, f"{happened} never happened: the sample proves little"


def test_a_verdict_on_the_house_is_a_function_of_its_seed() -> None:
    first, again = (run(2, options=HOUSE.but(trace=True)) for _ in range(2))
    assert first == again


# ── one kill switch, one loss of the day ──


@pytest.mark.slow
@pytest.mark.req("I17")
def test_a_kill_that_reached_one_market_only_would_be_noticed() -> None:
    real = Standstill.over

    def futures_only(self: Standstill, key: Any, strategy_id: Any) -> Any:
        return None if key.market is Market.SPOT else real(self, key, strategy_id)

    with without(("chimera.trading.standstill:Standstill", "over", futures_only)):
        broken = run(2, options=HOUSE)
    assert {each.invariant for each in broken.violations} == {"I17"}
    assert told(run(2, options=HOUSE)) == []


@pytest.mark.parametrize(("shared", "bought"), [(True, 0), (False, 2)])
def test_what_futures_lost_today_keeps_spot_from_entering(shared: bool, bought: int) -> None:
    """The loss is the fee of one futures order; with a book of its own spot would enter all the same."""
    wish = Wish(
        number=0, at_s=3.0, side=Side.BUY, qty=Qty(Decimal("0.010")), policy=MarketNow(), stop_bps=40,
        target_bps=None, hold_s=60,
    )  # fmt: skip
    limits = composed.LIMITS.but(max_daily_loss=Quote(Decimal("0.01")))
    book = LimitBook if shared else lambda limits, day_pnl=None: LimitBook(limits)
    place = "world.composed"
    with without((place, "LIMITS", limits), (place, "LimitBook", book)):
        verdict = run(2, options=Options(house=True, faults=False, who=CALLERS), story=[wish], keep_audit=True)

    assert told(verdict) == []
    entries = [
        record
        for record in verdict.audit
        if record.market == "SPOT" and record.side == "BUY" and record.kind is Kind.ACCEPT
    ]
    assert len(entries) == bought
    assert verdict.counters["intents_on_spot"] == 3


# ── money ──


@pytest.mark.slow
@pytest.mark.req("S4-XFER-1")
@pytest.mark.parametrize("step", range(ASKED, TAKEN, 4))
def test_killed_between_the_wish_and_the_venue_s_word_nothing_is_moved_twice(step: int) -> None:
    """Every step of it was walked once by hand; here is every fourth."""
    verdict = run(0, options=CALLED, plan=CALM.but(blows=(KillAtStep(step=step),)))
    assert told(verdict) == []
    assert verdict.counters["kills"] == 1


def _lost(then: str) -> Any:
    """The answer to every transfer is lost, and S4 takes that for ``then``."""
    real = Transferring._send

    async def send(self: Transferring, transfer: Transfer) -> Any:
        await real(self, transfer)
        if then == "a no":
            return Declined(number=transfer.number, reason="no answer")
        if then == "never sent":
            return await real(self, transfer)
        assert self._wallets is not None
        return Unanswered(number=transfer.number, dead_after_ms=self._wallets.dead_after_ms(transfer.not_after_ms))

    return send


@pytest.mark.slow
@pytest.mark.req("S4-XFER-1")
@pytest.mark.parametrize(("then", "broken"), [("an unknown", set()), ("a no", {"XFER"}), ("never sent", {"XFER"})])
def test_a_lost_answer_is_neither_a_no_nor_sent_again(then: str, broken: set[str]) -> None:
    with without(("chimera.services.router.transferring:Transferring", "_send", _lost(then))):
        verdict = run(0, options=CALLED, plan=CALM)
    assert {each.invariant for each in verdict.violations} == broken
    assert verdict.counters["transfers"] > 0


def row(number: int, amount: str = "50") -> Row:
    now = Millis(1_000)
    return Row(
        tran_id=number,
        owner="main",
        route=Way.MAIN_UMFUTURE,
        asset="USDT",
        amount=Decimal(amount),
        at_ms=now,
        due_ms=now,
    )


def kept(*stages: tuple[Stage, str | None]) -> Transfers:
    now = Millis(1_000)
    made = [
        Transfer(
            number=number, route=Route.SPOT_TO_FUT, asset="USDT", amount=Decimal(50), why="", asked_ms=now,
            asked_venue_ms=now, not_after_ms=now, stage=stage, tran_id=name,
        )
        for number, (stage, name) in enumerate(stages, start=1)
    ]  # fmt: skip
    ended = tuple(each for each in made if each.stage.final)
    return Transfers(ended=ended, present=next((each for each in made if not each.stage.final), None))


@pytest.mark.req("S4-XFER-1")
@pytest.mark.parametrize(
    ("rows", "ledger", "says"),
    [
        ([row(7)], kept((Stage.DONE, "7")), ""),
        ([], kept((Stage.FAILED, None)), ""),
        ([row(7), row(8)], kept((Stage.DONE, "7")), "8: 50 moved MAIN_UMFUTURE, and the ledger has none of it"),
        ([row(7)], kept((Stage.FAILED, None)), "7: 50 moved MAIN_UMFUTURE, and the ledger has none of it"),
        ([], kept((Stage.DONE, "7")), "transfer 1 is DONE, and the venue has none of it"),
        ([row(7, "60")], kept((Stage.DONE, "7")), "7: 60 moved, where 50 were meant"),
        ([row(7)], kept((Stage.DONE, "7"), (Stage.DONE, "7")), "two transfers of ours claim one row of the venue's"),
        ([], kept((Stage.IN_DOUBT, None)), "transfer 1 is still IN_DOUBT"),
    ],
)
def test_the_oracle_of_transfers_matches_the_venue_s_book_with_the_ledger(
    rows: list[Row], ledger: Transfers, says: str
) -> None:
    found = moved_once(rows, ledger, TransferPolicy(enabled=True), 5)
    assert [each.text for each in found] == ([says] if says else [])


@pytest.mark.req("S4-XFER-1")
def test_the_oracle_of_transfers_holds_them_to_the_policy() -> None:
    policy = TransferPolicy(enabled=True, ceiling=Decimal(40), day_ceiling=Decimal(90))
    rows, ledger = [row(7), row(8)], kept((Stage.DONE, "7"), (Stage.DONE, "8"))
    assert [each.text for each in moved_once(rows, ledger, policy, 5)] == [
        "7: 50 is above the ceiling of 40",
        "8: 50 is above the ceiling of 40",
        "100 moved in a day, above 90",
    ]
