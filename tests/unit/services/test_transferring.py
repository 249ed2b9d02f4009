"""Transfers as a process makes them: against the twin, in virtual time, killed at every step."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import pytest

from chimera.adapters.binance.sign import signer_for
from chimera.adapters.binance.wallets import BinanceWallets
from chimera.adapters.memory.bus import MemoryBus
from chimera.adapters.memory.ledger import MemoryLedger
from chimera.admit.transfer_policy import TransferPolicy
from chimera.services.router import transferring
from chimera.services.router.relay import Relay
from chimera.services.router.sender import Gates, Sender
from chimera.services.router.transferring import Transferring
from chimera.services.stage.clock import EPOCH_MS, VirtualClock
from chimera.services.stage.loop import DetLoop
from chimera.simulate.trouble.faults import RequestFault, Trouble
from chimera.simulate.twin import Twin
from chimera.trading.commands import Place
from chimera.trading.errors import NotSent, Refused, StoreUnavailable, VenueRejected
from chimera.trading.events import Alert
from chimera.trading.facts import Ticked
from chimera.trading.holding import Holding
from chimera.trading.ids import DEFAULT_ACCOUNT, IntentId, Symbol
from chimera.trading.money import ZERO, Millis, Price, Quote
from chimera.trading.order import NewOrder
from chimera.trading.refusal import Refusal
from chimera.trading.standstill import Standstill
from chimera.trading.transfer import Landing, Moved, Route, Stage, Wallet
from chimera.trading.venue import Funds
from chimera.wire import keys
from support.desk import Desk, an_intent
from support.to_twin import Once, ToTwin

D = Decimal
T = TypeVar("T")
KEY, SECRET = "chimera-sim-key", "chimera-sim-secret"
ON = TransferPolicy(enabled=True)
pytestmark = pytest.mark.req("S4-XFER-1")


class Steps:
    """Counts what leaves the process; at ``kill_at`` the process is dead and nothing answers any more."""

    def __init__(self, kill_at: int = -1) -> None:
        self.taken = 0
        self.kill_at = kill_at
        self.stall_s = 0.0
        self.dead = asyncio.Event()

    async def step(self) -> None:
        await asyncio.sleep(0)
        self.taken += 1
        if self.taken - 1 == self.kill_at:
            self.dead.set()
        if self.dead.is_set():
            await asyncio.get_running_loop().create_future()

    async def before(self, operation: str, key: str) -> None:
        """A disk is slow: what should have waited for it, and did not, is faster."""
        await asyncio.sleep(0.01 + self.stall_s)
        await self.step()

    async def after(self, operation: str, key: str) -> None:
        await self.step()


class Mortal(BinanceWallets):
    """Wallets whose process may die before a request and before its answer."""

    steps: Steps

    async def move(self, *args: Any, **more: Any) -> str:
        await self.steps.step()
        try:
            return await super().move(*args, **more)
        finally:
            await self.steps.step()

    async def moved(self, *args: Any) -> Any:
        await self.steps.step()
        rows = await super().moved(*args)
        await self.steps.step()
        return rows


@dataclass
class Town:
    """The venue and the disk, which outlive every process."""

    loop: DetLoop
    policy: TransferPolicy = ON
    steps: Steps = field(default_factory=Steps)
    futures_free: Decimal = ZERO
    alerts: list[Alert] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = VirtualClock(self.loop)
        self.twin = Twin(now_ms=EPOCH_MS)
        self.ledger = MemoryLedger(faults=self.steps)
        self.bus = MemoryBus(self.clock, faults=self.steps)

    def process(self) -> Transferring:
        wallets = Mortal(ToTwin(self.twin, self.clock), KEY, signer_for(SECRET), self.clock, futures=self._futures)
        wallets.steps = self.steps
        return Transferring(
            DEFAULT_ACCOUNT,
            self.policy,
            wallets=wallets,
            rows=self.ledger,
            relay=Relay(self.ledger, self.bus),
            clock=self.clock,
            venue_now_ms=self.clock.now_ms,
            tell=self.alerts.append,
        )

    async def _futures(self) -> Funds:
        return Funds(wallet=Quote(self.futures_free), available=Quote(self.futures_free), at_ms=Millis(0))

    def lose(self, trouble: Trouble = Trouble.DROP, *, executed: bool) -> None:
        self.twin.faults = Once(RequestFault(trouble=trouble, executed=executed), "POST")

    @property
    def moved(self) -> Decimal:
        return sum((each.amount for each in self.twin.transfers.book), ZERO)

    async def told(self) -> list[tuple[Any, Any]]:
        rows = await self.ledger.find(keys.STRATEGY_EVENTS)
        return [(row["kind"], row.get("status")) for row in reversed(rows)]


async def settled(transferring: Transferring) -> None:
    """Until nothing is under way and all is told."""
    while transferring.state.present is not None or transferring.state.outbox or not transferring.loaded.is_set():  # noqa: ASYNC110
        await asyncio.sleep(0.5)  # virtual


async def living(transferring: Transferring, story: Callable[[], Coroutine[Any, Any, T]]) -> T:
    running = asyncio.create_task(transferring.run())
    try:
        await transferring.loaded.wait()
        return await story()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def in_town(story: Callable[[Town], Coroutine[Any, Any, T]], **more: Any) -> T:
    loop = DetLoop(1)

    async def begin() -> T:
        return await story(Town(loop, **more))

    try:
        return loop.run_until_complete(begin())
    finally:
        loop.close()


async def asked(transferring: Transferring, amount: Any = 50) -> dict[str, Any]:
    return await transferring.ask(Route.SPOT_TO_FUT, "USDT", D(amount), "test")


@pytest.mark.req("S4-PER-1")
def test_a_caller_hears_that_it_was_taken_and_then_it_is_done() -> None:
    async def story(town: Town) -> None:
        process = town.process()

        async def call() -> None:
            row = await asked(process)
            assert (row["status"], row["from"], row["to"], row["amount"]) == ("TAKEN", "SPOT", "FUT", "50")
            await settled(process)

        await living(process, call)
        assert process.shown()["ended"][0]["status"] == "DONE"
        assert process.shown()["moved_today"] == [{"asset": "USDT", "amount": "50"}]
        assert await town.told() == [
            ("TransferRequest", "ASKED"),
            ("TransferResponse", "TAKEN"),
            ("TransferResponse", "DONE"),
        ]
        assert town.moved == 50

    in_town(story)


@pytest.mark.parametrize("executed", [True, False])
@pytest.mark.parametrize("trouble", [Trouble.DROP, Trouble.UNKNOWN_503, Trouble.TIMEOUT_1007])
def test_a_lost_answer_keeps_all_else_back_until_the_history_has_spoken(trouble: Trouble, executed: bool) -> None:
    async def story(town: Town) -> None:
        town.lose(trouble, executed=executed)
        process = town.process()

        async def call() -> None:
            assert (await asked(process))["status"] == "IN_DOUBT"
            with pytest.raises(Refused, match="nothing else moves") as refused:
                await asked(process, 1)
            assert refused.value.code == "TRANSFER_IN_DOUBT"
            await settled(process)

        await living(process, call)
        assert process.state.ended[-1].stage is (Stage.DONE if executed else Stage.FAILED)
        assert process.state.moved["USDT"] == town.moved == (50 if executed else 0)

    in_town(story)


def test_a_wallet_that_our_own_rate_governor_may_not_read_says_so() -> None:
    async def story(town: Town) -> None:
        process = town.process()

        async def call() -> None:
            while True:
                try:
                    await cast("BinanceWallets", process._wallets).free(Wallet.SPOT, "USDT")
                except NotSent:
                    break
            with pytest.raises(Refused) as refused:
                await asked(process, 1)
            assert refused.value.code == "RATE_GOVERNOR"

        await living(process, call)

    in_town(story)


def test_a_mistake_of_ours_is_told_at_once_and_to_whoever_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def mistaken(*_: object) -> None:
        raise ZeroDivisionError

    async def story(town: Town) -> None:
        process = town.process()

        async def call() -> None:
            monkeypatch.setattr(transferring, "objection", mistaken)
            began_ms = town.clock.now_ms()
            with pytest.raises(ZeroDivisionError):
                await asked(process)
            assert town.clock.now_ms() - began_ms < 1_000  # virtual

        await living(process, call)
        assert town.moved == 0

    in_town(story)


def test_what_waits_for_its_turn_too_long_is_answered_and_never_begins() -> None:
    async def story(town: Town) -> None:
        process = town.process()

        async def call() -> None:
            async with process._turn:
                with pytest.raises(StoreUnavailable):
                    await asked(process)
            await asyncio.sleep(60)  # virtual

        await living(process, call)
        assert (town.moved, process.state.last, await town.told()) == (0, 0, [])

    in_town(story)


def test_what_the_disk_has_not_answered_is_an_unknown_outcome_and_no_try_again() -> None:
    """It moves once the disk has answered: whoever was told that nothing began would ask for it twice."""

    async def story(town: Town) -> None:
        process = town.process()

        async def call() -> None:
            async with process._turn:
                asking = asyncio.create_task(asked(process))
                await asyncio.sleep(4)  # virtual
            town.steps.stall_s = 1.5
            with pytest.raises(Refused) as refused:
                await asking
            assert (refused.value.code, town.moved) == ("OUTCOME_UNKNOWN", 0)
            town.steps.stall_s = 0
            await asyncio.sleep(60)  # virtual

        await living(process, call)
        assert town.moved == 50

    in_town(story)


def test_two_callers_at_once_move_once() -> None:
    async def story(town: Town) -> None:
        process = town.process()

        async def call() -> None:
            answers = await asyncio.gather(asked(process), asked(process), return_exceptions=True)
            assert [type(answer) for answer in answers if isinstance(answer, BaseException)] == [Refused]

        await living(process, call)
        assert town.moved == 50

    in_town(story)


FATES = [
    pytest.param(None, id="answered"),
    pytest.param(RequestFault(trouble=Trouble.DROP, executed=True), id="answer-lost"),
    pytest.param(RequestFault(trouble=Trouble.DROP, executed=False), id="never-arrived"),
    pytest.param(RequestFault(trouble=Trouble.REFUSE, code=-5013, msg="poor"), id="refused"),
]


@pytest.mark.parametrize("fault", FATES)
def test_killed_at_every_step_it_moves_at_most_once_and_knows_it(fault: RequestFault | None) -> None:
    """Steps are every request and every answer of ledger, bus and venue."""

    async def story(town: Town) -> int:
        if fault is not None:
            town.twin.faults = Once(fault, "POST")
        first = town.process()

        async def call() -> None:
            with suppress(Refused):
                await asked(first)
            await settled(first)

        alive = asyncio.create_task(living(first, call))
        dead = asyncio.create_task(town.steps.dead.wait())
        await asyncio.wait((alive, dead), return_when=asyncio.FIRST_COMPLETED)
        alive.cancel()
        dead.cancel()
        await asyncio.gather(alive, dead, return_exceptions=True)
        taken = town.steps.taken
        town.steps.kill_at = -1
        town.steps.dead.clear()
        second = town.process()
        await living(second, lambda: settled(second))

        assert len(town.twin.transfers.book) <= 1
        assert second.state.present is None
        assert second.state.moved.get("USDT", ZERO) == town.moved
        told = await town.told()
        if second.state.last:
            assert told[0] == ("TransferRequest", "ASKED")
            assert told[-1] == ("TransferResponse", "DONE" if town.moved else "FAILED")
            assert len(told) == second.state.event_seq
        else:
            assert not told
        return taken

    for seed in range(2):  # in which order the tasks of one moment go on
        for kill_at in count():
            loop = DetLoop(seed)

            async def begin(at: int = kill_at, on: DetLoop = loop) -> int:
                return await story(Town(on, steps=Steps(at)))

            try:
                taken = loop.run_until_complete(begin())
            finally:
                loop.close()
            if taken <= kill_at:
                break
        assert kill_at > 12


def test_an_entry_that_lacks_margin_is_topped_up_once() -> None:
    """20 for one BTC at 100 with leverage 5, and a twentieth more; what is free already counts."""

    async def story(town: Town) -> None:
        desk = Desk()
        command = next(each for each in desk.submit(an_intent()) if isinstance(each, Place))
        process = town.process()

        async def call() -> None:
            near = Price(D(1000))
            assert await process.found(command.order, desk.holding, near)
            await settled(process)
            assert not await process.found(command.order, desk.holding, near)

        await living(process, call)
        ended = process.state.ended
        assert len(ended) == 1
        assert ended[0].route is Route.SPOT_TO_FUT
        assert ended[0].why.endswith("lacks margin")

    in_town(story)


class Poor:
    """A venue that says no for lack of margin, limits that say nothing, and somebody who finds money, or does not."""

    def __init__(self, *found: bool) -> None:
        self._found = list(found)
        self.asked = 0

    async def place(self, order: NewOrder, *, timeout_ms: int) -> Any:
        raise VenueRejected(-2019, "Margin is insufficient.", Refusal.LACKS_BALANCE)

    async def found(self, order: NewOrder, holding: Holding, near: Price | None) -> bool:
        self.asked += 1
        return self._found.pop(0)

    def before(self, symbol: Symbol) -> None: ...
    def objection(self) -> None: ...
    def entering(self) -> None: ...
    def ended(self, *, entry: bool, good: bool) -> None: ...
    def reserve(self, *_: Any) -> None: ...
    def refused(self, error: VenueRejected) -> None: ...
    def standstill(self) -> Standstill:
        return Standstill()


async def refused_by(poor: Poor, desk: Desk) -> Place:
    """The desk's newest entry goes out and is refused; what it does then."""
    command = next(each for each in reversed(desk.told) if isinstance(each, Place))
    gates = Gates(*cast("Any", (poor, poor, poor.standstill)), refused=poor.refused, funding=poor)
    clock = SimpleNamespace(now_ms=lambda: desk.now, monotonic_ms=lambda: desk.now)
    sender = Sender(*cast("Any", (poor, None, poor, gates, clock, None)))
    fact = await sender.carry_out(command, lambda: desk.holding, lambda: Price(D(65_000)))
    assert fact is not None
    desk.hear(fact)
    desk.later(1_000).hear(Ticked())
    return next(each for each in reversed(desk.told) if isinstance(each, Place))


