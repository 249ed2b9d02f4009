"""Where a fill is known and its trade is not, the default stop is measured from where the order met the book."""

from decimal import Decimal

import pytest
from desk import T0, Desk, an_intent

from chimera.trading.facts import Found
from chimera.trading.intent import StopSpec
from chimera.trading.liquidity import Book
from chimera.trading.market import Level
from chimera.trading.money import Millis, Price, Qty
from chimera.trading.order import Role, Status
from chimera.trading.scene import Scene

pytestmark = pytest.mark.req("S4-FUT-1")


def shown(*asks: tuple[str, str]) -> Book:
    levels = tuple(Level(price=Price(Decimal(px)), qty=Qty(Decimal(qty))) for px, qty in asks)
    return Book(bids=(Level(price=Price(Decimal(64_900)), qty=Qty(Decimal(5))),), asks=levels, at_ms=Millis(T0))


def told_filled(book: Book | None, *, wait_ms: int = 0) -> tuple[Desk, Role]:
    """A desk that has heard the fill of 0.01 and not its trade; the mark is far from the book."""
    desk = Desk()
    desk.book = book
    desk.submit(an_intent(qty="0.01", stop=StopSpec()), wait_ms=wait_ms)
    role = Role.MAKER if wait_ms else Role.TAKER
    entry = desk.placed(role)
    desk.hear(Found(order=desk.word(entry, Status.FILLED, "0.01")))
    return desk, role


@pytest.mark.parametrize(
    ("asks", "mean"),
    [
        ([("65100", "5")], "65100"),
        ([("65100", "0.005"), ("65200", "1")], "65150"),
        ([("65100", "0.005")], "65100"),  # beyond what was seen: at the last price that was
    ],
)
def test_a_stop_measured_from_the_book_is_the_only_one(asks: list[tuple[str, str]], mean: str) -> None:
    desk, role = told_filled(shown(*asks))
    assert desk.placed(Role.STOP).trigger_price == (Decimal(mean) * Decimal("0.985")).quantize(Decimal("0.1"))
    desk.ack(desk.placed(Role.STOP))
    desk.fill(desk.placed(role), "0.01", mean)
    assert desk.count(Role.STOP) == 1
    assert desk.canceled() == []


@pytest.mark.req("I10")
@pytest.mark.fault("C10")
@pytest.mark.parametrize(("stop", "price"), [(None, "64025.1"), ("64000", "64000")])
def test_a_fill_is_protected_though_the_market_has_gone_out_of_sight(stop: str | None, price: str) -> None:
    """It was bare until its trade was told, with a stop that had been asked for by its price, too."""
    desk = Blind()
    desk.submit(an_intent(qty="0.01", stop=StopSpec(price=None if stop is None else Price(Decimal(stop)))))
    entry = desk.placed(Role.TAKER)
    desk.blind = True
    desk.hear(Found(order=desk.word(entry, Status.FILLED, "0.01")))

    assert desk.placed(Role.STOP).trigger_price == Decimal(price)


class Blind(Desk):
    blind = False

    @property
    def scene(self) -> Scene:
        return super().scene.but(touch=None, mark=None, book=None) if self.blind else super().scene


def test_one_that_was_measured_wrongly_is_replaced() -> None:
    desk, role = told_filled(shown(("65100", "5")))
    desk.ack(desk.placed(Role.STOP))
    desk.fill(desk.placed(role), "0.01", "65000")
    assert desk.count(Role.STOP) == 2
    assert desk.placed(Role.STOP).trigger_price == Decimal("64025.0")


def test_what_rested_filled_at_its_own_price() -> None:
    desk, role = told_filled(shown(("65100", "5")), wait_ms=1_000)
    entry = desk.placed(role)
    desk.ack(desk.placed(Role.STOP))
    desk.fill(entry, "0.01", str(entry.price))
    assert desk.count(Role.STOP) == 1


def test_without_a_book_the_market_serves() -> None:
    desk, _ = told_filled(None)
    assert desk.placed(Role.STOP).trigger_price == Decimal("64025.0")


@pytest.mark.parametrize("ask", ["66500", "63500"])
def test_a_market_that_is_far_from_the_book_serves_itself(ask: str) -> None:
    """An old book, or a market that fell meanwhile: measured from there, the stop might be beyond the market."""
    desk, _ = told_filled(shown((ask, "5")))
    assert desk.placed(Role.STOP).trigger_price == Decimal("64025.0")
