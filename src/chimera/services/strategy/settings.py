"""S3's settings: the environment, read once into a frozen value; every fault in one message.

Each variable is ``S3_`` and the field's name in capitals, and ``PORT`` for ``port``. An ``S3_`` variable that is not
one of them is refused: a limit that was misspelt would otherwise not hold.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from chimera.decide.score import DEFAULT_P, DEFAULT_SIZE_MULT
from chimera.services.access.door import RATE
from chimera.services.secret_files import SUFFIX, read_secret_files
from chimera.services.setting_kinds import shown, stranger, unusable
from chimera.trading.ids import DEFAULT_ACCOUNT, DEFAULT_STRATEGY

PREFIX: Final = "S3_"
_SECRETS: Final = ("S3_DB_ARANGO_PASS",)  # each may come from a file
_ENDINGS: Final = {
    "_ms": "ms", "_s": "s", "_sec": "s", "_bps": "bps", "_usdt": "USDT", "_mult_min": "factor", "_mult_max": "factor",
    "_size_mult": "factor", "_path": "path", "_url": "URL", "_uri": "URL", "_user": "name", "_pass": "secret",
}  # fmt: skip
_UNITS: Final = {
    "symbols": "list", "account_id": "name", "strategy_id": "name", "name": "name", "max_funding_abs": "fraction",
    "spread_bp_limit_default": "bps", "depth_top1_usdt_min_default": "USDT", "concurrent_entries_per_market": "entries",
    "leverage_default": "times", "spot_quote_budget_usdt": "USDT", "size_mult_min": "factor", "size_mult_max": "factor",
    "sl_mult_min": "factor", "sl_mult_max": "factor", "tp_mult_max": "factor", "atr_mult": "ATRs", "tp_roe": "fraction",
    "tracks": "both|rest|stream", "score_p": "share, 0 to 1", "redis_addresses": "host:port, list", "host": "address",
    "port": "port", "api_rate": "requests/s",
}  # fmt: skip
_PLAIN: Final = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")


class Track(StrEnum):
    """How intents reach S4; either track alone is enough, the ids make it once."""

    BOTH = "both"
    REST = "rest"
    STREAM = "stream"


def _number(given: object) -> object:
    if isinstance(given, str):
        if not _PLAIN.fullmatch(given.strip()):
            raise ValueError(f"needs a number in plain digits, has {given!r}")
        return Decimal(given.strip())
    return given


def _listed(given: object) -> object:
    return tuple(part.strip() for part in given.split(",") if part.strip()) if isinstance(given, str) else given


Amount = Annotated[Decimal, BeforeValidator(_number), Field(ge=0)]
Positive = Annotated[Decimal, BeforeValidator(_number), Field(gt=0)]
Span = Annotated[int, Field(ge=1, le=86_400_000)]
Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class StrategySettings(BaseModel):
    """Amounts are USDT, spans milliseconds, unless the sentence says otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # what is decided on
    symbols: Annotated[Names, Field(min_length=1)] = Field(
        ("BTCUSDT",), description="what is decided on; * is every one"
    )
    account_id: str = Field(DEFAULT_ACCOUNT, description="the account that intents trade on")
    name: str = Field(
        "",
        description="this S3's own, where several trade one strategy on one Redis: each hears S4 by it",
        pattern="^[A-Za-z0-9_.-]{0,64}$",
    )
    strategy_id: str = Field(DEFAULT_STRATEGY, description="first part of client order ids", pattern="^[a-z0-9]{1,4}$")
    # gates
    max_funding_abs: Amount = Field(Decimal("0.0005"), description="largest |next funding rate|, a fraction")
    spread_bp_limit_default: Amount = Field(Decimal(3), description="bps; an instrument's own limit wins")
    depth_top1_usdt_min_default: Amount = Field(Decimal(200), description="thinner side of the touch")
    concurrent_entries_per_market: Annotated[int, Field(ge=0, le=1000)] = Field(
        1, description="positions and intents in flight, of one market"
    )
    feature_max_age_ms: Span = Field(60_000, description="a factor's age, unless the registry names another")
    touch_max_age_ms: Span = Field(2_000, description="age of mkt:tick")
    budget_max_age_ms: Span = Field(5_000, description="age of S4's risk budget")
    # size
    leverage_default: Annotated[int, Field(ge=1, le=125)] = Field(20, description="of every FUT entry")
    margin_base_usdt: Positive = Field(Decimal(20), description="margin of a FUT entry that nothing scales")
    spot_quote_budget_usdt: Positive = Field(Decimal(100), description="spent on one SPOT entry")
    size_mult_min: Positive = Field(Decimal("0.25"), description="bound of the rules' product where a bundle has none")
    size_mult_max: Positive = Field(Decimal(2), description="as above")
    # stop and target
    max_loss_usdt: Positive = Field(Decimal("1.2"), description="at the stop, both fees in, slippage past it not")
    atr_mult: Positive = Field(Decimal("1.5"), description="stop distance on FUT, in ATRs")
    tp_roe: Positive = Field(Decimal("0.10"), description="net profit at the target over margin, a fraction")
    spot_sl_bps: Positive = Field(Decimal(50), description="stop distance on SPOT, of the entry")
    spot_tp_bps: Positive = Field(Decimal(75), description="net profit at the target on SPOT, of notional")
    sl_mult_min: Positive = Field(
        Decimal("0.25"), description="bound of the rules' stop multiplier where a bundle has none"
    )
    sl_mult_max: Positive = Field(Decimal(4), description="as above")
    tp_mult_max: Annotated[Decimal, BeforeValidator(_number), Field(ge=1)] = Field(
        Decimal(10), description="as above, of the target multiplier; its least is 1"
    )
    # the intent
    max_hold_s: Annotated[int, Field(ge=0, le=31_536_000)] = Field(60, description="s; 0: no limit")
    intent_valid_ms: Span = Field(15_000, description="past it S4 opens nothing for the intent")
    tracks: Track = Field(Track.BOTH, description="how intents go to S4: both, rest or stream; each alone is enough")
    s4_url: str = Field(
        "http://127.0.0.1:8084",
        pattern="^https?://[^ ,]+(,https?://[^ ,]+)*$",
        description="where intents go; of several routers (S4_LEASES) each, with commas: the one that acts is found",
    )
    s4_token_path: Path | None = Field(
        None, description="file with S3's key for S4 (`chimera token new s3 --key-of s3`); nobody else may read it"
    )
    s4_ca_path: Path | None = Field(None, description="CA of S4's certificate, PEM; empty: the machine's own")
    s4_cert_path: Path | None = Field(None, description="what S3 shows where S4 has a CA of clients, PEM")
    s4_cert_key_path: Path | None = Field(None, description="its private key, PEM")
    s4_timeout_ms: Span = Field(3_000, description="one try of delivering an intent")
    # score
    score_p: Annotated[Decimal, BeforeValidator(_number), Field(ge=0, le=1)] = Field(
        DEFAULT_P, description="the constant score: the chance that a trade is good"
    )
    score_size_mult: Amount = Field(DEFAULT_SIZE_MULT, description="the constant score's multiplier of the size")
    score_size_mult_max: Positive = Field(
        Decimal(2), description="a larger multiplier of the score is not believed: then the size is as it is"
    )
    score_url: str = Field("", description="an HTTP model; empty: the constant above")
    score_timeout_ms: Span = Field(50, description="the model's time to answer; then the score is 0.65, size as it is")
    # what it runs on
    config_poll_sec: Annotated[int, Field(ge=1, le=3600)] = Field(5, description="s between looks at the active rev")
    db_arango_uri: str = Field("", description="the ledger in ArangoDB (docs/arango.md); empty: the file")
    ledger_path: Path = Field(Path("var/s3.sqlite"), description="file of the embedded store")
    db_arango_user: str = Field("", description="its user; empty: root")
    db_arango_pass: str = Field("", repr=False, description="its password; or S3_DB_ARANGO_PASS_FILE")
    redis_addresses: Names = Field((), description="host:port, several for a cluster; empty: the embedded one")
    traces_url: str = Field(
        "",
        pattern="^(https?://[^ ]+)?$",
        description="OTLP collector of traces, as http://127.0.0.1:4318/v1/traces; empty: none. Needs chimera[otel]",
    )
    host: str = Field("127.0.0.1", description="address to listen on; not loopback: tokens are needed")
    port: Annotated[int, Field(ge=0, le=65_535)] = Field(8083, description="port to listen on")
    api_tokens_path: Path | None = Field(
        None, description="file of API tokens (`chimera token`), read again when it changes"
    )
    api_rate: Annotated[int, Field(ge=1, le=100_000)] = Field(
        RATE, description="requests per second of one token, and half of what one address may; in force with tokens"
    )
    tls_cert_path: Path | None = Field(None, description="certificate chain, PEM; set: HTTPS")
    tls_key_path: Path | None = Field(None, description="its private key, PEM")
    tls_client_ca_path: Path | None = Field(None, description="CA whose certificate a client must show, PEM")


