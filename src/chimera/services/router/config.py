"""What a router is told at its start, by whoever read the settings. Values alone: nothing here is looked at twice."""

from decimal import Decimal
from typing import Final

from chimera.admit.breaker import BreakerPolicy
from chimera.admit.transfer_policy import TransferPolicy
from chimera.reconcile.sweep import SweepPolicy
from chimera.route.plan import RoutePolicy
from chimera.services.router.fitting import FitPolicy
from chimera.services.router.intake import LONGEST_WAIT_MS
from chimera.trading.ids import DEFAULT_ACCOUNT, AccountId, Symbol
from chimera.trading.market import Market
from chimera.trading.routes import RouteTable
from chimera.trading.scene import Policy
from chimera.trading.value import Value

OWNER_NAME: Final = "router-1"
MAKER_FILL_RATIO_MIN: Final = Decimal("0.2")


class RouterConfig(Value):
    """What a router is told at its start."""

    symbols: tuple[Symbol, ...]
    table: RouteTable | None  # None: its file could not be read, and the built-in one stands in
    market: Market = Market.FUT
    policy: Policy = Policy()
    route_policy: RoutePolicy = RoutePolicy()
    account_id: AccountId = DEFAULT_ACCOUNT
    owner_name: str = OWNER_NAME
    breaker: BreakerPolicy = BreakerPolicy()
    allow_unprotected: bool = False
    submit_wait_ms: int = LONGEST_WAIT_MS
    maker_fill_ratio_min: Decimal = MAKER_FILL_RATIO_MIN
    sweep: SweepPolicy = SweepPolicy()
    environment: str = "sim"  # whose hosts it talks to
    transfers: TransferPolicy = TransferPolicy()
    fit: FitPolicy = FitPolicy()
    probe: bool = False  # ask which forms of stop the venue takes, by orders that can do nothing
