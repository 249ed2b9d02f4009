"""The list of operations and how one of them is judged: a scenario per operation, the same for every client."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

WORKS, REFUSED, NO_METHOD = "works", "refused as Binance does", "no such method"

Scenario = Callable[[Any, Any], Awaitable[None]]


@dataclass(frozen=True)
class Operation:
    """One row of the table. ``verdict`` is what a client reaches whose scenario ran to its end."""

    name: str
    market: str
    title: str
    scenario: Scenario
    verdict: str
    key: str = "usual"  # how the client signs: usual (HMAC), ed25519, wrong (another secret), unknown (another key)


@dataclass
class Register:
    """The operations of one market, in the order they are written."""

    market: str
    operations: list[Operation] = field(default_factory=list)

    def __call__(self, title: str, *, verdict: str = WORKS, key: str = "usual") -> Callable[[Scenario], Scenario]:
        def add(scenario: Scenario) -> Scenario:
            name = f"{self.market.lower().replace('-', '')}-{scenario.__name__}"
            self.operations.append(Operation(name, self.market, title, scenario, verdict, key))
            return scenario

        return add


USDM: Final = Register("USD-M")
SPOT: Final = Register("Spot")
