"""What the parts of one router stand on: whose account on which market, its owners and rules, its clocks, its voice.

It knows none of the parts and decides nothing. The dictionaries are never replaced; what is in them changes.
"""

from collections.abc import Callable
from typing import NamedTuple

from chimera.ports.clock import Clock
from chimera.services.router.barriers import Barriers
from chimera.services.router.owner import Owner
from chimera.services.router.traced import Admissions
from chimera.trading.errors import Refused
from chimera.trading.events import Alert
from chimera.trading.holding import Holding
from chimera.trading.ids import VENUE, AccountId, PositionKey, Symbol
from chimera.trading.instrument import Instrument
from chimera.trading.market import Market
from chimera.trading.money import Millis
from chimera.trading.scene import Policy, Scene


class VenueTime:
    """The venue's clock by our estimate: ours, and how far the venue's was ahead when it was read last."""

    def __init__(self, clock: Clock) -> None:
        self.offset_ms = 0
        self._clock = clock

    def now_ms(self) -> Millis:
        return Millis(self._clock.now_ms() + self.offset_ms)


class Ground(NamedTuple):
    """Of one account on one market."""

    account_id: AccountId
    market: Market
    symbols: tuple[Symbol, ...]  # in which entries are taken
    policy: Policy  # as it was configured
    owners: dict[PositionKey, Owner]
    instruments: dict[Symbol, Instrument]
    clock: Clock
    venue_clock: VenueTime
    barriers: Barriers
    tell: Callable[[Alert], None]
    scene: Callable[[Holding], Scene]  # the present moment for one holding
    loaded: Callable[[], bool] = lambda: True  # whether every owner is there; before that, who is not may be to come
    admissions: Admissions = Admissions(None)

    @property
    def venue_now_ms(self) -> Millis:
        return self.venue_clock.now_ms()

    def holdings(self) -> tuple[Holding, ...]:
        """Of every position here, as it is now."""
        return tuple(owner.holding for owner in self.owners.values())

    def key(self, symbol: Symbol) -> PositionKey:
        return PositionKey(venue=VENUE, account=self.account_id, market=self.market, symbol=symbol)

    def owner_of(self, symbol: Symbol) -> Owner | None:
        return self.owners.get(self.key(symbol))

    def not_traded(self, symbol: str) -> Refused:
        traded = ", ".join(sorted(key.symbol for key in self.owners))
        return Refused(
            "UNKNOWN_SYMBOL", f"{symbol} is not traded here", field="symbol", value=symbol, accepted=traded or None
        )

    def not_loaded(self, field: str, value: str) -> Refused | None:
        """What to say of a position or an order that is not known, while somebody may still bring it."""
        if self.loaded():
            return None
        return Refused("NOT_READY", "positions are still being loaded; try again", field=field, value=value)
