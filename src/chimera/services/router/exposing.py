"""What positions may come to, as the last hop reckons it: each by itself, and all of an account over its markets.

Counted from the holdings themselves in the step that asks. An order is in its holding before it waits for the disk, so
what is left is never granted to two symbols at once (I22). Knows no ceiling.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal

from chimera.admit.limits import Exposure
from chimera.services.router.ground import Ground
from chimera.services.router.market import MarketView
from chimera.trading.holding import Holding
from chimera.trading.ids import PositionKey, Symbol
from chimera.trading.market import Market, Side
from chimera.trading.money import ZERO, Price, Quote


class Exposing:
    """Of one account on one market."""

    def __init__(
        self,
        ground: Ground,
        market: MarketView,
        of_others: Callable[[Symbol, Side], Decimal],
        everywhere: "dict[Market, Exposing]",
        complete: Callable[[], bool],
    ) -> None:
        """``of_others``: what orders that are not ours may still add; ``everywhere``: each market of the account.

        ``complete``: whether every position of every market is known.
        """
        self._ground = ground
        self._market = market
        self._of_others = of_others
        self._everywhere = everywhere
        self._complete = complete
        everywhere[ground.market] = self

    def of(self, holding: Holding, near: Price) -> Exposure | None:
        """With what all others of the account may come to; None while that cannot be told."""
        elsewhere = self.gross(beside=holding.key)
        return None if elsewhere is None else Exposure.of(holding, near, self._of_others, elsewhere)

    def gross(self, *, beside: PositionKey | None = None) -> Quote | None:
        """The account's notional if all that may fill does, of every position but this one; None: not known."""
        if not self._complete():
            return None
        total = ZERO
        for market in self._everywhere.values():
            for key, exposure in market.each():
                if exposure is None:
                    return None
                total += ZERO if key == beside else exposure.worst_notional
        return Quote(total)

    def each(self) -> Iterator[tuple[PositionKey, Exposure | None]]:
        """Positions of this market that are open or may be; None: no price is known by which to count."""
        for key, owner in self._ground.owners.items():
            holding = owner.holding
            if holding.exposure or holding.resting or any(self._of_others(key.symbol, side) for side in Side):
                near = self._market.worth(key.symbol) or holding.position.entry_px
                yield key, None if near is None else Exposure.of(holding, near, self._of_others)
