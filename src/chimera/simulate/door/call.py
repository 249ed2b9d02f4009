"""One call in hand, and how an endpoint is described. Shared by the routing tables and the handlers of both markets.

Deliberately unaware of markets: each adds its exchange and its account in a ``Call`` of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from chimera.simulate.door.auth import Security
from chimera.simulate.door.keyring import Key, Permission
from chimera.simulate.door.limits import Limits
from chimera.simulate.door.params import Params
from chimera.simulate.door.refusals import Refusal
from chimera.trading.money import HOUR_MS

_ALWAYS = frozenset({"timestamp", "recvWindow", "signature"})


@dataclass(slots=True)
class Call:
    """An authenticated request on its way through a handler; ``key`` is ``None`` for a public one."""

    params: Params
    now_ms: int
    key: Key | None
    limits: Limits

    @property
    def owner(self) -> str:
        """Who calls; only endpoints that require a key ask."""
        if self.key is None:
            raise Refusal(-2015)
        return self.key.owner

    def limit(self, usual: int = 500, most: int = 1_000) -> int:
        """How many rows: ``usual`` unless told, cut to ``most``; none is refused."""
        limit = self.params.integer_or("limit", usual)
        if not limit:
            raise Refusal(-1130, "limit")
        return min(limit, most)

    def period(self, longest_ms: int) -> tuple[int | None, int | None]:
        """``startTime`` and ``endTime`` as sent; both: in this order (-1023) and at most so far apart (-1127)."""
        start, end = self.params.maybe_integer("startTime"), self.params.maybe_integer("endTime")
        if start is not None and end is not None:
            if start > end:
                raise Refusal(-1023)
            if end - start > longest_ms:
                raise Refusal(-1127, longest_ms // HOUR_MS)
        return start, end


@dataclass(slots=True, frozen=True)
class Answer:
    """A handler's body where the HTTP status may not be 200. ``placed``: whose orders the handler itself counted."""

    status: int
    body: Any
    placed: str = ""


C = TypeVar("C", bound=Call)
Weight = int | Callable[[Params], int]


@dataclass(slots=True, frozen=True)
class Endpoint(Generic[C]):
    """A path and method the venue knows.

    ``orders``: what one success adds to the caller's order counters, the shorter interval's and the longer one's.
    ``weight_on_success``: where a call that succeeds costs other than ``weight``. Not ``strict``: parameters it does
    not know are not minded.
    """

    handler: Callable[[C], Any]
    security: Security
    weight: Weight
    permission: Permission
    mandatory: tuple[str, ...] = ()
    optional: frozenset[str] = frozenset()
    unwanted: frozenset[str] = frozenset()  # once parameters here; sending them is refused by name
    orders: tuple[int, int] = (0, 0)
    weight_on_success: int | None = None
    strict: bool = True

    def weigh(self, params: Params) -> int:
        """Request weight of this call."""
        return self.weight if isinstance(self.weight, int) else self.weight(params)


def endpoint(
    handler: Callable[[C], Any],
    security: Security,
    weight: Weight,
    mandatory: str = "",
    optional: str = "",
    *,
    permission: Permission = Permission.READ,
    unwanted: str = "",
    without_symbol: int | None = None,
    orders: int | tuple[int, int] = 0,
    weight_on_success: int | None = None,
    strict: bool = True,
) -> Endpoint[C]:
    """An ``Endpoint`` from space-separated parameter names. ``without_symbol``: the weight if no symbol is given."""
    timing = frozenset[str]() if security is Security.NONE else _ALWAYS  # harmless where only the key counts
    return Endpoint(
        handler=handler,
        security=security,
        weight=weight if without_symbol is None else _by_symbol(weight, without_symbol),
        permission=permission,
        mandatory=tuple(mandatory.split()),
        optional=frozenset(optional.split()) | timing,
        unwanted=frozenset(unwanted.split()),
        orders=(orders, orders) if isinstance(orders, int) else orders,
        weight_on_success=weight_on_success,
        strict=strict,
    )


def _by_symbol(with_symbol: Weight, without: int) -> Weight:
    def weigh(params: Params) -> int:
        if not params.has("symbol"):
            return without
        return with_symbol if isinstance(with_symbol, int) else with_symbol(params)

    return weigh
