"""Logs as JSON lines on stderr, ours and the libraries' alike, through one redaction.

Invariant: no signature, API key or token, listenKey, password or secret leaves the process in a line: neither under a
telling name, nor inside an address or a JSON text, nor as a value that ``keep_secret`` was told of, nor in a traceback.
How many lines there are is bounded, too (``log_volume``), and a stderr that takes none of them
holds nobody up (``outlet``).
"""

import logging
import re
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, TextIO, cast

import structlog
from structlog.types import EventDict, WrappedLogger

from chimera.services.log_volume import Volume, cut
from chimera.services.outlet import outlet

HIDDEN: Final = "***"
_TELLING: Final = (
    "signature", "x-mbx-apikey", "apikey", "api_key", "listenkey", "listen_key", "secret", "password", "passphrase",
    "authorization", "binance_key", "arango_pass", "private_key",
)  # fmt: skip
_NAMES: Final = "|".join(re.escape(name) for name in _TELLING)
_IN_ADDRESS: Final = re.compile(rf"(?i)\b([\w-]*(?:{_NAMES})[\w-]*)=([^&\s\"'#]+)")
_IN_JSON: Final = re.compile(rf"(?i)([\"'][\w-]*(?:{_NAMES})[\w-]*[\"']\s*:\s*)([\"'])(?:(?!\2).)*\2")
_AS_HEADER: Final = re.compile(r"(?i)\b(x-mbx-apikey|authorization)(:\s*)([^\s,;\"']+)")
_USERINFO: Final = re.compile(r"(://[^/\s:@]*:)[^/\s@]+(@)")
_PEM: Final = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_OWN_TOKEN: Final = re.compile(r"chm_[\w-]{16,}")  # those of ``chimera token``, whose values nobody here knows
_SHORTEST: Final = 6  # a shorter secret would black out common words
_DEEPEST: Final = 8

_secrets: set[str] = set()


def keep_secret(*values: str) -> None:
    """From now on none of these appears in any line of this process."""
    _secrets.update(value for value in values if len(value) >= _SHORTEST)


def redacted(text: str) -> str:
    """The text as a line would have it: for whatever else is kept of what others sent."""
    return _clean_text(text)


def redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """The one redaction processor: last before rendering."""
    return {key: HIDDEN if _tells(key) else _clean(value, 0) for key, value in event.items()}


def _tells(name: object) -> bool:
    return isinstance(name, str) and _is_telling(name)


@lru_cache(maxsize=4_096)  # the names of our lines are few
def _is_telling(name: str) -> bool:
    return any(word in name.lower() for word in _TELLING)


def _clean(value: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        return HIDDEN
    match value:
        case str():
            return _clean_text(value)
        case bytes():
            return _clean_text(value.decode("utf-8", "replace"))
        case bool() | int() | float() | None:
            return value
        case Mapping():
            return {
                _clean_text(str(key)): HIDDEN if _tells(key) else _clean(inner, depth + 1)
                for key, inner in value.items()
            }
        case list() | tuple() | set() | frozenset():
            return [_clean(inner, depth + 1) for inner in value]
        case _:
            return _clean_text(str(value))


def _clean_text(text: str) -> str:
    return cut(_without_secrets(text))


def _without_secrets(text: str) -> str:
    for secret in _secrets:
        text = text.replace(secret, HIDDEN)
    if "-----" in text:
        text = _PEM.sub(HIDDEN, text)
    if "chm_" in text:
        text = _OWN_TOKEN.sub(HIDDEN, text)
    if "=" in text:
        text = _IN_ADDRESS.sub(rf"\1={HIDDEN}", text)
    if ":" not in text:  # each of the others has one in it
        return text
    text = _IN_JSON.sub(rf"\1\2{HIDDEN}\2", text)
    text = _AS_HEADER.sub(rf"\1\2{HIDDEN}", text)
    return _USERINFO.sub(rf"\1{HIDDEN}\2", text)


def to_stderr(service: str, *, level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Make every logger of this process write so; ``service`` is on each line."""
    stamped: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _named(service),
    ]
    volume = Volume()
    ending: list[Any] = [structlog.processors.format_exc_info, redact, structlog.processors.JSONRenderer(default=str)]
    target = stream or cast("TextIO", outlet(sys.stderr, service))
    structlog.configure(
        processors=[*stamped, volume, *ending],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=target),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    handler.addFilter(volume.filter)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*stamped, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.WARNING))  # the libraries' chatter is not ours


def _named(service: str) -> Any:
    def name(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    return name
