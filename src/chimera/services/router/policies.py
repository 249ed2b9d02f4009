"""What the settings say, as the policies of S4's parts: duties, routes, ceilings, looks at the account, the table."""

from pathlib import Path
from typing import Final

from chimera.admit.limits import Limits
from chimera.reconcile.sweep import SweepPolicy
from chimera.route.plan import RoutePolicy
from chimera.services.router.fitting import FitPolicy
from chimera.services.router.settings import OnOpposite, RouterSettings
from chimera.services.setting_kinds import SettingsFault
from chimera.trading.money import Quote
from chimera.trading.routes import RouteTable
from chimera.trading.scene import Policy
from chimera.wire.route_table import DEFAULT, read_route_table

SURVEY_EVERY_MS: Final = Policy().survey_every_ms
STOP_CHECK_MS: Final = Policy().stop_check_ms
MAKER_CHECK_MS: Final = Policy().maker_check_ms
CHECK_PACE_MS: Final = 100  # for each symbol: a question weighs 1, all of them a quarter of 2,400 a minute
SURVEY_PACE_MS: Final = 3_000  # for each symbol: surveys weigh 12 and may take a tenth of 2,400 a minute
_DEFAULT_TABLE: Final = Path(str(RouterSettings.model_fields["route_table_path"].default))


def duties_of(settings: RouterSettings, symbols: int) -> Policy:
    """What deciding goes by, with so many symbols: the more there are, the more rarely each is asked about."""
    return Policy(
        working_type=settings.working_type,
        default_stop_bps=settings.default_stop_bps,
        survey_every_ms=max(SURVEY_EVERY_MS, SURVEY_PACE_MS * symbols),
        maker_check_ms=max(MAKER_CHECK_MS, CHECK_PACE_MS * symbols),
        guard_ms=settings.guard_ms,
        nets_opposite=settings.on_opposite is OnOpposite.NET,
        stop_limit_bps=settings.spot_stop_limit_bps,
        stop_check_ms=max(STOP_CHECK_MS, CHECK_PACE_MS * symbols),
    )


def routes_of(settings: RouterSettings) -> RoutePolicy:
    return RoutePolicy(maker_max_wait_ms=settings.maker_max_wait_ms, twap_max_slices=settings.twap_max_slices)


def sweep_of(settings: RouterSettings) -> SweepPolicy:
    """How the account is looked at as a whole."""
    return SweepPolicy(
        every_ms=settings.sweep_every_s * 1000,
        jaccard=settings.sweep_jaccard,
        external=settings.external_orders,
        doubt_alert_ms=settings.doubt_alert_s * 1000,
    )


def limits_of(settings: RouterSettings) -> Limits:
    """The ceilings of the last hop (S4-LIM)."""
    return Limits(
        max_order_notional=Quote(settings.max_order_notional_usdt),
        max_position_notional=Quote(settings.max_position_notional_usdt),
        max_gross_notional=Quote(settings.gross_notional_usdt),
        max_daily_loss=Quote(settings.max_daily_loss_usdt),
        price_collar_bps=settings.price_collar_bps,
        max_orders_per_10s=settings.max_orders_per_10s,
    )


def fit_of(settings: RouterSettings) -> FitPolicy:
    """The daily fit of the route table."""
    return FitPolicy(
        mode=settings.route_fit,
        at_ms=settings.route_fit_at,
        ledger=settings.ledger_path,
        table=settings.route_table_path,
        redis=",".join(settings.redis_addresses),
        most_ms=settings.maker_max_wait_ms,
        slices_most=settings.twap_max_slices,
    )


def table_of(settings: RouterSettings) -> RouteTable:
    """The route table of the file, or the built-in one where the default path does not exist."""
    path = settings.route_table_path
    try:
        return read_route_table(path.read_bytes())
    except FileNotFoundError as missing:
        if path == _DEFAULT_TABLE:
            return DEFAULT
        raise SettingsFault(f"S4_ROUTE_TABLE_PATH: there is no file {path}") from missing
    except OSError as error:
        raise SettingsFault(f"S4_ROUTE_TABLE_PATH: {path}: {error.strerror}") from error
