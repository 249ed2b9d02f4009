"""What S3, S4 and a simulator answer the console, as they really did once (``tests/fixtures/console``), or as told."""

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from chimera.client.http import read_plain
from chimera.simulate.trouble.catalogue import CATALOGUE
from chimera.trading.errors import NotSent, Refused
from chimera.trading.market import Market
from chimera.wire import codec

RECORDED = Path(__file__).parents[1] / "fixtures" / "console"
HOUR_MS = 3_600_000
BUNDLES = [
    {
        "bundle_id": "calm-2",
        "rules": 3,
        "who": "ada",
        "why": "try calm",
        "at_ms": 1795310306343,
        "digest": "7aaad575f2",
    },
    {"bundle_id": "demo-1", "rules": 4},
]


def recorded(name: str) -> dict[str, Any]:
    """As the client would have read it."""
    return read_plain((RECORDED / f"{name}.json").read_bytes())


def a_schedule(now_ms: int, **changes: Any) -> dict[str, Any]:
    """An order in four slices: one filled, one working, two to come."""
    return {
        "client_order_id": "twap-1", "order_id": "twap-1", "intent_id": "i1", "symbol": "BTCUSDT", "market": "FUT",
        "side": "BUY", "status": "PARTIALLY_FILLED", "qty": Decimal("0.04"), "filled_qty": Decimal("0.013"),
        "avg_price": Decimal("65801.25"), "paused": False, "accepted_ms": now_ms - 40_000, "done_ms": None,
        "slices": [
            {"qty": Decimal("0.01"), "due_ms": now_ms - 40_000 + 30_000 * place, "filled_qty": Decimal(filled),
             "began_ms": now_ms - 40_000 + 30_000 * place if place < 2 else None}
            for place, filled in enumerate(("0.01", "0.003", "0", "0"))
        ],
        "timeline": [{"at_ms": now_ms - 40_000, "what": "accepted"}, {"at_ms": now_ms, "what": "slice 2 began"}],
    } | changes  # fmt: skip


def a_table(rev: int, wait_ms: int) -> dict[str, Any]:
    row = {"notional_usdt_max": "200", "maker_wait_ms": wait_ms, "twap": {"slices": 1, "gap_ms": 0}}
    return {"rev": rev, "rows": [row]}


class FakeExplain:
    """``ExplainSource``."""

    def __init__(self) -> None:
        self.traces = {name: recorded(name) for name in ("skip", "open")}
        self.blocked: dict[str, Any] = {"now_ms": 0, "symbols": []}
        self.hours: list[dict[str, Any]] = []
        self.wished: list[Mapping[str, object]] = []
        self.pages = 0
        self.error: Exception | None = None

    def _answer(self, answer: Any) -> Any:
        if self.error:
            raise self.error
        return answer

    async def decision(self, signal_id: str) -> dict[str, Any]:
        if signal_id not in self.traces:
            raise Refused("NOT_FOUND", "no such decision")
        found: dict[str, Any] = self._answer(self.traces[signal_id])
        return found

    async def needed(self, signal_id: str) -> dict[str, Any]:
        if signal_id == "skip":
            return recorded("needed")
        raise Refused("NOT_REPLAYABLE", "no case is kept of this decision")

    async def fixture(self, signal_id: str) -> bytes:
        if signal_id == "skip":
            return b'{"schema_version":1,"signal_id":"skip"}'
        raise Refused("NOT_REPLAYABLE", "no case is kept of this decision")

    async def skips(self, asked: Mapping[str, object]) -> dict[str, Any]:
        self.pages += 1
        since = int(str(asked["since"]))
        return {"decisions": 0, "hours": [hour for hour in self.hours if hour["hour_ms"] >= since], "cursor": None}

    async def blockers(self, symbol: str | None = None) -> dict[str, Any]:
        told: dict[str, Any] = self._answer(self.blocked)
        return told

    async def what_if(self, wishes: Mapping[str, object]) -> dict[str, Any]:
        self.wished.append(wishes)
        return recorded("whatif")


