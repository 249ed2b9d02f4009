"""What the venue must be told of a symbol before an entry may go there: isolated margin, and the intent's leverage."""

from chimera.ports.venue import Rulebook
from chimera.trading.errors import ChimeraError, Refused, VenueRejected
from chimera.trading.ids import Symbol
from chimera.trading.intent import Intent


class Preparing:
    """Of one account; told once per symbol and leverage (S4-RULE-2)."""

    def __init__(self, rulebook: Rulebook) -> None:
        self._rulebook = rulebook
        self._prepared: dict[Symbol, int] = {}

    async def prepare(self, intent: Intent) -> None:
        """Raises ``Refused`` where the venue says no or nothing; exits need no preparing."""
        if intent.reduce_only or self._prepared.get(intent.symbol) == intent.leverage:
            return
        try:
            await self._rulebook.prepare(intent.symbol, intent.leverage)
        except VenueRejected as error:
            raise Refused("VENUE_REFUSED", f"leverage {intent.leverage}: {error}", field="leverage") from error
        except ChimeraError as error:
            raise Refused("VENUE_DOWN", f"the venue did not answer: {error}") from error
        self._prepared[intent.symbol] = intent.leverage
