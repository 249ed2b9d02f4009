"""S4's settings: the environment, read once, into a frozen object.

Every variable has a unit, a default and a sentence (``describe``); all faults come in one message that names the
variables and never shows a secret. A variable that begins with ``S4_`` and is not known is a fault too: a limit with a
typing error would otherwise be no limit. A secret may come from a file (``..._FILE``), which only its owner may read.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from chimera.admit.breaker import BreakerPolicy
from chimera.reconcile.external import ExternalOrders
from chimera.reconcile.sweep import SweepPolicy
from chimera.route.plan import RoutePolicy
from chimera.services.router.config import MAKER_FILL_RATIO_MIN
from chimera.services.router.fitting import FitMode
from chimera.services.router.intake import LONGEST_WAIT_MS
from chimera.services.router.lease_settings import LeaseSettings
from chimera.services.router.venue_url import VenueUrl
from chimera.services.secret_files import SUFFIX, read_secret_files
from chimera.services.setting_kinds import (
    Amount,
    Names,
    Truth,
    Whole,
    decimal,
    duration,
    only_true,
    setting,
    stranger,
    time_of_day,
    unusable,
)
from chimera.trading.intent import WorkingType
from chimera.trading.scene import Policy

_PREFIX: Final = "S4_"
WHOSE: Final = "S4"
# what deciding code does unless told otherwise is written there
_POLICY: Final = Policy()
_ROUTES: Final = RoutePolicy()
_FIT_AT: Final = "03:30"
_BREAKER: Final = BreakerPolicy()
_SWEEP: Final = SweepPolicy()
GROSS_POSITIONS: Final = 10  # so many at their limit are the most of an account, unless it says otherwise
_FILES: Final = ("S4_BINANCE_KEY", "S4_BINANCE_SECRET", "S4_DB_ARANGO_PASS")
_ROTATED: Final = tuple(name + SUFFIX for name in _FILES[:2])
_KUBERNETES: Final = re.compile(r"S4_(SERVICE|PORT)(_|$)")


class OnOpposite(StrEnum):
    """What an entry against an open position of the other side does."""

    REFUSE = "refuse"
    NET = "net"


class RouterSettings(LeaseSettings):
    """Made by ``load``; a field's name is its variable's without ``S4_``, in small letters."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    exchange: Literal["binance"] = setting("S4_EXCHANGE", "binance", "name", "The venue.")
    binance_key: SecretStr | None = setting("S4_BINANCE_KEY", None, "secret", "API key; or S4_BINANCE_KEY_FILE.")
    binance_secret: SecretStr | None = setting(
        "S4_BINANCE_SECRET", None, "secret", "API secret; or S4_BINANCE_SECRET_FILE."
    )
    binance_key_file: Path | None = setting(
        "S4_BINANCE_KEY_FILE", None, "path", "File of the key, read again when it changes and on SIGHUP."
    )
    binance_secret_file: Path | None = setting(
        "S4_BINANCE_SECRET_FILE", None, "path", "File of the secret, likewise; only its owner may read it."
    )
    testnet: Truth = setting("S4_TESTNET", True, "true|false", "Trade on the venue's demo instead of the live market.")
    fut_url: VenueUrl = setting("S4_FUT_URL", None, "URL", "Futures REST; unset: by S4_TESTNET. Simulator: port 9020.")
    fut_ws_url: VenueUrl = setting("S4_FUT_WS_URL", None, "URL", "Futures streams; unset: by S4_TESTNET.")
    spot_url: VenueUrl = setting(
        "S4_SPOT_URL", None, "URL", "Spot REST; unset: the simulator's, where S4_FUT_URL is one, or by S4_TESTNET."
    )
    spot_ws_url: VenueUrl = setting("S4_SPOT_WS_URL", None, "URL", "Spot WebSocket API; unset: likewise.")
    orders_by: Literal["rest", "socket"] = setting(
        "S4_ORDERS_BY", "rest", "rest|socket", "How orders go out: HTTP, or the venue's WebSocket API where it is up."
    )
    symbols: Names = setting("S4_SYMBOLS", ("BTCUSDT",), "list", "Futures symbols that are traded.", min_length=1)
    spot_symbols: Names = setting("S4_SPOT_SYMBOLS", (), "list", "Spot symbols that are traded; unset: futures alone.")
    spot_stop_limit_bps: Amount = setting(
        "S4_SPOT_STOP_LIMIT_BPS",
        _POLICY.stop_limit_bps,
        "bps",
        "How far below its trigger a spot stop that fired may sell.",
    )
    redis_addresses: Names = setting(
        "S4_REDIS_ADDRESSES",
        (),
        "host:port, list",
        "Redis, single or Cluster, or redis[s]://user:password@host:port/database?ca=file; unset: the embedded one.",
    )
    db_arango_uri: str | None = setting(
        "S4_DB_ARANGO_URI", None, "URL", "The ledger in ArangoDB (docs/arango.md); unset: the file."
    )
    db_arango_user: str | None = setting("S4_DB_ARANGO_USER", None, "name", "Its user; unset: root.")
    db_arango_pass: SecretStr | None = setting(
        "S4_DB_ARANGO_PASS", None, "secret", "Its password; or S4_DB_ARANGO_PASS_FILE."
    )
    ledger_path: Path = setting("S4_LEDGER_PATH", Path("var/s4.sqlite"), "path", "File of the embedded ledger.")
    receipt_key_path: Path = setting(
        "S4_RECEIPT_KEY_PATH",
        Path("var/s4-receipt.key"),
        "path",
        "Key that signs the receipts of kills; made once.",
    )
    route_table_path: Path = setting(
        "S4_ROUTE_TABLE_PATH", Path("/etc/chimera/route.json"), "path", "Route table: notional to wait and slices."
    )
    route_fit: FitMode = setting(
        "S4_ROUTE_FIT",
        FitMode.OFF,
        "off|propose|automatic",
        "Fit the route table once a day; automatic puts in force what held-out orders confirm.",
    )
    route_fit_at: Annotated[int, BeforeValidator(time_of_day)] = setting(
        "S4_ROUTE_FIT_AT",
        time_of_day(_FIT_AT),
        "HH:MM, UTC",
        "When it is fitted; spot's rows ten minutes later.",
        shown=_FIT_AT,
    )
    maker_max_wait_ms: Annotated[int, Whole] = setting(
        "S4_MAKER_MAX_WAIT_MS",
        _ROUTES.maker_max_wait_ms,
        "ms",
        "Longest rest of a maker order, whatever was asked.",
        ge=0,
    )
    twap_max_slices: Annotated[int, Whole] = setting(
        "S4_TWAP_MAX_SLICES", _ROUTES.twap_max_slices, "slices", "Most slices of one order, whatever was asked.", ge=1
    )
    submit_wait_ms: Annotated[int, Whole] = setting(
        "S4_SUBMIT_WAIT_MS",
        LONGEST_WAIT_MS,
        "ms",
        "Longest wait of POST /orders for the end, unless its Prefer names one; then 202.",
        ge=0,
    )
    intent_stream: Truth = setting(
        "S4_INTENT_STREAM", True, "true|false", "Take intents from the stream orders:intent as well as by POST /orders."
    )
    intent_group: str = setting(
        "S4_INTENT_GROUP",
        "s4",
        "name",
        "Consumer group on orders:intent. Routers of different symbols on one Redis need a name each: under any other"
        " than s4 an intent of a symbol that is not traded here is left to the others instead of being refused.",
        pattern=r"^[A-Za-z0-9_.:-]{1,64}$",
    )
    intent_max_age: Annotated[int, BeforeValidator(duration)] = setting(
        "S4_INTENT_MAX_AGE",
        30_000,
        "duration, kept in ms",
        "An intent that was made or put on the stream longer ago is refused there with STALE_INTENT; an entry past its"
        " valid_until_ms is refused anyway.",
        gt=0,
        le=600_000,
        shown="30s",
    )
    working_type: WorkingType = setting(
        "S4_WORKING_TYPE", _POLICY.working_type, "MARK_PRICE|CONTRACT_PRICE", "Which price triggers a stop."
    )
    oco_guardian: Annotated[Truth, only_true("without it both legs of an OCO could fill")] = setting(
        "S4_OCO_GUARDIAN",
        True,
        "true",
        "S4 itself sees to it that one leg of an OCO ends when the other fills; with false it does not start.",
    )
    default_stop_bps: Amount = setting(
        "S4_DEFAULT_STOP_BPS",
        _POLICY.default_stop_bps,
        "bps of the entry price",
        "Stop distance of an entry without sl.",
        lt=10_000,
    )
    guard_ms: Annotated[int, BeforeValidator(duration)] = setting(
        "S4_GUARD",
        _POLICY.guard_ms,
        "duration, kept in ms",
        "How long a guard of S4's own may stand in for a stop that the venue keeps refusing; 0s: the position is closed"
        " at once.",
        ge=0,
        le=600_000,
        shown="0s",
    )
    probe: Truth = setting(
        "S4_PROBE",
        True,
        "true|false",
        "Find out which stops the venue takes, by ones that can do nothing: at the start, daily, after a refusal.",
    )
    allow_unprotected: Truth = setting("S4_ALLOW_UNPROTECTED", False, "true|false", "Allow entries with sl: null.")
    on_opposite: OnOpposite = setting(
        "S4_ON_OPPOSITE",
        OnOpposite.REFUSE,
        "refuse|net",
        "A futures entry against an open position: 409, or it reduces it first and only the rest opens.",
    )
    cb_error_rate_window: Annotated[int, BeforeValidator(duration)] = setting(
        "S4_CB_ERROR_RATE_WINDOW",
        _BREAKER.window_ms,
        "duration, kept in ms",
        "Calls about orders that the circuit breaker looks back on.",
        gt=0,
        shown="60s",
    )
    cb_error_rate_thresh: Amount = setting(
        "S4_CB_ERROR_RATE_THRESH",
        _BREAKER.share,
        "share, 0 to 1",
        "Share of failed, throttled or unanswered calls about orders that opens the breaker; no new positions then.",
        le=1,
    )
    max_order_notional_usdt: Amount = setting(
        "S4_MAX_ORDER_NOTIONAL_USDT", Decimal(1000), "USDT", "Largest notional of one order."
    )
    max_position_notional_usdt: Amount = setting(
        "S4_MAX_POSITION_NOTIONAL_USDT",
        Decimal(2000),
        "USDT",
        "Largest notional of one position, open orders included.",
    )
    max_gross_notional_usdt: Amount | None = setting(
        "S4_MAX_GROSS_NOTIONAL_USDT",
        None,
        "USDT",
        "Largest notional of all positions of the account together, on futures and spot, open orders included; at"
        " least S4_MAX_POSITION_NOTIONAL_USDT; unset: ten times it.",
    )
    max_daily_loss_usdt: Amount = setting(
        "S4_MAX_DAILY_LOSS_USDT",
        Decimal(100),
        "USDT",
        "Loss that stops new entries: realised, fees, funding and what liquidations cost since UTC midnight, and what"
        " is open.",
    )
    maker_fill_ratio_min: Annotated[Decimal, BeforeValidator(decimal)] = setting(
        "S4_MAKER_FILL_RATIO_MIN",
        MAKER_FILL_RATIO_MIN,
        "share, 0 to 1",
        "Filled share of the maker orders of the last hour (20 at least) below which there is an alert.",
        ge=0,
        le=1,
    )
    price_collar_bps: Amount = setting(
        "S4_PRICE_COLLAR_BPS",
        Decimal(100),
        "bps of the mark price",
        "How far from the mark price (the mid, where there is none) an entry may be priced.",
    )
    max_orders_per_10s: Annotated[int, Whole] = setting(
        "S4_MAX_ORDERS_PER_10S",
        200,
        "orders per 10 s",
        "Orders that an account sends; a quarter is kept for stops and exits, which are counted and never refused.",
        ge=1,
    )
    sweep_every_s: Annotated[int, Whole] = setting(
        "S4_SWEEP_EVERY_S",
        _SWEEP.every_ms // 1000,
        "s",
        "How often the whole account is compared with the ledger: orders, positions, what is not ours.",
        ge=10,
        le=300,
    )
    sweep_jaccard: Amount = setting(
        "S4_SWEEP_JACCARD",
        _SWEEP.jaccard,
        "share, 0 to 1",
        "Open orders known on both sides, of those known on either; below it every owner asks the venue, and an alert.",
        le=1,
    )
    external_orders: ExternalOrders = setting(
        "S4_EXTERNAL_ORDERS",
        _SWEEP.external,
        "adopt|isolate",
        "Orders not ours: always shown, counted by the limits, protected once filled; isolate takes no entries there.",
    )
    doubt_alert_s: Annotated[int, Whole] = setting(
        "S4_DOUBT_ALERT_S",
        _SWEEP.doubt_alert_ms // 1000,
        "s",
        "How long an order may be in doubt before there is an alert.",
        ge=1,
    )
    rate_share: Amount = setting(
        "S4_RATE_SHARE",
        Decimal(1),
        "share, 0.1 to 1",
        "Share of the venue's request and order limits for this router, where others use its address or account too;"
        " stops and targets may go beyond it. With less than a tenth closes would wait for room.",
        ge=Decimal("0.1"),
        le=1,
    )
    traces_url: str | None = setting(
        "S4_TRACES_URL",
        None,
        "URL",
        "OTLP collector of traces, as http://127.0.0.1:4318/v1/traces; unset: none. Needs chimera[otel].",
        pattern="^https?://[^ ]+$",
    )

    @property
    def gross_notional_usdt(self) -> Decimal:
        """The ceiling that is in force."""
        return self.max_gross_notional_usdt or GROSS_POSITIONS * self.max_position_notional_usdt

    @property
    def arango_password(self) -> str:
        return self.db_arango_pass.get_secret_value() if self.db_arango_pass else ""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what ``load`` hands over: a world in one thread must not see this machine's environment."""
        return (init_settings,)


