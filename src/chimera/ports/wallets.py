"""The wallets of one owner, as transfers need them.

Each call returns, or raises ``VenueRejected`` (it said no; nothing happened), ``NotSent`` (it never took it) or
``OutcomeUnknown`` (it may have happened). A transfer has no id of ours: the same request twice moves twice.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from chimera.trading.money import Millis
from chimera.trading.transfer import Moved, Route, Wallet


class Wallets(Protocol):
    async def free(self, wallet: Wallet, asset: str) -> Decimal:
        """What may leave the wallet, or be used in it, just now; zero of an asset that it does not have."""
        ...

    async def move(self, route: Route, asset: str, amount: Decimal, *, timeout_ms: int) -> str:
        """Send it, once; the venue's name for the transfer. It may still be under way then."""
        ...

    async def moved(self, route: Route, since_ms: Millis) -> Sequence[Moved]:
        """Every transfer on that route from ``since_ms`` on (venue clock), as far as the history shows it yet."""
        ...

    def dead_after_ms(self, sent_ms: Millis) -> Millis:
        """Venue clock past which a request stamped ``sent_ms`` (ours) can no longer be accepted."""
        ...
