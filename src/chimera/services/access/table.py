"""Every endpoint of every service with the least role that may ask it: the one place where that stands.

The gate lets nothing pass that is not here, ``docs/security.md`` is drawn from it, and a test walks every route of
every application. Killing is easier than arming again: whoever may trade may stop trading. It knows no token.

The feed has no rows: its face is for reading, is served on loopback alone, and knows nothing of an account.
"""

import re
from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from starlette.routing import compile_path

from chimera.services.service import Service
from chimera.trading.value import Value


class Role(IntEnum):
    """Each may do what those before it may. ``NOBODY`` is asked of nobody: no token is needed."""

    NOBODY = 0
    READ = 1
    TRADE = 2
    OPERATE = 3
    ADMIN = 4

    @property
    def word(self) -> str:
        return self.name.lower()


ROLES: Final[Mapping[str, Role]] = {role.word: role for role in Role if role is not Role.NOBODY}


class Endpoint(Value):
    """``protects``: it ends, cancels or closes, so no limit of requests holds it up. ``act``: its name in the trail."""

    service: Service
    method: str
    path: str
    least: Role
    protects: bool = False
    act: str = ""


def _rows(service: Service, least: Role, *asked: str) -> tuple[Endpoint, ...]:
    """``METHOD /path``, with ``!`` for one that protects, then the act, where it is one."""
    made = []
    for line in asked:
        method, path, *act = line.split()
        made.append(
            Endpoint(
                service=service,
                method=method.lstrip("!"),
                path=path,
                least=least,
                protects=method.startswith("!"),
                act=act[0] if act else "",
            )
        )
    return tuple(made)


def _acts(least: Role, *names: str) -> tuple[Endpoint, ...]:
    """Of the console: what it would do anybody may read, to do it takes ``least``."""
    return (
        *_rows(Service.CONSOLE, Role.READ, *(f"GET /acts/{name}" for name in names)),
        *_rows(Service.CONSOLE, least, *(f"POST /acts/{name}" for name in names)),
    )