def load(environ: Mapping[str, str]) -> RouterSettings:
    """The settings in ``environ``; raises ``SettingsFault`` with every fault. Empty variables count as unset."""
    given = {name: value for name, value in environ.items() if (name in _VARIABLES or _mine(name)) and value != ""}
    known = (*_VARIABLES, *(name + SUFFIX for name in _FILES))
    faults = [stranger(name, known) for name in given if name not in known]
    rotated = {name: given[name] for name in _ROTATED if name in given}
    faults += read_secret_files(given, _FILES)
    given |= rotated
    if ("S4_BINANCE_KEY" in given) != ("S4_BINANCE_SECRET" in given):
        faults.append("S4_BINANCE_KEY and S4_BINANCE_SECRET go together: one of them is missing")
    try:
        settings = RouterSettings(**{name: value for name, value in given.items() if name in _VARIABLES})  # type: ignore[arg-type]  # text, which the fields' validators read
    except ValidationError as wrong:
        faults += [_fault(fault) for fault in wrong.errors(include_url=False, include_input=True)]
        raise unusable(WHOSE, faults) from None  # the chained error would show the input
    if settings.transfer_max_day < settings.transfer_max:
        faults.append("S4_TRANSFER_MAX_DAY is less than S4_TRANSFER_MAX")
    one, all_of_it = settings.max_order_notional_usdt, settings.max_position_notional_usdt
    if all_of_it < one:
        faults.append(f"S4_MAX_POSITION_NOTIONAL_USDT ({all_of_it}) is less than S4_MAX_ORDER_NOTIONAL_USDT ({one})")
    if (gross := settings.gross_notional_usdt) < all_of_it:
        faults.append(f"S4_MAX_GROSS_NOTIONAL_USDT ({gross}) is less than S4_MAX_POSITION_NOTIONAL_USDT ({all_of_it})")
    if faults:
        raise unusable(WHOSE, faults)
    return settings


