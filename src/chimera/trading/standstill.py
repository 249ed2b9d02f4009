"""The kill switch as a value: what stands still, since when, by whose word and why.

A kill is latched: it holds over restarts until somebody arms again, and only ever forbids what can add exposure.
"""

from enum import StrEnum

from chimera.trading.ids import PositionKey, StrategyId
from chimera.trading.money import Millis
from chimera.trading.value import Value


class Scope(StrEnum):
    """How far a kill reaches."""

    GLOBAL = "GLOBAL"
    MARKET = "MARKET"
    SYMBOL = "SYMBOL"
    STRATEGY = "STRATEGY"


class Kill(Value):
    """One kill. ``name``: the market, symbol or strategy; empty with GLOBAL. ``flatten``: close what is held, too."""

    scope: Scope
    by: str
    reason: str
    at_ms: Millis
    name: str = ""
    flatten: bool = False

    @property
    def place(self) -> tuple[Scope, str]:
        """Where it holds: there is one kill for each."""
        return self.scope, self.name

    def reaches(self, key: PositionKey) -> bool:
        """Whether something of this position key may be under it; a strategy may trade any."""
        match self.scope:
            case Scope.MARKET:
                return self.name == key.market
            case Scope.SYMBOL:
                return self.name == key.symbol
            case Scope.GLOBAL | Scope.STRATEGY:
                return True

    def covers(self, key: PositionKey, strategy_id: StrategyId) -> bool:
        """Whether an intent of this strategy on this key is under it."""
        return self.reaches(key) and (self.scope is not Scope.STRATEGY or self.name == strategy_id)

    @property
    def told(self) -> str:
        """For an answer: where, who, why."""
        where = self.scope if self.scope is Scope.GLOBAL else f"{self.scope} {self.name}"
        return f"killed ({where}) by {self.by}: {self.reason}"


class Standstill(Value):
    """Every kill in force, oldest first; one for each place."""

    kills: tuple[Kill, ...] = ()
    rev: int = 0

    def over(self, key: PositionKey, strategy_id: StrategyId) -> Kill | None:
        """The oldest kill that such an intent is under."""
        return next((kill for kill in self.kills if kill.covers(key, strategy_id)), None)

    def at(self, scope: Scope, name: str) -> Kill | None:
        """The kill in force at exactly this place."""
        return next((kill for kill in self.kills if kill.place == (scope, name)), None)

    def killed(self, kill: Kill) -> "Standstill":
        """With one more. At a place already killed the first word stays, and ``flatten`` may only be added."""
        standing = self.at(*kill.place)
        if standing is None:
            return self.but(kills=(*self.kills, kill), rev=self.rev + 1)
        if not kill.flatten or standing.flatten:
            return self
        stronger = standing.but(flatten=True)
        kills = tuple(stronger if each is standing else each for each in self.kills)
        return self.but(kills=kills, rev=self.rev + 1)

    def armed(self, scope: Scope, name: str) -> "Standstill":
        """Without the kill at this place."""
        kills = tuple(kill for kill in self.kills if kill.place != (scope, name))
        return self if kills == self.kills else self.but(kills=kills, rev=self.rev + 1)