ENDPOINTS: Final = (
    *_rows(Service.S4, Role.NOBODY, "GET /ready", "GET /health"),
    *_rows(
        Service.S4,
        Role.READ,
        "GET /orders/{name:path}",
        "POST /orders/preview",
        "GET /positions",
        "GET /doubts",
        "GET /killed",
        "GET /transfers",
        "GET /routes",
        "GET /cash/entries",
        "GET /cash/balances",
        "GET /cash.csv",
        "GET /pnl",
        "GET /metrics",
        "GET /openapi.json",
    ),
    *_rows(
        Service.S4,
        Role.TRADE,
        "POST /orders submit",
        "POST /orders/{name}/replace replace",
        "POST /orders/{name}/pause pause",
        "POST /orders/{name}/resume resume",
        "POST /orders/{name}/finish finish",
        "POST /positions/{symbol}/survey survey",
        "!POST /cancel cancel",
        "!POST /positions/{symbol}/close close",
        "!POST /kill kill",
    ),
    *_rows(
        Service.S4,
        Role.OPERATE,
        "POST /transfers transfer",
        "POST /routes/approve approve_routes",
        "POST /routes/rollback roll_back_routes",
        "POST /breaker/retry retry_breaker",
    ),
    *_rows(Service.S4, Role.ADMIN, "POST /arm arm", "POST /transfers/settle settle_transfer"),
    *_rows(Service.S3, Role.NOBODY, "GET /ready", "GET /health"),
    *_rows(
        Service.S3,
        Role.READ,
        "GET /decisions",
        "GET /decisions/{signal_id}",
        "GET /decisions/{signal_id}/needed",
        "GET /decisions/{signal_id}/fixture",
        "GET /skips",
        "GET /blockers",
        "GET /bundles",
        "GET /bundles/{bundle_id}",
        "GET /bundles/{bundle_id}/diff/{other_id}",
        "GET /bundles/{bundle_id}/replay",
        "POST /bundles/lint",
        "GET /config",
        "GET /config/history",
        "GET /config/differences",
        "GET /metrics",
        "GET /openapi.json",
    ),
    *_rows(Service.S3, Role.TRADE, "POST /decide", "POST /decide/batch"),
    *_rows(
        Service.S3,
        Role.OPERATE,
        "POST /bundles create_bundle",
        "POST /config/activate activate",
        "POST /config/rollback rollback",
        "POST /config/trial begin_trial",
        "POST /config/trial/end end_trial",
    ),
    *_rows(Service.ALERTS, Role.NOBODY, "GET /ready", "GET /health"),
    *_rows(Service.ALERTS, Role.READ, "GET /alerts", "GET /alerts/{name}", "GET /metrics", "GET /openapi.json"),
    *_rows(
        Service.ALERTS,
        Role.TRADE,
        "POST /alerts/{name}/ack acknowledge_alert",
        "POST /alerts/{name}/resolve resolve_alert",
    ),
    *_rows(Service.ALERTS, Role.OPERATE, "POST /alerts/test test_alerts"),
    *_rows(
        Service.CONSOLE, Role.NOBODY, "GET /health", "GET /static/{name}", "GET /login", "POST /login", "POST /logout"
    ),
    *_rows(Service.CONSOLE, Role.READ, "GET /events", "GET /find", "GET /metrics"),
    *_rows(  # screens
        Service.CONSOLE,
        Role.READ,
        "GET /",
        "GET /orders",
        "GET /orders/{name:path}",
        "GET /replays/{name:path}",
        "GET /doubts",
        "GET /kill",
        "GET /why",
        "GET /decisions/{signal_id:path}",
        "GET /alerts",
        "GET /working",
        "GET /whatif",
        "GET /compare",
        "GET /execution",
        "GET /config",
        "GET /config/{bundle_id:path}",
        "GET /venue",
        "GET /system",
        "GET /doctor",
        "GET /simulator",
    ),
    *_rows(Service.CONSOLE, Role.READ, *(f"GET /acts/{name}" for name in ("close", "cancel", "kill"))),
    *_rows(Service.CONSOLE, Role.TRADE, "!POST /acts/close", "!POST /acts/cancel", "!POST /acts/kill"),
    *_acts(
        Role.TRADE, "survey", "pause-order", "resume-order", "finish-order", "disarm", "acknowledge", "resolve-alert"
    ),
    *_acts(Role.OPERATE, "activate", "roll-back", "try-bundle", "end-trial"),
    *_acts(Role.OPERATE, "approve-routes", "roll-back-routes", "retry-breaker"),
    *_acts(Role.OPERATE, "arm-fault", "clear-fault", "move-market", "turn-market"),
    *_acts(Role.ADMIN, "arm", "settle"),
)

GATED: Final = tuple(dict.fromkeys(each.service for each in ENDPOINTS))

# What the key of a service may ask, whatever the roles say: S3 submits, and reads what keeps entries back.
KEYS: Final[Mapping[str, frozenset[tuple[Service, str, str]]]] = {
    "s3": frozenset(
        {(Service.S4, "POST", "/orders"), (Service.S4, "GET", "/health"), (Service.S4, "GET", "/killed")}
    ),
}  # fmt: skip

_COMPILED: Final = tuple((each, compile_path(each.path)[0]) for each in ENDPOINTS)
_OF: Final[Mapping[Service, tuple[tuple[Endpoint, re.Pattern[str]], ...]]] = {
    service: tuple(pair for pair in _COMPILED if pair[0].service is service) for service in Service
}


def endpoint_of(service: Service, method: str, path: str) -> Endpoint | None:
    """The row that a request is for, found as the applications find their routes; HEAD is asked as GET is."""
    wanted = "GET" if method == "HEAD" else method
    for endpoint, pattern in _OF[service]:
        if endpoint.method == wanted and pattern.match(path):
            return endpoint
    return None


def methods_of(service: Service, path: str) -> tuple[str, ...]:
    """Those that a path has; none: there is no such path."""
    return tuple(sorted({endpoint.method for endpoint, pattern in _OF[service] if pattern.match(path)}))


def may(role: Role, key_of: str, endpoint: Endpoint) -> bool:
    """``key_of``: whose key it is, empty for a token of a person."""
    if key_of:
        return (endpoint.service, endpoint.method, endpoint.path) in KEYS.get(key_of, frozenset())
    return role >= endpoint.least