def variable(field: str) -> str:
    """The environment's name of a field."""
    return "PORT" if field == "port" else PREFIX + field.upper()


def read_settings(environ: Mapping[str, str]) -> StrategySettings:
    """Raises ``SettingsFault``. Empty variables count as absent; an odd pair of bounds is a fault, too."""
    fields = {variable(name): name for name in StrategySettings.model_fields}
    known = [*fields, *(name + SUFFIX for name in _SECRETS)]
    faults = [stranger(name, known) for name in sorted(environ) if name.startswith(PREFIX) and name not in known]
    named = {name: value for name, value in environ.items() if name in known and value != ""}
    faults += read_secret_files(named, _SECRETS)
    given: dict[str, Any] = {fields[name]: value for name, value in named.items()}
    settings: StrategySettings | None = None
    try:
        settings = StrategySettings.model_validate(given)
    except ValidationError as wrong:
        faults += [_fault(fault) for fault in wrong.errors(include_url=False)]
    else:
        for what in ("size_mult", "sl_mult"):
            low, high = getattr(settings, f"{what}_min"), getattr(settings, f"{what}_max")
            if low > high:
                faults.append(f"{variable(what + '_min')} {low} is above {variable(what + '_max')} {high}")
        if (settings.s4_cert_path is None) != (settings.s4_cert_key_path is None):
            faults.append("S3_S4_CERT_PATH and S3_S4_CERT_KEY_PATH go together: one of them is missing")
    if faults or settings is None:
        raise unusable("S3", faults)
    return settings


def describe() -> list[tuple[str, str, str, str]]:
    """(variable, default, unit, sentence) of every setting, for ``--help`` and the docs."""
    return [
        (variable(name), shown(field.default), unit_of(name), field.description or "")
        for name, field in StrategySettings.model_fields.items()
    ]


def unit_of(field: str) -> str:
    """Names end in their unit; what has none there is in the table."""
    if field in _UNITS:
        return _UNITS[field]
    return next(unit for ending, unit in _ENDINGS.items() if field.endswith(ending))


def _fault(fault: Any) -> str:
    field = str(fault["loc"][0])
    held = "" if "pass" in field else f" (it is {str(fault['input'])[:60]!r})"
    why = str(fault["msg"]).removeprefix("Value error, ").replace("Input should be", "must be")
    default = shown(StrategySettings.model_fields[field].default)
    return f"{variable(field)} {why}{held}; {unit_of(field)}, default {default}"
