"""Leverage is set once, never under what stands, and not as often as a hostile caller likes."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from chimera.admit import leverage
from chimera.services.router.preparing import Preparing
from chimera.trading.errors import ChimeraError, NotSent, OutcomeUnknown, Refused, VenueRejected
from chimera.trading.holding import Holding
from chimera.trading.ids import Symbol
from chimera.trading.intent import Intent
from chimera.trading.market import Side
from chimera.trading.money import MINUTE_MS, Millis
from chimera.trading.order import Role
from support.desk import KEY, SYMBOL, Desk, a_long, an_intent

FLAT = Holding(key=KEY)


class Hand:
    now = 0

    def monotonic_ms(self) -> Millis:
        return Millis(self.now)


class Rules:
    """Takes what it is told when it is let, or fails with what it is given."""

    def __init__(self) -> None:
        self.told: list[tuple[Symbol, int]] = []
        self.failure: ChimeraError | None = None
        self.has: dict[Symbol, int] = {}  # as the venue has it, where somebody else has set it
        self.answers = asyncio.Event()
        self.answers.set()

    async def prepare(self, symbol: Symbol, leverage: int, *, change: bool = True) -> int:
        self.told.append((symbol, leverage))
        await self.answers.wait()
        if self.failure is not None:
            raise self.failure
        if change:
            self.has[symbol] = leverage
        return self.has.get(symbol, leverage)


class Set:
    def __init__(self) -> None:
        self.rules, self.clock = Rules(), Hand()
        self.preparing = Preparing(cast("Any", self.rules), cast("Any", self.clock))

    async def at(self, level: int, holding: Holding = FLAT, symbol: Symbol = SYMBOL) -> str:
        """The code of the refusal; OK where there was none."""
        intent = at_leverage(level).but(symbol=symbol)
        try:
            await self.preparing.prepare(intent, lambda: holding)
            self.preparing.hold(intent)
        except Refused as no:
            return no.code
        return "OK"


def at_leverage(level: int, name: str = "i2") -> Intent:
    return an_intent(name).but(leverage=level)


@pytest.fixture
def venue() -> Set:
    return Set()


@pytest.mark.req("S4-RULE-2", "S4-RETRY-1")
async def test_a_caller_who_alternates_asks_the_venue_four_times_a_minute(venue: Set) -> None:
    answers = []
    for number in range(600):
        venue.clock.now += 100
        answers.append(await venue.at(10 + number % 2))
    assert len(venue.rules.told) == leverage.OF_SYMBOL
    assert set(answers[leverage.OF_SYMBOL :]) == {leverage.TOO_OFTEN, "OK"}, "at the leverage that is set he may go on"
    venue.clock.now += MINUTE_MS
    assert await venue.at(30) == "OK"


async def test_all_symbols_together_have_a_bound_too(venue: Set) -> None:
    for number in range(200):
        for level in (5, 6, 7):
            await venue.at(level, symbol=Symbol(f"S{number}USDT"))
    assert len(venue.rules.told) == leverage.OF_ACCOUNT


async def test_what_the_venue_refuses_counts_and_what_never_left_does_not(venue: Set) -> None:
    venue.rules.failure = NotSent("no room", held=True)
    assert {await venue.at(10) for _ in range(20)} == {"VENUE_DOWN"}
    venue.rules.failure = VenueRejected(-4028, "not valid")
    refused = [await venue.at(10) for _ in range(20)]
    assert refused == ["VENUE_REFUSED"] * 4 + [leverage.TOO_OFTEN] * 16
    venue.clock.now += MINUTE_MS
    venue.rules.failure = OutcomeUnknown("?")
    assert [await venue.at(10) for _ in range(6)] == ["VENUE_DOWN"] * 4 + [leverage.TOO_OFTEN] * 2


@pytest.mark.req("S4-RULE-2")
async def test_what_stands_keeps_its_leverage(venue: Set) -> None:
    """Also of one who was born after it was opened, and so does not know what the venue was told."""
    standing = a_long().holding
    assert await venue.at(10, standing) == leverage.IN_USE
    assert venue.rules.told == []
    assert await venue.at(20, standing) == "OK"
    assert await venue.at(10, FLAT) == "OK", "once flat it may be another"


async def test_an_intent_at_work_keeps_its_leverage(venue: Set) -> None:
    desk = Desk()
    desk.submit(an_intent(), wait_ms=1_000)
    desk.ack(desk.placed(Role.MAKER))
    assert not desk.holding.exposure
    assert await venue.at(10, desk.holding) == leverage.IN_USE
    assert venue.rules.told == []


async def test_a_position_that_nobody_asked_for_keeps_what_the_venue_was_told(venue: Set) -> None:
    desk = Desk()
    for _ in range(3):
        desk.later(200).survey(qty="0.01")
    assert desk.holding.position.qty
    assert await venue.at(20, FLAT) == "OK"
    assert await venue.at(10, desk.holding) == leverage.IN_USE
    assert venue.rules.told == [(SYMBOL, 20)]


async def test_exits_need_none(venue: Set) -> None:
    exit_ = an_intent("x", side=Side.SELL, reduce_only=True, stop=None).but(leverage=10)
    await venue.preparing.prepare(exit_, lambda: a_long().holding)
    venue.preparing.hold(exit_)
    assert venue.rules.told == []


async def test_many_at_once_tell_the_venue_once(venue: Set) -> None:
    venue.rules.answers.clear()
    waiting = [asyncio.create_task(venue.at(20)) for _ in range(50)]
    await asyncio.sleep(0)
    venue.rules.answers.set()
    assert await asyncio.gather(*waiting) == ["OK"] * 50
    assert venue.rules.told == [(SYMBOL, 20)]


async def test_nothing_is_taken_at_a_leverage_that_is_being_changed(venue: Set) -> None:
    """Between the first's admission and its claim another sets the leverage: the first would trade at his."""
    mine = at_leverage(20)
    await venue.preparing.prepare(mine, lambda: FLAT)
    venue.rules.answers.clear()
    other = asyncio.create_task(venue.at(10))
    await asyncio.sleep(0)
    with pytest.raises(Refused) as changing:
        venue.preparing.hold(mine)
    assert changing.value.code == leverage.IN_USE
    venue.rules.answers.set()
    assert await other == "OK"
    with pytest.raises(Refused):
        venue.preparing.hold(mine)


