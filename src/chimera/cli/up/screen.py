"""The live view: market, last decision and why, each position with stop and target, fills, profit, bare time.

It shows what the session tells and nothing else; drawing happens at most a few times a second.
"""

from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from types import TracebackType
from typing import Any, Final, Self

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from chimera.cli.up.session import Event
from chimera.trading.money import text

PER_S: Final = 4
FILLS_SHOWN: Final = 6
NEWS_SHOWN: Final = 5
_CENT: Final = Decimal("0.0001")


class Screen:
    """Use it as a context; ``tell`` takes events, ``look`` the rows of each look at the positions."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()
        self._rows: dict[str, Mapping[str, Any]] = {}
        self._decision: Event | None = None
        self._fills: deque[Event] = deque(maxlen=FILLS_SHOWN)
        self._news: deque[Event] = deque(maxlen=NEWS_SHOWN)
        self._ready: Event = {}
        self._live = Live(get_renderable=self._draw, console=self._console, refresh_per_second=PER_S, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._live.stop()

    def tell(self, event: Event) -> None:
        match event["event"]:
            case "ready":
                self._ready = event
                self._live.console.print("Chimera is up: " + _addresses(event))
            case "decision":
                self._decision = event
            case "fill":
                self._fills.append(event)
            case "closed" | "alert" | "executed" | "violation":
                self._news.append(event)
            case "summary":
                self._live.stop()
                self._console.print_json(data=event)

    def look(self, row: Mapping[str, Any]) -> None:
        self._rows[str(row["symbol"])] = row

    def _draw(self) -> Group:
        return Group(
            Panel(self._positions(), title="Positions", subtitle=_addresses(self._ready)),
            Panel(_why(self._decision), title="Last decision, and why"),
            Panel(self._trades(), title="Fills"),
            Panel(Text("\n").join(map(_line, self._news)) if self._news else Text("nothing yet"), title="News"),
        )

    def _positions(self) -> Table:
        table = Table(expand=True, box=None)
        for name in ("symbol", "mark", "position", "entry", "stop", "target", "unrealised", "net", "bare now", "worst"):
            table.add_column(name, justify="left" if name == "symbol" else "right", no_wrap=True)
        for symbol, row in self._rows.items():
            qty = Decimal(row["qty"])
            stop, target = row.get("stop"), row.get("target")
            net = Decimal(row["realized_pnl"]) - Decimal(row["fees"])
            bare_ms = int(row["unprotected_ms"])
            table.add_row(
                symbol,
                str(row.get("mark_price") or "-"),
                Text(text(qty) if qty else "flat", style="" if not qty else "green" if qty > 0 else "red"),
                str(row.get("entry_price") or "-"),
                _resting(stop, missing="MISSING" if qty else "-"),
                _resting(target, missing="-"),
                str(row.get("unrealized_pnl")),
                text(net.quantize(_CENT)),
                Text(f"{bare_ms / 1000:.3f} s", style="red" if bare_ms else ""),
                f"{int(row['max_unprotected_ms']) / 1000:.3f} s",
            )
        return table

    def _trades(self) -> Table:
        table = Table(expand=True, box=None)
        for name in ("time", "symbol", "side", "qty", "price", "fee", "realised", "order"):
            table.add_column(name, justify="right" if name in ("qty", "price", "fee", "realised") else "left")
        for fill in self._fills:
            table.add_row(
                _clock(fill), *(str(fill.get(part)) for part in ("symbol", "side", "qty", "price", "fee")),
                str(fill.get("realized_pnl")), str(fill.get("client_order_id")),
            )  # fmt: skip
        return table


def _resting(leg: Mapping[str, Any] | None, *, missing: str) -> Text:
    if leg is None:
        return Text(missing, style="bold red" if missing == "MISSING" else "")
    return Text(f"{leg['price']} x {leg['qty']}")


def _why(decision: Event | None) -> Text:
    if decision is None:
        return Text("none yet")
    word = str(decision.get("decision"))
    style = {"open": "bold green", "error": "bold red"}.get(word, "yellow")
    return Text.assemble(f"{_clock(decision)} {decision.get('symbol')} ", (word, style), f"  {decision.get('reason')}")


def _line(event: Event) -> Text:
    match event["event"]:
        case "closed":
            words = f"closed {event['symbol']}: {event['pnl_usdt']} USDT after fees (position {event['closed']})"
        case "executed":
            words = (
                f"{event['side']} {event['symbol']} {event['status']}: {event['filled_qty']} at {event['avg_price']}"
            )
        case _:
            words = f"{event.get('severity', event['event'])} {event.get('code', '')}: {event.get('text')}"
    return Text(f"{_clock(event)} {words}")


def _clock(event: Event) -> str:
    at_ms = event.get("at_ms")
    return "" if at_ms is None else f"{datetime.fromtimestamp(int(at_ms) // 1000, UTC):%H:%M:%S}"


def _addresses(event: Event) -> str:
    if "stage" in event:
        return f"{event['stage']}, speed {event['speed']}"
    return "  ".join(f"{name} {event[name]}" for name in ("console", "s3", "s4", "simulator") if name in event)
