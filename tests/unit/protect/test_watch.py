"""The book of guards against a plain list that looks at every guard at every tick."""

from collections.abc import Iterable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.protect import watch
from chimera.protect.watch import GuardBook
from chimera.trading.guard import Gauge, Guard, GuardRef
from chimera.trading.market import Side, Touch
from chimera.trading.money import Millis, Price, Qty
from chimera.trading.order import Role
from chimera.wire.codec import seal, unseal


def a_guard(
    name: str, price: Decimal | int, *, role: Role = Role.STOP, side: Side = Side.SELL, gauge: Gauge = Gauge.MID
) -> Guard:
    return Guard(
        ref=GuardRef(name),
        role=role,
        side=side,
        price=Price(Decimal(price)),
        qty=Qty(Decimal(1)),
        gauge=gauge,
        armed_ms=Millis(0),
    )


def tick(book: GuardBook, price: int, gauge: Gauge = Gauge.MID) -> list[str]:
    return [guard.ref for guard in book.tick(gauge, Price(Decimal(price)))]


class NaiveBook:
    """What the book claims to be."""

    def __init__(self) -> None:
        self.guards: list[Guard] = []

    def arm(self, guard: Guard) -> None:
        if guard not in self.guards:
            self.disarm(guard.ref)
            self.guards.append(guard)

    def disarm(self, ref: GuardRef) -> bool:
        left = [guard for guard in self.guards if guard.ref != ref]
        gone = len(left) < len(self.guards)
        self.guards = left
        return gone

    def tick(self, gauge: Gauge, price: Price) -> tuple[Guard, ...]:
        touched = tuple(guard for guard in self.guards if guard.gauge is gauge and guard.touched_by(price))
        self.guards = [guard for guard in self.guards if guard not in touched]
        return touched


PRICES = st.integers(1, 30).map(lambda ticks: Price(Decimal(ticks) / 10))
GUARDS = st.builds(
    a_guard,
    st.integers(0, 12).map(str),
    PRICES,
    role=st.sampled_from((Role.STOP, Role.TARGET)),
    side=st.sampled_from(Side),
    gauge=st.sampled_from(Gauge),
)
DEEDS = st.one_of(
    st.tuples(st.just("arm"), GUARDS),
    st.tuples(st.just("disarm"), st.integers(0, 12).map(lambda name: GuardRef(str(name)))),
    st.tuples(st.just("tick"), st.sampled_from(Gauge), PRICES),
)


@pytest.mark.req("S4-SPOT-4")
@given(st.lists(DEEDS, max_size=80), st.sampled_from((0, 3)))
def test_it_hands_out_what_a_plain_list_would(deeds: Iterable[tuple[object, ...]], slack: int) -> None:
    book, naive = GuardBook(), NaiveBook()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watch, "SLACK", slack)
        for name, *args in deeds:
            assert getattr(book, str(name))(*args) == getattr(naive, str(name))(*args), (name, args)
            assert len(book) == len(naive.guards)


@pytest.mark.req("S4-SPOT-4")
@pytest.mark.parametrize(
    ("role", "side", "quiet", "touching"),
    [
        (Role.STOP, Side.SELL, 101, 100),
        (Role.STOP, Side.BUY, 99, 100),
        (Role.TARGET, Side.SELL, 99, 100),
        (Role.TARGET, Side.BUY, 101, 100),
    ],
)
def test_each_fires_at_its_price_and_not_before(role: Role, side: Side, quiet: int, touching: int) -> None:
    book = GuardBook()
    book.arm(a_guard("one", 100, role=role, side=side))

    assert tick(book, quiet) == []
    assert tick(book, touching) == ["one"]
    assert tick(book, touching) == []  # once


@pytest.mark.req("S4-SPOT-4")
def test_a_jump_over_several_prices_fires_all_in_order_of_arming() -> None:
    book = GuardBook()
    for name, price in (("deep", 90), ("near", 99), ("target of a short", 95), ("deeper", 80)):
        book.arm(a_guard(name, price))

    assert tick(book, 85) == ["deep", "near", "target of a short"]
    assert len(book) == 1


def test_another_price_under_the_same_name_replaces() -> None:
    book = GuardBook()
    book.arm(a_guard("one", 100))
    book.arm(a_guard("one", 90))

    assert (tick(book, 95), len(book)) == ([], 1)
    assert tick(book, 90) == ["one"]


def test_a_mark_says_nothing_to_a_guard_by_the_mid() -> None:
    book = GuardBook()
    book.arm(a_guard("one", 100))

    assert tick(book, 1, Gauge.MARK) == []
    assert tick(book, 1, Gauge.MID) == ["one"]


def test_guards_that_come_and_go_for_ever_leave_nothing_behind() -> None:
    """One that stays nearest keeps the head of the ladder armed, so only sweeping can clear what is behind it."""
    book = GuardBook()
    book.arm(a_guard("stays", 100))
    for number in range(5_000):
        book.arm(a_guard("moves", 50 + number % 40))

    falling, _ = book._mid
    assert len(falling._heap) <= 2 * len(book) + watch.SLACK + 1


def test_a_mark_that_is_not_known_gives_way_to_the_mid() -> None:
    ones = Qty(Decimal(1))
    touch = Touch(bid=Price(Decimal(9)), bid_qty=ones, ask=Price(Decimal(11)), ask_qty=ones, at_ms=Millis(0))

    assert Gauge.MARK.read(touch, Price(Decimal(12))) == 12
    assert Gauge.MARK.read(touch, None) == 10
    assert Gauge.MID.read(touch, Price(Decimal(12))) == 10
    assert Gauge.MID.read(None, Price(Decimal(12))) is None


def test_a_guard_is_its_own_document() -> None:
    guard = a_guard("one", 100, role=Role.TARGET)

    assert unseal(seal(guard), Guard) == guard
