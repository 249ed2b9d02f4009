"""The alerts' settings: the environment, read once; every fault in one message, and no secret in any.

A secret is a file that only its owner may read (``..._FILE``); there is no variable that holds one.
"""

import re
from collections.abc import Mapping
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from yarl import URL

from chimera.services.access.door import RATE
from chimera.services.alerts.channels import signing_key
from chimera.services.alerts.telling import Policy, Quiet
from chimera.services.secret_files import SUFFIX, read_secret_files
from chimera.services.setting_kinds import Names, Whole, duration, setting, stranger, unusable
from chimera.trading.events import Severity

PREFIX: Final = "ALERTS_"
WHOSE: Final = "the alerts"
PORT: Final = 8090
_HOURS: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
_KUBERNETES: Final = re.compile(r"ALERTS_(SERVICE_|PORT_)")  # what it writes for a service named alerts
_POLICY: Final = Policy()
_GIVEN: Final = "GIVEN"


def _hours(given: object) -> object:
    if not isinstance(given, str) or not _HOURS.fullmatch(given):
        raise ValueError("must be hours such as 22:00-07:00")
    return given


def _zone(given: object) -> object:
    try:
        ZoneInfo(str(given))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("must be a time zone such as Asia/Taipei") from None
    return given


def _url(given: object) -> object:
    """To loopback without encryption, elsewhere with it: a token or a signed body is on its way there."""
    try:
        url = URL(str(given))
    except ValueError:
        raise ValueError("must be a URL") from None
    near = url.host in ("127.0.0.1", "::1", "localhost")
    if url.scheme not in (("http", "https") if near else ("https",)) or not url.host:
        raise ValueError("must be an https URL, or one of this machine")
    return given


Span = Annotated[int, BeforeValidator(duration)]
Address = Annotated[str | None, BeforeValidator(_url)]


