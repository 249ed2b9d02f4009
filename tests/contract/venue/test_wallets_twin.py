"""Transfers against the exchange twin: answers, refusals, and answers that are lost on the way."""

from decimal import Decimal
from typing import Any

import pytest

from chimera.adapters.binance.sign import signer_for
from chimera.adapters.binance.wallets import PAGE, BinanceWallets
from chimera.ports.wallets import Wallets
from chimera.simulate.trouble.faults import RequestFault, Trouble
from chimera.simulate.twin import Twin
from chimera.trading.errors import NotSent, OutcomeUnknown, VenueRejected
from chimera.trading.money import Millis, Quote
from chimera.trading.transfer import Landing, Route, Wallet
from chimera.trading.venue import Funds
from support.to_twin import Once, ToTwin

D = Decimal
KEY, SECRET = "chimera-sim-key", "chimera-sim-secret"
START = 1_763_635_200_000
pytestmark = pytest.mark.req("S4-XFER-1")


class HandClock:
    at_ms = START

    def now_ms(self) -> Millis:
        return Millis(self.at_ms)

    def monotonic_ms(self) -> Millis:
        return Millis(self.at_ms - START)


class Bench:
    def __init__(self) -> None:
        self.clock = HandClock()
        self.twin = Twin(now_ms=START)
        self.wallets = BinanceWallets(
            ToTwin(self.twin, self.clock), KEY, signer_for(SECRET), self.clock, futures=self._futures
        )

    async def _futures(self) -> Funds:
        return Funds(wallet=Quote(D(10_000)), available=Quote(D(9_000)), at_ms=Millis(START))

    async def move(self, amount: Any = 50, route: Route = Route.SPOT_TO_FUT) -> str:
        return await self.wallets.move(route, "USDT", D(amount), timeout_ms=2_000)

    async def moved(self, route: Route = Route.SPOT_TO_FUT) -> list[tuple[str, Decimal, Landing]]:
        rows = await self.wallets.moved(route, Millis(START - 1_000))
        return [(row.tran_id, row.amount, row.landing) for row in rows]


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_it_is_wallets(bench: Bench) -> None:
    port: Wallets = bench.wallets
    assert await port.free(Wallet.SPOT, "USDT") == 10_000
    assert await port.free(Wallet.SPOT, "DOGE") == 0
    assert await port.free(Wallet.FUT, "USDT") == 9_000
    assert await port.free(Wallet.FUT, "BTC") == 0


async def test_money_that_moves_is_in_the_history_under_its_name(bench: Bench) -> None:
    name = await bench.move("12.34567891")

    assert await bench.moved() == [(name, D("12.34567891"), Landing.CONFIRMED)]
    assert await bench.moved(Route.FUT_TO_SPOT) == []
    assert await bench.wallets.free(Wallet.SPOT, "USDT") == D("9987.65432109")


async def test_it_moves_both_ways(bench: Bench) -> None:
    await bench.move(50, Route.FUT_TO_SPOT)

    assert await bench.wallets.free(Wallet.SPOT, "USDT") == 10_050


async def test_what_is_under_way_is_pending(bench: Bench) -> None:
    bench.twin.transfers.delays_ms["main"] = 5_000
    name = await bench.move()
    assert await bench.moved() == [(name, D(50), Landing.PENDING)]

    bench.clock.at_ms += 5_000
    bench.twin.transfers.tick(bench.clock.at_ms)
    assert await bench.moved() == [(name, D(50), Landing.CONFIRMED)]


@pytest.mark.parametrize(("amount", "code"), [(10_001, -5013), (0, -5007)])
async def test_a_no_is_certain(bench: Bench, amount: int, code: int) -> None:
    with pytest.raises(VenueRejected) as refused:
        await bench.move(amount)

    assert refused.value.code == code
    assert await bench.moved() == []


@pytest.mark.parametrize("executed", [True, False])
@pytest.mark.parametrize("trouble", [Trouble.DROP, Trouble.UNKNOWN_503, Trouble.TIMEOUT_1007, Trouble.UNEXPECTED_1006])
async def test_a_lost_answer_is_settled_by_the_history(bench: Bench, trouble: Trouble, executed: bool) -> None:
    bench.twin.faults = Once(RequestFault(trouble=trouble, executed=executed))

    with pytest.raises(OutcomeUnknown):
        await bench.move()

    assert [amount for _, amount, _ in await bench.moved()] == ([D(50)] if executed else [])


async def test_a_503_that_futures_call_certain_is_not_certain_here(bench: Bench) -> None:
    bench.twin.faults = Once(RequestFault(trouble=Trouble.UNAVAILABLE_503))

    with pytest.raises(OutcomeUnknown):
        await bench.move()


async def test_too_many_requests_moved_nothing(bench: Bench) -> None:
    bench.twin.faults = Once(RequestFault(trouble=Trouble.REFUSE, status=429, code=-1003, msg="Too many requests"))

    with pytest.raises(NotSent):
        await bench.move()
    bench.clock.at_ms += 120_000  # the governor is patient now
    assert await bench.moved() == []


async def test_a_history_of_many_pages_is_read_to_its_end(bench: Bench) -> None:
    for _ in range(PAGE + 1):
        await bench.move(1)
        bench.clock.at_ms += 1_000

    assert len(await bench.moved()) == PAGE + 1


async def test_it_can_be_accepted_no_later_than_its_window_says(bench: Bench) -> None:
    assert bench.wallets.dead_after_ms(Millis(START)) > START + bench.wallets.raw.recv_window_ms