def describe() -> list[tuple[str, str, str, str]]:
    """(variable, default, unit, sentence) of every setting, for ``--help`` and the docs."""
    return [
        (
            name,
            _told(field.json_schema_extra, "default"),
            _told(field.json_schema_extra, "unit"),
            field.description or "",
        )
        for name, field in _VARIABLES.items()
    ]


_VARIABLES: Final = {str(field.validation_alias): field for field in RouterSettings.model_fields.values()}


def _mine(name: str) -> bool:
    """Ours by its prefix; Kubernetes writes ``S4_SERVICE_HOST``, ``S4_PORT`` and their like for a service named s4."""
    return name.upper().startswith(_PREFIX) and not _KUBERNETES.match(name)


def _fault(fault: Any) -> str:
    name = str(fault["loc"][0])
    field = _VARIABLES[name]
    secret = name in _FILES
    shown = "" if secret or not isinstance(fault["input"], str) else f" (it is {fault['input'][:60]!r})"
    why = str(fault["msg"]).removeprefix("Value error, ").replace("Input should be", "must be")
    unit, default = _told(field.json_schema_extra, "unit"), _told(field.json_schema_extra, "default")
    return f"{name} {why}{shown}; {unit}, default {default}"


def _told(extra: object, what: str) -> str:
    return str(extra[what]) if isinstance(extra, dict) else ""