@pytest.mark.req("S4-RULE-2")
@pytest.mark.fault("F13")
@pytest.mark.parametrize("news", [lambda it: it.heard(SYMBOL, 100), lambda it: it.heard(SYMBOL, None), Preparing.doubt])
async def test_what_is_heard_while_the_venue_answers_outranks_its_answer(
    venue: Set, news: Callable[[Preparing], None]
) -> None:
    """Set by hand after the venue had looked: the answer would have stood for ever, and entries gone at 100."""
    venue.rules.answers.clear()
    mine = asyncio.create_task(venue.at(20))
    await asyncio.sleep(0)
    news(venue.preparing)
    venue.rules.answers.set()
    assert await mine == leverage.IN_USE
    assert await venue.at(20) == "OK"
    assert venue.rules.told == [(SYMBOL, 20)] * 2


async def test_our_own_change_is_no_news_whenever_it_is_heard(venue: Set) -> None:
    venue.rules.answers.clear()
    mine = asyncio.create_task(venue.at(20))
    await asyncio.sleep(0)
    venue.preparing.heard(SYMBOL, 20)
    venue.rules.answers.set()
    assert await mine == "OK"


async def test_who_waited_for_his_turn_looks_again_at_what_stands(venue: Set) -> None:
    desk = Desk()
    venue.rules.answers.clear()
    first = asyncio.create_task(venue.at(20))
    second = asyncio.create_task(second_at(venue, desk))
    await asyncio.sleep(0)
    desk.submit(an_intent(), wait_ms=1_000)
    venue.rules.answers.set()
    assert await first == "OK"
    assert await second == leverage.IN_USE
    assert venue.rules.told == [(SYMBOL, 20)]


