"""The client of S3: decide and look."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from chimera.client.http import read, read_plain
from chimera.client.service import ServiceClient
from chimera.trading.market import Market, Side
from chimera.trading.money import text
from chimera.trading.value import Value


class Decided(Value, tag=False, forbid_unknown_fields=False):
    """An answer of ``/decide``; ``intent`` is the order body that S4 gets."""

    decision: str  # open or skip
    symbol: str
    market: Market
    reason: str
    config_rev: int
    rules_fired: tuple[str, ...] = ()
    reasons: tuple[dict[str, Any], ...] = ()
    explanation: dict[str, Any] = {}
    intent: dict[str, Any] | None = None
    dry_run: bool = False
    signal_id: str | None = None
    overridden: tuple[dict[str, Any], ...] = ()  # of a what-if: each figure, what was given and what is seen


class StrategyClient(ServiceClient):
    """Deciding, and what was decided."""

    async def decide(
        self,
        symbol: str,
        *,
        side_hint: Side | None = None,
        market: Market | None = None,
        dry_run: bool = False,
        context: Mapping[str, Decimal] | None = None,
    ) -> Decided:
        """One decision; ``context`` supposes factors and goes with ``dry_run``."""
        return read(
            await self._http.post("/decide", _wishes(side_hint, market, dry_run, context, symbol=symbol)), Decided
        )

    async def decide_batch(
        self,
        symbols: Sequence[str],
        *,
        side_hint: Side | None = None,
        market: Market | None = None,
        dry_run: bool = False,
    ) -> list[dict[str, Any]]:
        """One result for each symbol, in order: an answer's object, or that symbol's error body."""
        wishes = _wishes(side_hint, market, dry_run, None, symbols=list(symbols))
        results: list[dict[str, Any]] = read_plain(await self._http.post("/decide/batch", wishes))["results"]
        return results

    async def decisions(self, newest: int = 50) -> list[dict[str, Any]]:
        """The newest ``signals`` rows, newest first, skips too."""
        rows: list[dict[str, Any]] = read_plain(await self._http.get(f"/decisions?newest={newest}")).get(
            "decisions", []
        )
        return rows


def _wishes(
    side_hint: Side | None, market: Market | None, dry_run: bool, context: Mapping[str, Decimal] | None, **named: Any
) -> dict[str, Any]:
    body: dict[str, Any] = {**named, "dry_run": dry_run}
    if side_hint is not None:
        body["sideHint"] = side_hint.value
    if market is not None:
        body["market"] = market.value
    if context is not None:
        body["context"] = {name: text(value) for name, value in context.items()}
    return body
