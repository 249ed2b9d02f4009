"""What the console has seen of the others, and when: the one state that every page is drawn from.

Plain state without waiting. Each change counts up its topic's revision and the page's sequence, so that a drawing is
made anew only where something changed. Nothing here is the truth: S4, S3 and the streams are, and ages say how old
our picture of them is.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from chimera.services.console.rows import DecisionRow, FillRow, OrderRow, PositionRow, TicketRow
from chimera.trading.order import FINAL
from chimera.wire.alerts import AlertRecord
from chimera.wire.board import TickBoard
from chimera.wire.keys import ALERTS, ORDER_RESULTS, ROUTER_EVENTS, fill_key

if TYPE_CHECKING:
    from chimera.services.console.acts import Deed

STALE_MS: Final = 3_000
SPARK_EVERY_MS: Final = 500
MODES: Final = {"sim": "SIM", "demo": "TESTNET", "live": "LIVE"}  # S4's environments, as the page calls them
SPARK_POINTS: Final = 240  # two minutes
PAST_EVERY_MS: Final = 4_000
PAST_POINTS: Final = 3_600  # four hours
ORDERS_KEPT: Final = 400
RECORDS_KEPT: Final = 3_000
STOPS_KEPT: Final = 500
ROWS_KEPT: Final = 50
FOLLOWED: Final = (ROUTER_EVENTS, ORDER_RESULTS, ALERTS)


@dataclass
class Source:
    """One of the others, as we hear it. ``heard_ms`` is monotonic; None: never."""

    name: str
    heard_ms: int | None = None
    error: str = ""


@dataclass(frozen=True)
class Record:
    """A record of a stream as it came, oldest first; ``at_ms``: when it reached the stream."""

    stream: str
    at_ms: int
    data: Mapping[str, Any]


@dataclass
class Spark:
    """Mids of one symbol, half a second apart or more, oldest first."""

    points: deque[tuple[int, Decimal]] = field(default_factory=lambda: deque(maxlen=SPARK_POINTS))
    past: deque[tuple[int, Decimal]] = field(default_factory=lambda: deque(maxlen=PAST_POINTS))  # coarser, for hours

    def take(self, at_ms: int, mid: Decimal) -> bool:
        """Whether the coarse ones have a new point."""
        if not self.points or at_ms - self.points[-1][0] >= SPARK_EVERY_MS:
            self.points.append((at_ms, mid))
        if self.past and at_ms - self.past[-1][0] < PAST_EVERY_MS:
            return False
        self.past.append((at_ms, mid))
        return True

    def between(self, since_ms: int, until_ms: int) -> list[tuple[int, Decimal]]:
        """Both kinds, oldest first: the fine ones where there are some."""
        fine_ms = self.points[0][0] if self.points else until_ms
        told = [*(point for point in self.past if point[0] < fine_ms), *self.points]
        return [point for point in told if since_ms <= point[0] <= until_ms]


@dataclass
class Seen:
    """What was read last, and when."""

    symbols: list[str]
    s4: Source = field(default_factory=lambda: Source("S4"))
    s4_health: Source = field(default_factory=lambda: Source("S4's health"))
    s3: Source = field(default_factory=lambda: Source("S3"))
    market: Source = field(default_factory=lambda: Source("market board"))
    keeper: Source = field(default_factory=lambda: Source("alerts' keeper"))  # nobody trades less without it
    streams: dict[str, Source] = field(default_factory=lambda: {name: Source(name) for name in FOLLOWED})
    health: dict[str, Any] = field(default_factory=dict)
    killed: tuple[str, ...] = ()  # each place, as "SYMBOL BTCUSDT"; asked for while health says that something is
    s3_health: dict[str, Any] = field(default_factory=dict)
    positions: tuple[PositionRow, ...] = ()
    decisions: tuple[DecisionRow, ...] = ()
    ticks: dict[str, TickBoard] = field(default_factory=dict)
    sparks: dict[str, Spark] = field(default_factory=dict)
    orders: dict[str, OrderRow] = field(default_factory=dict)
    fills: dict[str, FillRow] = field(default_factory=dict)
    records: deque[Record] = field(default_factory=lambda: deque(maxlen=RECORDS_KEPT))
    stops_live_ms: dict[str, int] = field(default_factory=dict)  # when each stop was first heard to stand
    alerts: deque[AlertRecord] = field(default_factory=lambda: deque(maxlen=ROWS_KEPT))
    tickets: tuple[TicketRow, ...] = ()  # alerts that stand, worst first
    deeds: "dict[str, Deed]" = field(default_factory=dict)
    fault: str = ""  # why the console itself does not watch
    sequence: int = 0
    revisions: dict[str, int] = field(default_factory=dict)

    def changed(self, topic: str) -> None:
        self.sequence += 1
        self.revisions[topic] = self.revisions.get(topic, 0) + 1

    def heard(self, source: Source, mono_ms: int) -> None:
        source.heard_ms = mono_ms
        if source.error:
            source.error = ""
            self.changed("sources")

    def missed(self, source: Source, error: str) -> None:
        if source.error != error:
            source.error = error
            self.changed("sources")

    @property
    def mode(self) -> str:
        """Whose money it is, by S4's own word; UNKNOWN until it has said so."""
        return MODES.get(str(self.health.get("environment")), "UNKNOWN")

    @property
    def sources(self) -> tuple[Source, ...]:
        return (self.s4, self.s4_health, self.s3, self.market, *self.streams.values())

    @property
    def event_seq(self) -> int:
        """How many events S4 has recorded of all its positions: the number of the state that is shown."""
        return sum(row.seq for row in self.positions)

    # ── what was read ──

    def take_health(self, health: dict[str, Any]) -> None:
        if health != self.health:
            self.health = health
            self.changed("health")

    def take_killed(self, places: tuple[str, ...]) -> None:
        if places != self.killed:
            self.killed = places
            self.changed("health")

    def take_s3_health(self, health: dict[str, Any]) -> None:
        steady = {name: value for name, value in health.items() if name != "now_ms"}
        if steady != self.s3_health:
            self.s3_health = steady
            self.changed("s3")

    def take_positions(self, rows: tuple[PositionRow, ...], now_ms: int) -> None:
        ordered = tuple(sorted(rows, key=lambda row: (not row.is_open, row.symbol)))
        if ordered != self.positions:
            self.positions = ordered
            self.changed("positions")
        for row in ordered:
            if row.symbol not in self.symbols:
                self.symbols.append(row.symbol)
                self.changed("symbols")
        self.follow_deeds(now_ms)

    def take_decisions(self, rows: tuple[DecisionRow, ...]) -> None:
        if rows != self.decisions:
            self.decisions = rows
            self.changed("decisions")

    def take_tick(self, tick: TickBoard) -> None:
        if self.ticks.get(tick.symbol) == tick:
            return
        self.ticks[tick.symbol] = tick
        if self.sparks.setdefault(tick.symbol, Spark()).take(tick.at_ms, tick.mid):
            self.changed("pulse")
        self.changed("market")

    def take_order(self, row: OrderRow) -> None:
        if row.role == "STOP" and row.status == "NEW" and row.client_order_id not in self.stops_live_ms:
            self.stops_live_ms[row.client_order_id] = row.at_ms
            self.changed("stops")
            while len(self.stops_live_ms) > STOPS_KEPT:
                del self.stops_live_ms[next(iter(self.stops_live_ms))]
        known = self.orders.get(row.client_order_id)
        if known is not None and known.seq >= row.seq:
            return
        self.orders.pop(row.client_order_id, None)
        self.orders[row.client_order_id] = row
        if len(self.orders) > ORDERS_KEPT:
            oldest = next((ref for ref, order in self.orders.items() if order.status in FINAL), next(iter(self.orders)))
            del self.orders[oldest]
        self.changed("orders")

    def take_record(self, record: Record) -> None:
        self.records.append(record)
        self.changed("records")

    def take_fill(self, row: FillRow) -> None:
        key = fill_key(row.market, row.symbol, row.trade_id)
        if key in self.fills:
            return
        self.fills[key] = row
        while len(self.fills) > ROWS_KEPT:
            del self.fills[next(iter(self.fills))]
        self.changed("fills")

    def take_alert(self, row: AlertRecord) -> None:
        self.alerts.append(row)
        self.changed("alerts")

    def take_tickets(self, rows: tuple[TicketRow, ...]) -> None:
        if rows != self.tickets:
            self.tickets = rows
            self.changed("tickets")

    # ── what was asked for here ──

    def take_deed(self, deed_id: str, deed: "Deed") -> None:
        if self.deeds.get(deed_id) != deed:
            self.deeds[deed_id] = deed
            self.changed("deeds")

    def follow_deeds(self, now_ms: int) -> None:
        """Carry each on to what was seen last; drop it some time after its end."""
        for deed_id, deed in tuple(self.deeds.items()):
            if deed.over(now_ms):
                del self.deeds[deed_id]
                self.changed("deeds")
            else:
                self.take_deed(deed_id, deed.act.follow(deed, self, now_ms))
