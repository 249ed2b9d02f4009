"""What looks after the account as a whole, beside the owners: the ledger's memory, whether it was put back, the
sweep, the inbox of doubt.
"""

from collections.abc import Awaitable, Callable

from chimera.ports.ledger import Ledger
from chimera.ports.venue import Records
from chimera.reconcile.external import rows
from chimera.reconcile.sweep import SweepPolicy
from chimera.services.router.controls import Controls
from chimera.services.router.doubting import Inbox
from chimera.services.router.ground import Ground
from chimera.services.router.patience import Looks
from chimera.services.router.remembering import Remembering
from chimera.services.router.restoring import Restoring
from chimera.services.router.sweeping import Sweeping
from chimera.trading.ids import Symbol


class Reconciling:
    """The four of one account."""

    def __init__(
        self,
        ground: Ground,
        policy: SweepPolicy,
        *,
        records: Records,
        ledger: Ledger,
        controls: Controls,
        take_over: Callable[[Symbol], Awaitable[None]],
    ) -> None:
        """``take_over``: own a symbol in which something of ours was found."""
        self.restoring = Restoring(ground, records=records, ledger=ledger, controls=controls)
        self.memory = Remembering(ground, records=records, ledger=ledger, controls=controls, restoring=self.restoring)
        self.sweeping = Sweeping(ground, policy, records=records, take_over=take_over)
        if ground.market.reduces_only:  # what a wallet on spot holds beside our lots is its owner's
            controls.find_by(self.sweeping.find)
        self.inbox = Inbox(
            ground.owners,
            scene=ground.scene,
            clock=ground.clock,
            alert_ms=policy.doubt_alert_ms,
            tell=ground.tell,
        )

    @property
    def looks(self) -> Looks:
        """What goes on for ever, by name."""
        return {
            "memory": self.memory.run,
            "restored": self.restoring.run,
            "sweep": self.sweeping.run,
            "doubts": self.inbox.run,
        }

    def external(self) -> list[dict[str, object]]:
        """Open orders on the account that are not ours, as ``GET /positions`` shows them."""
        return rows(self.sweeping.externals.orders.values())
