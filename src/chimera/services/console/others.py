"""Whom the console asks: S4, S3, the bus and a simulator, as narrow protocols that the clients of users have, too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, Protocol

from chimera.ports.clock import Clock
from chimera.ports.streams import Entry
from chimera.services.console.hours import SkipHours
from chimera.trading.market import Market
from chimera.trading.standstill import Scope

Steer = Literal["pause", "resume", "finish"]


class RouterSource(Protocol):
    """What the console asks of S4; ``client.RouterClient`` has it. Each raises ``ChimeraError``."""

    async def positions(self) -> list[dict[str, Any]]: ...

    async def health(self) -> dict[str, Any]: ...

    async def order(self, name: str) -> dict[str, Any] | None: ...

    async def steer(self, name: str, ask: Steer) -> dict[str, Any]:
        """Pause, resume or finish an order that is worked in slices."""
        ...

    async def replace(self, name: str, changes: Mapping[str, Any]) -> object:
        """Change an order that lives, or the stop and target of what it holds."""
        ...

    async def routes(self) -> dict[str, Any]: ...

    async def approve_routes(self, proposed_ms: int, *, by: str) -> dict[str, Any]: ...

    async def roll_back_routes(self, rev: int, *, by: str) -> dict[str, Any]: ...

    async def retry_breaker(self, market: Market, *, by: str, reason: str) -> dict[str, Any]:
        """Let one entry try at once."""
        ...

    async def doubts(self) -> list[dict[str, Any]]: ...

    async def external(self) -> list[dict[str, Any]]:
        """The account's open orders that are not ours."""
        ...

    async def killed(self) -> dict[str, Any]: ...

    async def transfers(self) -> dict[str, Any]: ...

    async def survey(self, symbol: str, *, market: Market = Market.FUT) -> dict[str, Any]:
        """Have the venue asked now."""
        ...

    async def cancel(self, *, client_order_id: str | None = None) -> dict[str, Any]: ...

    async def kill(
        self, *, by: str, reason: str, scope: Scope, name: str, flatten: bool, wait_s: int | None
    ) -> dict[str, Any]:
        """The signed receipt; asked again it changes nothing."""
        ...

    async def arm(self, *, by: str, reason: str, scope: Scope, name: str, confirm: str | None) -> dict[str, Any]: ...

    async def settle(self, *, happened: bool, by: str) -> dict[str, Any]:
        """What became of an ambiguous transfer, by somebody's word."""
        ...

    async def close(
        self, symbol: str, qty: Decimal | None = None, *, market: Market = Market.FUT, close_id: str | None = None
    ) -> dict[str, Any]:
        """Reduce the position to flat, or by ``qty``."""
        ...


class StrategySource(Protocol):
    """What the console asks of S3; ``client.StrategyClient`` has it. Each raises ``ChimeraError``."""

    async def decisions(self, newest: int = 50) -> list[dict[str, Any]]: ...

    async def health(self) -> dict[str, Any]: ...


class ExplainSource(Protocol):
    """What the console asks S3 of decisions; ``client.explain.ExplainClient`` has it. Each raises ``ChimeraError``."""

    async def decision(self, signal_id: str) -> dict[str, Any]: ...

    async def needed(self, signal_id: str) -> dict[str, Any]: ...

    async def fixture(self, signal_id: str) -> bytes: ...

    async def skips(self, asked: Mapping[str, object]) -> dict[str, Any]: ...

    async def blockers(self, symbol: str | None = None) -> dict[str, Any]: ...

    async def what_if(self, wishes: Mapping[str, object]) -> dict[str, Any]: ...


class BundleSource(Protocol):
    """What the console asks S3 of bundles; ``client.bundles.BundleClient`` has it. Each raises ``ChimeraError``."""

    async def bundles(self, newest: int) -> dict[str, Any]: ...

    async def show(self, bundle_id: str) -> dict[str, Any]: ...

    async def lint(self, bundle: Mapping[str, Any]) -> dict[str, Any]: ...

    async def diff(self, first: str, second: str) -> dict[str, Any]: ...

    async def standing(self) -> dict[str, Any]: ...

    async def history(self, newest: int) -> dict[str, Any]: ...

    async def differences(self, newest: int, trial: int | None = None) -> dict[str, Any]: ...

    async def activate(self, bundle_id: str, *, who: str, why: str) -> dict[str, Any]: ...

    async def roll_back(self, *, who: str, why: str, to_rev: int | None = None) -> dict[str, Any]: ...

    async def begin_trial(
        self, bundle_id: str, *, who: str, why: str, share: Decimal, limit: Mapping[str, Any] | None = None
    ) -> dict[str, Any]: ...

    async def end_trial(self, *, who: str, why: str) -> dict[str, Any]: ...


class SimulatorSource(Protocol):
    """The simulator's control API; ``client.simulator.SimulatorClient`` has it. Each raises ``ChimeraError``."""

    async def market(self) -> dict[str, Any]: ...

    async def run_market(self, change: Mapping[str, Any]) -> dict[str, Any]: ...

    async def faults(self) -> dict[str, Any]: ...

    async def arm(self, fault: Mapping[str, Any]) -> tuple[str, ...]:
        """The ids under which it can be cleared."""
        ...

    async def clear(self, fault_id: str | None = None) -> tuple[str, ...]:
        """One, or all; their ids."""
        ...


class CostSource(Protocol):
    """What trading cost; ``costs.Costs`` has it."""

    async def report(self) -> dict[str, Any]:
        """``chimera report tca --json``. Raises ``ChimeraError``."""
        ...


class ReplaySource(Protocol):
    """An order traded again; ``replaying.Replays`` has it."""

    async def replay(self, order: str, way: str = "") -> dict[str, Any]:
        """``chimera replay-order --json``, in the usual ways or in one. Raises ``ChimeraError``."""
        ...


class DoctorSource(Protocol):
    """The look at everything; ``doctoring.Doctor`` has it."""

    async def examine(self) -> dict[str, Any]:
        """``chimera doctor --json``. Raises ``ChimeraError``."""
        ...


class AlertsSource(Protocol):
    """What the console asks of who keeps the alerts; ``client.AlertsClient`` has it. Each raises ``ChimeraError``."""

    async def alerts(self, state: str = "standing", newest: int = 100) -> dict[str, Any]: ...

    async def alert(self, name: str) -> dict[str, Any]: ...

    async def acknowledge(self, name: str, *, by: str = "", note: str = "") -> dict[str, Any]: ...

    async def resolve(self, name: str, *, by: str = "", note: str = "", force: bool = False) -> dict[str, Any]: ...


class BusSource(Protocol):
    """What the console reads of the bus; every ``ports.streams.Bus`` has it."""

    async def tail(self, stream: str, *, after: str, count: int, block_ms: int) -> Sequence[Entry]: ...

    async def get_many(self, keys: Sequence[str]) -> Sequence[bytes | None]: ...


@dataclass(frozen=True)
class Others:
    """All of them, and the time."""

    router: RouterSource
    strategy: StrategySource
    explain: ExplainSource
    bundles: BundleSource
    bus: BusSource
    clock: Clock
    simulator: SimulatorSource | None = None  # where the venue is one of ours
    costs: CostSource | None = None  # where the ledgers' files are at hand
    alerts: AlertsSource | None = None  # where somebody keeps them
    doctor: DoctorSource | None = None
    replays: ReplaySource | None = None  # where the ledger's file is at hand
    hours: SkipHours = field(default_factory=SkipHours)  # counted once for all pages