async def second_at(venue: Set, desk: Desk) -> str:
    try:
        await venue.preparing.prepare(at_leverage(10), lambda: desk.holding)
    except Refused as no:
        return no.code
    return "OK"


def opened_by_hand() -> Holding:
    desk = Desk()
    for _ in range(3):
        desk.later(200).survey(qty="0.01")
    return desk.holding


@pytest.mark.req("S4-RULE-2")
@pytest.mark.fault("F13")
async def test_a_position_opened_by_hand_keeps_its_leverage_though_we_never_told_it(venue: Set) -> None:
    """The venue lets it be raised under an open position; its owner chose it."""
    venue.rules.has[SYMBOL] = 5
    assert await venue.at(20, opened_by_hand()) == leverage.IN_USE
    assert venue.rules.has[SYMBOL] == 5
    assert await venue.at(5, opened_by_hand()) == "OK"
    assert await venue.at(20, FLAT) == "OK", "once flat it may be another"


@pytest.mark.req("S4-RULE-2")
@pytest.mark.fault("F13")
async def test_a_leverage_that_somebody_else_sets_is_not_traded_at(venue: Set) -> None:
    """At 100 the position is liquidated long before a stop that was judged by 20."""
    assert await venue.at(20) == "OK"
    venue.rules.has[SYMBOL] = 100
    venue.preparing.heard(SYMBOL, 100)
    assert await venue.at(20, a_long().holding) == leverage.IN_USE, "what stands there is not touched"
    assert await venue.at(20) == "OK"
    assert venue.rules.has[SYMBOL] == 20, "set anew"


async def test_what_is_heard_of_our_own_setting_is_no_news(venue: Set) -> None:
    assert await venue.at(20) == "OK"
    venue.preparing.heard(SYMBOL, 20)
    assert await venue.at(20) == "OK"
    assert len(venue.rules.told) == 1


@pytest.mark.parametrize("doubt", [lambda p: p.heard(SYMBOL, None), lambda p: p.doubt()], ids=["margin", "gap"])
async def test_after_another_margin_type_or_a_gap_the_venue_is_asked_again(
    venue: Set, doubt: Callable[[Preparing], None]
) -> None:
    assert await venue.at(20) == "OK"
    doubt(venue.preparing)
    assert await venue.at(20) == "OK"
    assert len(venue.rules.told) == 2


@pytest.mark.req("S4-RULE-2")
@pytest.mark.fault("F13")
@pytest.mark.parametrize(
    "news", [None, lambda it: it.heard(SYMBOL, 100), lambda it: it.heard(SYMBOL, None), Preparing.doubt]
)
async def test_an_intent_that_is_worked_does_not_go_on_at_the_leverage_of_another(
    venue: Set, news: Callable[[Preparing], None] | None
) -> None:
    """A schedule went on at 100 where its owner had set that, while S4 ran or while it was down (``None``)."""
    mine = at_leverage(20)
    if news is not None:
        assert await venue.at(20) == "OK"
        assert await venue.preparing.differs(mine) is None
        assert venue.rules.told == [(SYMBOL, 20)], "what is known is not asked for"
        news(venue.preparing)
    venue.rules.has[SYMBOL] = 100
    no = await venue.preparing.differs(mine)

    assert no is not None
    assert (no.code, no.accepted) == (leverage.IN_USE, "100; or another once flat")
    assert venue.rules.has == {SYMBOL: 100}, "nor is it changed under what stands"
    venue.rules.has[SYMBOL] = 20
    assert await venue.preparing.differs(mine) is None


async def test_while_the_leverage_cannot_be_told_a_child_waits(venue: Set) -> None:
    venue.rules.failure = OutcomeUnknown("no answer")
    for _ in range(10):
        with pytest.raises(Refused) as no:
            await venue.preparing.differs(at_leverage(20))
        assert no.value.code == "VENUE_DOWN"
    venue.rules.failure = None
    assert await venue.preparing.differs(at_leverage(20)) is None, "what changes nothing is not counted"
