"""The guards of all holdings, by symbol and price: each look at the market goes in, the facts ``Touched`` come out.

Level-triggered: at each look at a symbol its book is brought into step with what the owner's holding has armed, so that
a start, a change of owner and a fact that could not be taken in need nothing of their own.
"""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from chimera.protect.watch import GuardBook
from chimera.trading.facts import Touched
from chimera.trading.guard import Gauge, Guard, GuardRef
from chimera.trading.holding import Holding
from chimera.trading.ids import PositionKey, Symbol
from chimera.trading.market import Touch
from chimera.trading.money import Price

_GAUGES: Final = tuple(Gauge)


class Owning(Protocol):
    """An owner, as far as guards need one."""

    @property
    def holding(self) -> Holding: ...

    def hear(self, fact: Touched) -> None: ...


class Guarding:
    """Of one account on one market. ``owners`` may gain and change owners at any time; ``key`` is a symbol's here."""

    def __init__(self, owners: Mapping[PositionKey, Owning], key: Callable[[Symbol], PositionKey]) -> None:
        self._owners = owners
        self._key = key
        self._books: dict[Symbol, GuardBook] = {}
        self._armed: dict[PositionKey, tuple[Guard, ...]] = {}
        self._whose: dict[GuardRef, PositionKey] = {}

    @property
    def armed(self) -> int:
        """Guards that watch now."""
        return sum(len(book) for book in self._books.values())

    def keep(self, holding: Holding) -> None:
        """In step with what this holding has armed."""
        key, known = holding.key, self._armed.get(holding.key, ())
        if known == holding.guards:
            return
        book = self._books.setdefault(key.symbol, GuardBook())
        refs = {guard.ref for guard in holding.guards}
        for guard in known:
            if guard.ref not in refs:
                book.disarm(guard.ref)
                del self._whose[guard.ref]
        for guard in holding.guards:
            book.arm(guard)
            self._whose[guard.ref] = key
        self._armed[key] = holding.guards

    def looked(self, symbol: Symbol, touch: Touch | None, mark: Price | None) -> None:
        """The market as it is now; who is touched hears of it before this returns."""
        owner = self._owners.get(self._key(symbol))
        if owner is not None:
            self.keep(owner.holding)
        self.judge(symbol, touch, mark)

    def judge(self, symbol: Symbol, touch: Touch | None, mark: Price | None) -> None:
        """By what is in the book of the symbol."""
        book = self._books.get(symbol)
        if not book:
            return
        for gauge in _GAUGES:
            price = gauge.read(touch, mark) if book.goes_by(gauge) else None
            if price is not None:
                for guard in book.tick(gauge, price):
                    self._touch(guard, price)

    def _touch(self, guard: Guard, price: Price) -> None:
        key = self._whose.pop(guard.ref)
        self._armed[key] = tuple(other for other in self._armed[key] if other.ref != guard.ref)
        owner = self._owners.get(key)
        if owner is not None:
            owner.hear(Touched(ref=guard.ref, price=price))
            self.keep(owner.holding)
