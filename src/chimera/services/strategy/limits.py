"""From settings and registry to the values that deciding code is handed; it never sees the settings."""

from chimera.decide.decision import Policy, Terms
from chimera.decide.gates import GateLimits
from chimera.decide.sizing import SizePolicy
from chimera.decide.sltp import LevelPolicy
from chimera.services.strategy.config import Snapshot
from chimera.services.strategy.settings import StrategySettings
from chimera.trading.market import Market
from chimera.trading.money import Millis


def terms(snapshot: Snapshot, symbol: str, settings: StrategySettings) -> dict[Market, Terms]:
    """Limits per instrument, else the environment's; the registry may only tighten the funding limit."""
    found = {}
    for market in Market:
        listed = snapshot.listed.get((market, symbol))
        if listed is None:
            continue
        spread, depth, funding = listed.spread_bp_limit, listed.depth_top1_usdt_min, listed.max_funding_abs
        found[market] = Terms(
            instrument=listed.instrument,
            gates=GateLimits(
                max_funding_abs=settings.max_funding_abs if funding is None else min(funding, settings.max_funding_abs),
                spread_bp_limit=settings.spread_bp_limit_default if spread is None else spread,
                depth_top1_usdt_min=settings.depth_top1_usdt_min_default if depth is None else depth,
                concurrent_entries=settings.concurrent_entries_per_market,
                budget_max_age_ms=Millis(settings.budget_max_age_ms),
            ),
        )
    return found


def policy(settings: StrategySettings) -> Policy:
    return Policy(
        sizes=SizePolicy(
            margin_base_usdt=settings.margin_base_usdt,
            leverage=settings.leverage_default,
            spot_quote_budget_usdt=settings.spot_quote_budget_usdt,
        ),
        levels=LevelPolicy(
            max_loss_usdt=settings.max_loss_usdt,
            atr_mult=settings.atr_mult,
            roe=settings.tp_roe,
            spot_stop_bps=settings.spot_sl_bps,
            spot_target_bps=settings.spot_tp_bps,
        ),
        touch_max_age_ms=Millis(settings.touch_max_age_ms),
    )