class FakeBundles:
    """``BundleSource``: ``demo-1`` decides, ``calm-2`` is kept."""

    def __init__(self) -> None:
        self.rev, self.active, self.trial = 1, "demo-1", ""
        self.done: list[tuple[Any, ...]] = []
        self.lines: list[dict[str, Any]] = recorded("history")["history"]

    async def bundles(self, newest: int) -> dict[str, Any]:
        return {"bundles": BUNDLES}

    async def show(self, bundle_id: str) -> dict[str, Any]:
        if bundle_id not in ("demo-1", "calm-2"):
            raise Refused("NOT_FOUND", f"no bundle {bundle_id}")
        bundle = recorded("bundle")["bundle"]
        return {"bundle": {**bundle, "bundle_id": bundle_id, "digest": f"of {bundle_id}"}}

    async def lint(self, bundle: Mapping[str, Any]) -> dict[str, Any]:
        advice = [{"rule_id": "D-010", "path": "$.when", "message": "it can never fire beside D-020"}]
        return {"ok": True, "digest": "7aaad575f29af", "findings": [], "advice": advice}

    async def diff(self, first: str, second: str) -> dict[str, Any]:
        return {**recorded("diff"), "from": first, "to": second}

    async def standing(self) -> dict[str, Any]:
        trial = {
            "rev": 2, "bundle_id": self.trial, "share": "0", "deciding": True, "fault": "", "dropped": 0,
            "tally": {"compared": 40, "differed": 6},
        }  # fmt: skip
        return {
            "rev": self.rev, "active": {"rev": self.rev, "bundle_id": self.active}, "loaded_rev": self.rev,
            "rules_loaded": 4, "differs_since_ms": None, "fault": "", "trial": trial if self.trial else None,
        }  # fmt: skip

    async def history(self, newest: int) -> dict[str, Any]:
        return {"history": self.lines}

    async def differences(self, newest: int, trial: int | None = None) -> dict[str, Any]:
        return recorded("differences")

    def _changed(self, kind: str, bundle_id: str, who: str, why: str) -> dict[str, Any]:
        self.rev += 1
        self.done.append((kind, bundle_id, who, why))
        return {"revision": {"rev": self.rev, "kind": kind, "bundle_id": bundle_id}, "loaded": True}

    async def activate(self, bundle_id: str, *, who: str, why: str) -> dict[str, Any]:
        before, self.active = self.active, bundle_id
        told = self._changed("ACTIVATE", bundle_id, who, why)
        active = {"rev": self.rev, "bundle_id": bundle_id}
        line = {"rev": self.rev, "kind": "ACTIVATE", "bundle_id": bundle_id, "who": who, "why": why,
                "at_ms": 1795310400000, "active": active, "before": {"rev": 1, "bundle_id": before}}  # fmt: skip
        self.lines = [line, *self.lines]
        return told

    async def roll_back(self, *, who: str, why: str, to_rev: int | None = None) -> dict[str, Any]:
        self.active = "demo-1"
        return self._changed("ROLLBACK", "demo-1", who, why)

    async def begin_trial(
        self, bundle_id: str, *, who: str, why: str, share: Decimal, limit: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        self.trial = bundle_id
        return self._changed("CANARY" if share else "SHADOW", bundle_id, who, why)

    async def end_trial(self, *, who: str, why: str) -> dict[str, Any]:
        ended, self.trial = self.trial, ""
        return self._changed("END_TRIAL", ended, who, why)


class FakeSimulator:
    """``SimulatorSource``."""

    def __init__(self) -> None:
        self.armed: list[dict[str, Any]] = []
        self.changes: list[Mapping[str, Any]] = []
        self.stands = False

    async def market(self) -> dict[str, Any]:
        knobs = {"BTCUSDT": {"volatility_pct": 100, "spread_times": 1}}
        return {"seed": 1, "stopped": self.stands, "speed": 1.0, "market_ms": 1767225700000, "symbols": knobs}

    async def run_market(self, change: Mapping[str, Any]) -> dict[str, Any]:
        self.changes.append(change)
        self.stands = bool(change.get("stopped", "step_ms" in change))
        return await self.market()

    async def faults(self) -> dict[str, Any]:
        return {"scenario": {}, "armed": self.armed, "catalogue": codec.plain(list(CATALOGUE.values()))}

    async def arm(self, fault: Mapping[str, Any]) -> tuple[str, ...]:
        fault_id = f"{fault['name']}-{len(self.armed) + 1}"
        made = {**fault, "id": fault_id, "active": True, "seen": 3, "struck": 1, "match": {}}
        self.armed = [*self.armed, made]
        return (fault_id,)

    async def clear(self, fault_id: str | None = None) -> tuple[str, ...]:
        gone = [each["id"] for each in self.armed if fault_id in (None, each["id"])]
        self.armed = [each for each in self.armed if each["id"] not in gone]
        return tuple(gone)


class FakeCosts:
    """``CostSource``."""

    def __init__(self) -> None:
        self.told: dict[str, Any] | None = json.loads((RECORDED / "tca.json").read_bytes())

    async def report(self) -> dict[str, Any]:
        """None is told: it is still being computed, for whoever asks now."""
        if self.told is None:
            raise NotSent("not yet")
        return self.told


class FakeReplays:
    """``ReplaySource``: one order as the command told it once."""

    def __init__(self) -> None:
        self.told: dict[str, Any] = json.loads((RECORDED / "replay.json").read_bytes())
        self.asked: list[tuple[str, str]] = []
        self.error: Exception | None = None

    async def replay(self, order: str, way: str = "") -> dict[str, Any]:
        self.asked.append((order, way))
        if self.error:
            raise self.error
        return self.told


class FakeAlerts:
    """``AlertsSource``: one level that lasts, one thing that only happened."""

    def __init__(self) -> None:
        self.rows = {row["id"]: row for row in (a_ticket("a1", "BUS_AWAY", lasts=True), a_ticket("b2", "STOP_CROSSED"))}
        self.done: list[tuple[str, ...]] = []
        self.error: Exception | None = None

    async def alerts(self, state: str = "standing", newest: int = 100) -> dict[str, Any]:
        if self.error:
            raise self.error
        return {"alerts": [row for row in self.rows.values() if row["resolved"] is None]}

    async def alert(self, name: str) -> dict[str, Any]:
        if self.error:
            raise self.error
        if name not in self.rows:
            raise Refused("NOT_FOUND", "no such alert")
        return self.rows[name]

    async def acknowledge(self, name: str, *, by: str = "", note: str = "") -> dict[str, Any]:
        self.done.append(("acknowledge", name, by, note))
        mark = {"by": by, "at_ms": 1_800_000_000_000, "note": note}
        self.rows[name] |= {"state": "ACKNOWLEDGED", "acknowledged": mark}
        return self.rows[name]

    async def resolve(self, name: str, *, by: str = "", note: str = "", force: bool = False) -> dict[str, Any]:
        self.done.append(("resolve", name, by, note))
        self.rows[name] |= {"state": "RESOLVED", "resolved": {"by": by, "at_ms": 1_800_000_000_000, "note": note}}
        return self.rows[name]


def a_ticket(name: str, code: str, *, lasts: bool = False) -> dict[str, Any]:
    """As ``GET /alerts`` tells it."""
    return {
        "id": name, "state": "OPEN", "severity": "ERROR" if lasts else "WARN", "code": code, "subject": "FUT BTCUSDT",
        "service": "s4-router", "account_id": "main", "text": "what it says", "since_ms": 1_799_999_990_000,
        "last_ms": 1_799_999_995_000, "count": 2, "lasts": lasts, "dedupe": "d", "runbook": "runbook.md#redis-away",
        "acknowledged": None, "resolved": None, "told": {},
    }  # fmt: skip


class FakeDoctor:
    """``DoctorSource``."""

    async def examine(self) -> dict[str, Any]:
        row = {"check": "python", "ok": True, "text": "3.11", "needed": True, "warns": False, "do": ""}
        disk = {**row, "check": "disk", "text": "0.4 GiB free", "warns": True, "do": "make room"}
        return {"checks": [row, disk, {**row, "check": "Binance", "ok": None}, {**row, "check": "S3", "ok": False}]}


class Operated:
    """What ``RouterSource`` has beside looking and closing."""

    def __init__(self) -> None:
        self.steered: list[tuple[str, str]] = []
        self.replaced: list[tuple[str, Mapping[str, Any]]] = []
        self.tables: list[tuple[str, Any, str]] = []
        self.retried: list[tuple[Market, str, str]] = []
        self.proposed = True
        self.rev = 3

    async def steer(self, name: str, ask: str) -> dict[str, Any]:
        self.steered.append((ask, name))
        return {"status": "PARTIALLY_FILLED", "filled_qty": Decimal("0.013")}

    async def replace(self, name: str, changes: Mapping[str, Any]) -> object:
        self.replaced.append((name, changes))
        return {}

    async def routes(self) -> dict[str, Any]:
        proposed = {"table": a_table(4, 2_500), "of_rev": self.rev, "at_ms": 77, "why": ["200: a longer wait pays"]}
        revisions = [
            {"table": a_table(rev, wait), "at_ms": 1795310200000 + rev, "by": "ada", "why": []}
            for rev, wait in ((3, 1_500), (2, 900), (1, 500))
        ]
        told = {"rev": self.rev, "planned_by": [self.rev], "writable": True, "revisions": revisions}
        return {**told, "proposed": proposed if self.proposed else None}

    async def approve_routes(self, proposed_ms: int, *, by: str) -> dict[str, Any]:
        self.tables.append(("approve", proposed_ms, by))
        return {"rev": self.rev + 1, "curves": "published"}

    async def roll_back_routes(self, rev: int, *, by: str) -> dict[str, Any]:
        if rev > self.rev:
            raise NotSent("no such revision")
        self.tables.append(("rollback", rev, by))
        return {"rev": self.rev + 1, "curves": "published"}

    async def retry_breaker(self, market: Market, *, by: str, reason: str) -> dict[str, Any]:
        self.retried.append((market, by, reason))
        return {"state": "HALF_OPEN"}