@pytest.mark.req("S4-BAL-1")
async def test_first_money_is_found_and_then_the_entry_is_made_smaller() -> None:
    """It goes out again as it was, under another id and with no try used; refused once more it is halved."""
    desk, poor = Desk(), Poor(True, False)
    desk.submit(an_intent(qty="0.01"))
    first = next(each for each in desk.told if isinstance(each, Place))

    again = await refused_by(poor, desk)
    assert (again.order.qty, again.order.ref != first.order.ref) == (first.order.qty, True)
    assert desk.holding.intents[IntentId("i1")].taker_tries == 1

    smaller = await refused_by(poor, desk)
    assert smaller.order.qty == first.order.qty / 2
    assert poor.asked == 2


def test_off_is_off() -> None:
    async def story(town: Town) -> None:
        process = town.process()

        async def call() -> None:
            with pytest.raises(Refused) as refused:
                await asked(process)
            assert refused.value.code == "TRANSFERS_OFF"
            assert not await process.top_up(Wallet.FUT, "USDT", D(50), "test")

        await living(process, call)
        assert town.moved == 0

    in_town(story, policy=TransferPolicy())


def test_the_budgets_wish_is_met_and_no_more() -> None:
    async def story(town: Town) -> None:
        process = town.process()

        async def call() -> None:
            await asyncio.sleep(5)
            town.futures_free = D(80)  # it has arrived
            await asyncio.sleep(60)

        await living(process, call)
        assert [each.amount for each in process.state.ended] == [D(50)]

    in_town(story, policy=ON.but(keep_free=D(80)), futures_free=D(30))


