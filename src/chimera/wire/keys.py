"""Every stream, key and collection name, spelt as the requirements spell them.

In the symbol and order-id families the requirements' braces are placeholders; in ``prod:{exec}``, ``guard:{stop}``,
``ord:{results}`` and ``router:{param}`` they are literal Redis Cluster hash tags.
"""

from typing import Final

# streams
ORDERS_INTENT: Final = "orders:intent"
ORDERS_INTENT_DEAD: Final = "orders:intent:dead"  # what came there and could not be read
ORDERS_EXECUTED: Final = "orders:executed"
ROUTER_EVENTS: Final = "router:events"
ORDER_RESULTS: Final = "ord:{results}"
SPOT_OCO_ARMED: Final = "spot:oco:armed"
GUARD_SPOT_ARM: Final = "guard:spot:arm"
RISK_SL_ARM: Final = "risk:sl_arm"
ALERTS: Final = "alerts"
CFG_EVENTS: Final = "cfg:events"
STREAMS: Final = (
    ORDERS_INTENT, ORDERS_INTENT_DEAD, ORDERS_EXECUTED, ROUTER_EVENTS, ORDER_RESULTS, SPOT_OCO_ARMED, GUARD_SPOT_ARM,
    RISK_SL_ARM, ALERTS, CFG_EVENTS,
)  # fmt: skip

# snapshots
S4_ACCOUNT: Final = "s4:account"  # whose S4 uses this Redis, by the exchange's name of the account
CFG_ACTIVE_REV: Final = "cfg:active_rev"
ROUTE_CURVES: Final = "router:{param}:curves"  # of the maker wait
TWAP_QUEUE: Final = "prod:{exec}:twap:queue"
METRIC_ROUTER_P95: Final = "metrics:events:s4.router_p95"
METRIC_MAKER_TIMEOUTS: Final = "metrics:events:s4.maker_timeout_count"

# collections
INSTRUMENT_REGISTRY: Final = "instrument_registry"
FACTOR_REGISTRY: Final = "factor_registry"
STRATEGY_RULES: Final = "strategy_rules"
CONFIG_ACTIVE: Final = "config_active"
CONFIG_BUNDLES: Final = "config_bundles"
CONFIG_REVISIONS: Final = "config_revisions"  # the log, one row a number, never changed
CONFIG_DIFFERENCES: Final = "config_differences"  # what a candidate would have decided otherwise
CONFIG_TALLIES: Final = "config_tallies"  # of each trial
SIGNALS: Final = "signals"
BLOCKERS: Final = "blockers"  # by symbol: what keeps it from being entered, and since when
ORDERS: Final = "orders"
FILLS: Final = "fills"
POSITIONS_SNAPSHOTS: Final = "positions_snapshots"
STRATEGY_EVENTS: Final = "strategy_events"
CASH: Final = "cash"
CASH_BALANCES: Final = "cash_balances"  # running sums, and how far they and the venue's list have been read
FEE_RATES: Final = "fee_rates"
CONTROLS: Final = "controls"
RECEIPTS: Final = "receipts"
TRANSFERS: Final = "transfers"
ALERTS_TOLD: Final = "alerts_told"  # how far each account's outbox of alerts has been told
CLOSES: Final = "closes"  # those that their callers named
REFUSALS: Final = "refusals"  # of intents that came by either track and were claimed by none
PROBES: Final = "probes"  # one row of each account, written to see how long a write takes
ALERTS_OUTBOX: Final = "alerts_outbox"  # of each account, see ``alerts_outbox``
AUDIT: Final = "audit"  # what operators did, a chain: ``wire.trail``
AUDIT_HEAD: Final = "audit_head"  # its newest entry
COLLECTIONS: Final = (
    INSTRUMENT_REGISTRY, FACTOR_REGISTRY, STRATEGY_RULES, CONFIG_ACTIVE, CONFIG_BUNDLES, CONFIG_REVISIONS,
    CONFIG_DIFFERENCES, CONFIG_TALLIES, SIGNALS, BLOCKERS, ORDERS, FILLS, POSITIONS_SNAPSHOTS, STRATEGY_EVENTS, CASH,
    CASH_BALANCES, FEE_RATES, CONTROLS, RECEIPTS, TRANSFERS, ALERTS_TOLD, CLOSES, REFUSALS, PROBES,
    ALERTS_OUTBOX, AUDIT, AUDIT_HEAD,
)  # fmt: skip
RELAXED: Final = frozenset({STRATEGY_EVENTS, POSITIONS_SNAPSHOTS, ALERTS_TOLD})  # can be told again: not each is synced


def restored_row(account_id: str) -> str:
    """The row of ``CONTROLS`` that says when this ledger was put back to an earlier state, and to which."""
    return f"{account_id}:restored"


def order_claim(name: str) -> str:
    """The claim of an order's name; of what its children's ids begin with, where that is another."""
    return f"order:{name}"


def fill_key(market: str, symbol: str, trade_id: str) -> str:
    """The row of ``FILLS`` of one trade."""
    return f"{market}:{symbol}:{trade_id}"


def alerts_outbox(account_id: str) -> str:
    """The collection of an account's alerts that belong to no position, in the order in which they were told."""
    return f"{ALERTS_OUTBOX}:{account_id}"


def tick_key(symbol: str) -> str:
    return f"mkt:tick:{symbol}"


def depth_key(symbol: str) -> str:
    return f"mkt:depth:{symbol}"


def spot_tick_key(symbol: str) -> str:
    """Spot's, apart: its symbols have the names of futures."""
    return f"mkt:tick:spot:{symbol}"


def spot_depth_key(symbol: str) -> str:
    return f"mkt:depth:spot:{symbol}"


def features_key(symbol: str) -> str:
    return f"feat:last:{symbol}"


def position_lock_key(symbol: str) -> str:
    return f"lock:pos:{symbol}"


def idempotency_key(client_order_id: str) -> str:
    return f"idem:order:{client_order_id}"


def position_key(account_id: str, market: str, symbol: str) -> str:
    """S4's last word on a position, for S3's risk budget and the console."""
    return f"pos:last:{account_id}:{market}:{symbol}"


def risk_budget_key(account_id: str) -> str:
    """S4's account figures for S3's risk gate: open positions, notional, loss of the day, fee rates, limits left."""
    return f"risk:budget:{account_id}"


def guard_key(symbol: str, intent_id: str) -> str:
    """A guard stop that is armed for an intent's position, or was; ``{stop}`` keeps all of them on one Cluster slot."""
    return f"guard:{{stop}}:{symbol}:{intent_id}"


def slices_task(position: str, intent_id: str) -> str:
    """The name, in ``TWAP_QUEUE``, of the intent whose next slice is due; the position's key comes first."""
    return f"{position}#{intent_id}"


def position_of_task(name: str) -> str:
    return name.partition("#")[0]
