"""Recompute a run's summary from the simulator's audit alone (``docs/wire.md``). Standard library only, on purpose.

``python3 tools/audit_summary.py a.jsonl [ACCOUNT]`` prints one JSON object. It imports nothing of Chimera, so that a
mistake there cannot hide itself here. Amounts are decimal strings, quantities base asset, money USDT.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

ENDS = ("trigger", "cancel", "expire", "reject")
Record = dict[str, Any]


class Symbol:
    """Position and live stops of one symbol, record by record."""

    def __init__(self) -> None:
        self.qty = Decimal(0)
        self.stops: dict[object, Record] = {}
        self.closed = 0
        self.protected = 0
        self.covered_once = False  # of the present position: all of it had a stop at some instant
        self.bare_since_us: int | None = None
        self.longest_bare_us = 0

    def take(self, record: Record) -> None:
        kind, algo = record["kind"], record.get("algo_id")
        if kind == "fill":
            before = self.qty
            self.qty += Decimal(record["qty"]) * (1 if record["side"] == "BUY" else -1)
            self._count(before)
        elif kind == "accept" and "order_id" not in record and record.get("type") == "STOP_MARKET":
            if record.get("reduce_only") or record.get("close_position"):
                self.stops[algo] = record
        elif kind in ENDS and "order_id" not in record:
            self.stops.pop(algo, None)

    def _count(self, before: Decimal) -> None:
        if before and (not self.qty or (before > 0) != (self.qty > 0)):
            self.closed += 1
            self.protected += self.covered_once
            self.covered_once = False

    def bare(self) -> Decimal:
        """What no live stop would close now."""
        exit_side = "SELL" if self.qty > 0 else "BUY"
        left = abs(self.qty)
        for stop in self.stops.values():
            if stop["side"] == exit_side:
                left -= left if stop.get("close_position") else Decimal(stop["qty"])
        return max(left, Decimal(0))

    def settle(self, at_us: int) -> None:
        """All records of one instant are in: how does it stand?"""
        bare = self.bare()
        self.covered_once |= bool(self.qty) and not bare
        if bare and self.bare_since_us is None:
            self.bare_since_us = at_us
        elif not bare and self.bare_since_us is not None:
            self.longest_bare_us = max(self.longest_bare_us, at_us - self.bare_since_us)
            self.bare_since_us = None


def read(path: Path) -> Iterator[Record]:
    with path.open(encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines if line.strip())


def summary(records: Iterable[Record], account: str = "main") -> dict[str, Any]:
    """``open_qty`` and ``bare_us`` say what was still open, and for how long bare, when the log ended."""
    symbols: dict[str, Symbol] = {}
    fills, gross, fees, last_us = 0, Decimal(0), Decimal(0), 0
    entries: dict[str, int] = {}
    mine = (record for record in records if record.get("account", account) == account)
    for at_us, instant in groupby(mine, key=lambda record: int(record["at_us"])):
        last_us = at_us
        touched: dict[str, None] = {}
        for record in instant:
            name = record.get("symbol", "")
            symbols.setdefault(name, Symbol()).take(record)
            touched[name] = None
            if record["kind"] == "fill":
                fills += 1
                gross += Decimal(record.get("realized_pnl", "0"))
                fees += Decimal(record.get("fee", "0"))
            if record["kind"] == "accept" and "order_id" in record and not record.get("reduce_only"):
                entries[record["client_order_id"]] = entries.get(record["client_order_id"], 0) + 1
        for name in touched:
            symbols[name].settle(at_us)
    bare = [symbol.bare_since_us for symbol in symbols.values() if symbol.bare_since_us is not None]
    return {
        "closed": sum(symbol.closed for symbol in symbols.values()),
        "protected": sum(symbol.protected + symbol.covered_once for symbol in symbols.values()),
        "max_unprotected_ms": max((symbol.longest_bare_us for symbol in symbols.values()), default=0) // 1000,
        "fills_venue": fills,
        "fees_usdt": _text(fees),
        "pnl_usdt": _text(gross - fees),
        "open_qty": _text(sum((symbol.qty for symbol in symbols.values()), Decimal(0))),
        "bare_us": max((last_us - since for since in bare), default=0),
        "entries_twice": sum(count - 1 for count in entries.values()),
    }


def _text(amount: Decimal) -> str:
    written = format(amount, "f")
    return (written.rstrip("0").rstrip(".") or "0") if "." in written else written


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    print(json.dumps(summary(read(Path(sys.argv[1])), *sys.argv[2:])))
