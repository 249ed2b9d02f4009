"""What looks after the account as a whole, beside the owners: the ledger's memory, the sweep, the inbox of doubt."""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from chimera.ports.ledger import Ledger
from chimera.ports.venue import Records
from chimera.reconcile.external import rows
from chimera.services.router.doubting import Inbox
from chimera.services.router.remembering import Remembering
from chimera.services.router.sweeping import Sweeping

if TYPE_CHECKING:
    from chimera.services.router.router import Router


class Reconciling:
    """The three of one account."""

    def __init__(self, router: "Router", *, records: Records, ledger: Ledger) -> None:
        owners, clock, barriers = router.owners, router.clock, router.barriers
        policy, tell = router.config.sweep, router.alarms.tell
        self.memory = Remembering(
            router.config.account_id,
            owners,
            records=records,
            ledger=ledger,
            controls=router.controls,
            barriers=barriers,
            clock=clock,
        )
        self.sweeping = Sweeping(
            owners, policy, records=records, barriers=barriers, clock=clock, tell=tell, take_over=router.take_over
        )
        self.inbox = Inbox(owners, scene=router.scene, clock=clock, alert_ms=policy.doubt_alert_ms, tell=tell)

    @property
    def looks(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """What goes on for ever, by name."""
        return {"memory": self.memory.run, "sweep": self.sweeping.run, "doubts": self.inbox.run}

    def external(self) -> list[dict[str, object]]:
        """Open orders on the account that are not ours, as ``GET /positions`` shows them."""
        return rows(self.sweeping.externals.orders.values())