def test_who_was_overtaken_moves_nothing_more() -> None:
    async def story(town: Town) -> None:
        old, new = town.process(), town.process()

        async def call() -> None:
            await living(new, lambda: asked(new))
            with pytest.raises(Exception):  # noqa: B017, PT011 - whichever way he is told
                await asked(old, 20)
            assert old.deposed

        await living(old, call)
        assert town.moved == 50
        assert [alert.code for alert in town.alerts] == ["TRANSFERS_DEPOSED"]

    in_town(story)


def test_two_in_the_history_that_fit_wait_for_somebody() -> None:
    async def story(town: Town) -> None:
        town.lose(executed=True)
        process = town.process()

        async def call() -> None:
            await asked(process)
            first = town.twin.transfers.book[0]
            town.twin.transfers.book.append(first.but(tran_id=first.tran_id + 1))  # the same by hand
            while process.state.present is not None and process.state.present.stage is not Stage.AMBIGUOUS:  # noqa: ASYNC110
                await asyncio.sleep(1)
            await asyncio.sleep(3_600)
            assert process.state.present is not None
            await process.settle(happened=True, by="me")
            assert process.state.present is None

        await living(process, call)

    in_town(story)


def test_a_history_that_does_not_answer_is_asked_again() -> None:
    class Deaf(Mortal):
        fails = 3

        async def moved(self, *args: Any) -> tuple[Moved, ...]:
            self.fails -= 1
            if self.fails >= 0:
                raise NotSent("away")
            rows: tuple[Moved, ...] = await super().moved(*args)
            return rows

    async def story(town: Town) -> None:
        process = town.process()
        assert process._wallets is not None
        process._wallets.__class__ = Deaf  # type: ignore[assignment]  # the same wallets, hard of hearing

        async def call() -> None:
            await asked(process)
            await settled(process)

        await living(process, call)
        assert process.state.ended[-1].stage is Stage.DONE

    in_town(story)


def test_landing_has_the_venues_words() -> None:
    assert {word.value for word in Landing} == {"PENDING", "CONFIRMED", "FAILED"}