class AlertsSettings(BaseModel):
    """Made by ``read_settings``; a field's name is its variable's without ``ALERTS_``, in small letters."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    host: str = setting("ALERTS_HOST", "127.0.0.1", "address", "Address to listen on; not loopback: tokens are needed.")
    port: Annotated[int, Whole] = setting("ALERTS_PORT", PORT, "port", "Port to listen on.", ge=0, le=65_535)
    api_tokens_path: Path | None = setting(
        "ALERTS_API_TOKENS_PATH", None, "path", "File of API tokens (`chimera token`), read again when it changes."
    )
    api_rate: Annotated[int, Whole] = setting(
        "ALERTS_API_RATE", RATE, "requests/s", "Of one token, and half of what one address may; in force with tokens.",
        ge=1, le=100_000,
    )  # fmt: skip
    tls_cert_path: Path | None = setting("ALERTS_TLS_CERT_PATH", None, "path", "Certificate chain, PEM; set: HTTPS.")
    tls_key_path: Path | None = setting("ALERTS_TLS_KEY_PATH", None, "path", "Its private key, PEM.")
    tls_client_ca_path: Path | None = setting(
        "ALERTS_TLS_CLIENT_CA_PATH", None, "path", "CA whose certificate a client must show, PEM."
    )
    redis_addresses: Names = setting(
        "ALERTS_REDIS_ADDRESSES", (), "host:port, list", "Redis, single or Cluster; unset: the embedded one."
    )
    ledger_path: Path = setting("ALERTS_LEDGER_PATH", Path("var/alerts.sqlite"), "path", "File of the tickets.")
    runbook_url: str = setting(
        "ALERTS_RUNBOOK_URL", "docs/runbook.md", "URL", "Where messages say that your runbook is; a chapter follows it."
    )
    # what is told
    least: Severity = setting("ALERTS_LEAST", _POLICY.least, "WARN|ERROR|FATAL", "The least that is sent anywhere.")
    at_once: Severity = setting(
        "ALERTS_AT_ONCE", _POLICY.at_once, "WARN|ERROR|FATAL", "The least that is sent at once; the rest is in digests."
    )
    digest: Span = setting(
        "ALERTS_DIGEST", _POLICY.digest_ms, "duration, kept in ms", "Between two digests.", ge=0, le=86_400_000,
        shown="1h",
    )  # fmt: skip
    quiet_hours: Annotated[str | None, BeforeValidator(_hours)] = setting(
        "ALERTS_QUIET_HOURS", None, "HH:MM-HH:MM", "FATAL alone goes out then; the rest is told in a digest after."
    )
    zone: Annotated[str, BeforeValidator(_zone)] = setting("ALERTS_ZONE", "UTC", "time zone", "Of the quiet hours.")
    most_per_minute: Annotated[int, Whole] = setting(
        "ALERTS_MOST_PER_MINUTE", _POLICY.most_per_minute, "messages",
        "Of one channel, attempts included; a third of them is kept for FATAL.", ge=1, le=60,
    )  # fmt: skip
    remind: Span = setting(
        "ALERTS_REMIND", _POLICY.remind_ms, "duration, kept in ms",
        "How often a FATAL that nobody has acknowledged is sent again; 0s: never.", ge=0, le=86_400_000, shown="15m",
    )  # fmt: skip
    # where
    webhook_url: Address = setting("ALERTS_WEBHOOK_URL", None, "URL", "Receiver of the signed webhook.")
    webhook_secret_file: Path | None = setting(
        "ALERTS_WEBHOOK_SECRET_FILE", None, "path", "File with what signs it, whsec_... or 16 characters at least."
    )
    telegram_url: Address = setting(
        "ALERTS_TELEGRAM_URL", "https://api.telegram.org", "URL", "Base of Telegram's Bot API."
    )
    telegram_token_file: Path | None = setting(
        "ALERTS_TELEGRAM_TOKEN_FILE", None, "path", "File with the bot's token, from @BotFather."
    )
    telegram_chat: str | None = setting("ALERTS_TELEGRAM_CHAT", None, "id", "The chat that the bot writes into.")
    beat_url: Address = setting(
        "ALERTS_BEAT_URL", None, "URL", "Of a watcher outside, asked each minute while alerts would be told."
    )
    # who is watched
    s4_url: Names = setting(
        "ALERTS_S4_URL", (), "URL, list", "S4's, of each router; set: that none of them acts is an alert, FATAL."
    )
    s3_url: str | None = setting("ALERTS_S3_URL", None, "URL", "S3's; set: its silence is an alert.")
    feed_url: str | None = setting("ALERTS_FEED_URL", None, "URL", "The feed's; set: its silence is an alert.")
    silent: Span = setting(
        "ALERTS_SILENT", 30_000, "duration, kept in ms", "For how long one of them may not answer.", ge=5_000,
        le=3_600_000, shown="30s",
    )  # fmt: skip

    @property
    def policy(self) -> Policy:
        return Policy(
            least=self.least,
            at_once=self.at_once,
            digest_ms=self.digest,
            quiet=_quiet(self.quiet_hours, UTC if self.zone == "UTC" else ZoneInfo(self.zone)),
            most_per_minute=self.most_per_minute,
            remind_ms=self.remind,
        )

    @property
    def watched(self) -> dict[str, tuple[str, ...]]:
        """Addresses by name."""
        named = {"s4": self.s4_url, "s3": (self.s3_url,), "feed": (self.feed_url,)}
        return {name: urls for name, given in named.items() if (urls := tuple(url for url in given if url))}

    def secret(self, field: str) -> str:
        """What is in the file that ``field`` names; raises ``SettingsFault``."""
        path: Path = getattr(self, field)
        try:
            return _secret(path)
        except ValueError as wrong:
            raise unusable(WHOSE, [f"{PREFIX}{field.upper()}: {wrong}"]) from None


_VARIABLES: Final = {str(field.validation_alias): field for field in AlertsSettings.model_fields.values()}


def read_settings(environ: Mapping[str, str]) -> AlertsSettings:
    """Raises ``SettingsFault``. Empty variables count as unset."""
    ours = [name for name in environ if name.startswith(PREFIX) and not _KUBERNETES.match(name)]
    given = {name: environ[name] for name in ours if environ[name] != ""}
    faults = [stranger(name, _VARIABLES) for name in given if name not in _VARIABLES]
    try:
        settings = AlertsSettings(**{name: value for name, value in given.items() if name in _VARIABLES})
    except ValidationError as wrong:
        faults += [_fault(fault) for fault in wrong.errors(include_url=False)]
        raise unusable(WHOSE, faults) from None
    faults += _odd(settings)
    if faults:
        raise unusable(WHOSE, faults)
    return settings


def describe() -> list[tuple[str, str, str, str]]:
    """(variable, default, unit, sentence) of every setting."""
    return [
        (name, str(extra["default"]), str(extra["unit"]), field.description or "")
        for name, field in _VARIABLES.items()
        if isinstance(extra := field.json_schema_extra, dict)
    ]


def _odd(settings: AlertsSettings) -> list[str]:
    """What is wrong only together."""
    faults = []
    if (settings.webhook_url is None) != (settings.webhook_secret_file is None):
        faults.append("ALERTS_WEBHOOK_URL and ALERTS_WEBHOOK_SECRET_FILE go together: one of them is missing")
    if (settings.telegram_chat is None) != (settings.telegram_token_file is None):
        faults.append("ALERTS_TELEGRAM_CHAT and ALERTS_TELEGRAM_TOKEN_FILE go together: one of them is missing")
    for field in ("webhook_secret_file", "telegram_token_file"):
        path = getattr(settings, field)
        if path is None:
            continue
        try:
            secret = _secret(path)
            if field == "webhook_secret_file" and len(signing_key(secret)) < 16:
                raise ValueError("a key needs 16 bytes at least")
            if field == "telegram_token_file" and not re.fullmatch(r"[0-9]+:[A-Za-z0-9_-]+", secret):
                raise ValueError("it holds no bot's token (digits, a colon, letters)")
        except ValueError as wrong:
            faults.append(f"{PREFIX}{field.upper()}: {wrong}")
    return faults


def _secret(path: Path) -> str:
    """Raises ``ValueError``, whose words have nothing of what is in it."""
    given = {_GIVEN + SUFFIX: str(path)}
    faults = read_secret_files(given, (_GIVEN,))
    if faults:
        raise ValueError(faults[0].removeprefix(f"{_GIVEN}{SUFFIX}: "))
    return given[_GIVEN]


def _quiet(hours: str | None, zone: tzinfo) -> Quiet | None:
    found = None if hours is None else _HOURS.fullmatch(hours)
    if found is None:
        return None
    begin_h, begin_m, end_h, end_m = map(int, found.groups())
    return Quiet(begin_h * 60 + begin_m, end_h * 60 + end_m, zone)


def _fault(fault: Any) -> str:
    name = str(fault["loc"][0])
    why = str(fault["msg"]).removeprefix("Value error, ").replace("Input should be", "must be")
    return f"{name} {why} (it is {str(fault['input'])[:60]!r})"
