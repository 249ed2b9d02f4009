"""What S3's risk gate may still promise: positions, intents in flight, margin, notional and loss left (wire.budget)."""

from decimal import Decimal
from typing import TYPE_CHECKING

import structlog

from chimera.ports.clock import Clock
from chimera.ports.streams import Bus
from chimera.trading.budget import MarketBudget, RiskBudget
from chimera.trading.errors import StoreUnavailable
from chimera.trading.execution import Phase
from chimera.trading.ids import IntentId, Symbol
from chimera.trading.market import Market, Side
from chimera.trading.money import ZERO, Quote
from chimera.wire.budget import budget_document
from chimera.wire.keys import risk_budget_key

if TYPE_CHECKING:
    from chimera.services.router.router import Router

log = structlog.get_logger()


def risk_budget(router: "Router", clock: Clock) -> RiskBudget | None:
    """None while funds and fees are not told, or nobody remembers what is in flight: S3 then skips, and says so."""
    funds, owners = router.watch.funds, router.owners.values()
    if funds is None or not owners or router.standing_in.on:
        return None
    inflight: dict[IntentId, Symbol] = {}
    open_symbols: list[Symbol] = []
    largest = ZERO  # notional of the symbol that is nearest to its limit
    for owner in owners:
        holding = owner.holding
        near = router.market.last_mark(holding.key.symbol) or holding.position.entry_px or ZERO
        buys, sells = holding.open_qty(Side.BUY), holding.open_qty(Side.SELL)
        largest = max(largest, max(abs(holding.exposure + buys), abs(holding.exposure - sells)) * near)
        if holding.exposure:
            open_symbols.append(holding.key.symbol)
        for intent_id, working in holding.intents.items():
            if working.phase is Phase.WORKING and not working.intent.reduce_only:
                inflight[intent_id] = holding.key.symbol
    limits = router.limits.limits
    symbol = next(iter(router.watch.fees))
    market = MarketBudget(
        fees=router.watch.fees[symbol],
        remaining_margin_usdt=Quote(max(funds.available, ZERO)),
        remaining_notional_usdt=Quote(max(limits.max_position_notional - largest, ZERO)),
        open_symbols=tuple(open_symbols),
        inflight=inflight,
    )
    left = max(limits.max_daily_loss - router.limits.loss_today(), Decimal(0))
    return RiskBudget(
        account_id=router.config.account_id,
        at_ms=clock.now_ms(),
        remaining_loss_usdt=Quote(left),
        markets={Market.FUT: market},
    )


async def publish_budget(router: "Router", bus: Bus, clock: Clock) -> bool:
    """Whether the bus took it, or answered where there is none yet. Best effort: an old budget makes S3 skip."""
    budget = risk_budget(router, clock)
    try:
        if budget is None:
            await bus.ping()
        else:
            await bus.put(risk_budget_key(router.config.account_id), budget_document(budget))
    except StoreUnavailable as error:
        log.info("budget_unpublished", error=str(error))
        return False
    return True
