"""The guards of all holdings, by symbol and price: each look at the market goes in, the facts ``Touched`` come out.

Invariants: the books hold exactly what the holdings have armed, after every fact that changed it and before the first
look after a start; an owner who could not take a touch in hears of it again at the next look.
"""

from collections.abc import Mapping
from typing import Final, Protocol

from chimera.protect.watch import GuardBook
from chimera.trading.events import Event, GuardChanged
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
    """Of one account on one market. ``owners`` may gain and change owners at any time."""

    def __init__(self, owners: Mapping[PositionKey, Owning]) -> None:
        self._owners = owners
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

    def heard(self, key: PositionKey, events: tuple[Event, ...]) -> None:
        """What an owner tells of."""
        if any(isinstance(event.body, GuardChanged) for event in events) and (owner := self._owners.get(key)):
            self.keep(owner.holding)

    def looked(self, symbol: Symbol, touch: Touch | None, mark: Price | None) -> None:
        """The market as it is now; who is touched hears of it before this returns."""
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
