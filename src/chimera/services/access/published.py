"""What a published schema says of who may ask: the schemes, what each operation needs, and what refuses it.

From the table of endpoints, so that it cannot say anything else. OpenAPI 3.1 lets a scheme name the role that an
operation needs; here that is the least one, or the service whose key may ask, too. It asks nobody anything.
"""

from typing import Any, Final

from chimera.services.access.table import KEYS, Endpoint, Role, endpoint_of
from chimera.services.service import Service

SCHEMES: Final = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token of `chimera token`. Roles: read, trade, operate, admin; each may what those before it"
        " may. Where a service has no tokens, which only one on loopback may, nobody is asked.",
    },
    "signed": {
        "type": "http",
        "scheme": "Chimera-HMAC",
        "description": "Whose token signs (`chimera token new NAME --signs`) and stays at home; over a network the key"
        " of a service has to:"
        " `name=...,ts=...,nonce=...,sig=...`, HMAC-SHA256 over method, path with query, SHA-256 of the body, moment"
        " and nonce. Good once, within 30 s.",
    },
}
_REFUSED: Final = {
    "401": "nobody is known by this token or signature, or there is none",
    "403": "the role is too low, or a web page asks",
    "429": "too many requests; Retry-After says how many seconds to wait",
}


def secured(schema: dict[str, Any], service: Service) -> None:
    """Write it into the schema; raises ``KeyError`` for an operation that the gate would let nobody ask."""
    schema["components"]["securitySchemes"] = SCHEMES
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            endpoint = endpoint_of(service, method.upper(), path)
            if endpoint is None:
                raise KeyError(f"{service} {method} {path} is not in the table of endpoints")
            operation["security"] = _needs(endpoint)
            for status in _statuses(endpoint):
                operation["responses"][status] = _error(_REFUSED[status])


def _needs(endpoint: Endpoint) -> list[dict[str, list[str]]]:
    """Any one of these. Whoever asks ``/health`` with nothing hears that the service answers."""
    least = Role.READ if endpoint.path == "/health" else endpoint.least
    if least is Role.NOBODY:
        return []
    named = (endpoint.service, endpoint.method, endpoint.path)
    who = [least.word, *(whose for whose, may in KEYS.items() if named in may)]
    anybody: list[dict[str, list[str]]] = [{}] if endpoint.least is Role.NOBODY else []
    return anybody + [{scheme: [each]} for each in who for scheme in SCHEMES]


def _statuses(endpoint: Endpoint) -> tuple[str, ...]:
    """What protects is never counted, but a wrong token is, everywhere."""
    return () if endpoint.least is Role.NOBODY else ("401", "403", "429")


def _error(told: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}}}
    return {"description": told, "content": content}
