"""How near we are to what the venue lets us ask; the governor behind it decides."""

from collections.abc import Sequence
from typing import Protocol

from chimera.trading.money import Millis
from chimera.trading.rates import RateUse


class Rates(Protocol):
    """The limits of one address and account, now."""

    def uses(self) -> Sequence[RateUse]: ...

    def entries_held(self) -> str | None:
        """Why an entry would be held back now; None: it would leave."""
        ...

    def expect(self, stops: int) -> None:
        """Keep the room of so many stops, which may be needed at any moment."""
        ...

    def banned_ms(self) -> Millis:
        """How long nothing may leave; 0: it may."""
        ...
