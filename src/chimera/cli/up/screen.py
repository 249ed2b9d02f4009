"""The live view: market, last decision and why, each position with stop and target, fills, profit, bare time.

It shows what the session tells and nothing else; drawing happens at most a few times a second. Where the table of
positions does not fit, they come in lines.
"""

import sys
import termios
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
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
WIDE: Final = 118  # columns that the table of positions needs
HIGH: Final = 32  # lines that everything needs; a lower terminal gets the newest of each list
FEWER: Final = 3
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
        self._routers: Event = {}
        self._leaving = ExitStack()
        self._live = Live(get_renderable=self.picture, console=self._console, refresh_per_second=PER_S, transient=True)

    def __enter__(self) -> Self:
        with ExitStack() as entered:
            entered.enter_context(_caret_c_unseen())
            self._live.start()
            self._leaving = entered.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._live.stop()
        self._leaving.close()

    def tell(self, event: Event) -> None:
        match event["event"]:
            case "ready":
                self._ready = event
                self._live.console.print("Chimera is up: " + _addresses(event))
            case "decision":
                self._decision = event
            case "fill":
                self._fills.append(event)
            case "routers":
                self._routers = event
            case "closed" | "alert" | "executed" | "violation" | "take_over":
                self._news.append(event)
            case "summary":
                self._live.stop()
                self._console.print_json(data=event)

    def look(self, row: Mapping[str, Any]) -> None:
        name = _named(row)
        if Decimal(row["qty"]) or name in self._rows or not name.endswith(" spot"):
            self._rows[name] = row

    def picture(self) -> Group:
        wide, least = self._console.width >= WIDE, 0 if self._console.height >= HIGH else -FEWER
        positions = self._positions() if wide else Text("\n").join(map(_in_lines, self._rows.values()))
        news = [_line(event) for event in list(self._news)[least:]]
        routers = [Panel(_standings(self._routers), title="Routers")] if self._routers else []
        return Group(
            *routers,
            Panel(positions, title="Positions", subtitle=_addresses(self._ready) if wide else None),
            Panel(_why(self._decision), title="Last decision, and why"),
            Panel(self._trades(list(self._fills)[least:], wide), title="Fills"),
            Panel(Text("\n").join(news) if news else Text("nothing yet"), title="News"),
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
                Text(text(qty) if qty else "flat", style=_tone(qty)),
                str(row.get("entry_price") or "-"),
                _resting(stop, missing="MISSING" if qty else "-"),
                _resting(target, missing="-"),
                str(row.get("unrealized_pnl")),
                text(net.quantize(_CENT)),
                Text(f"{bare_ms / 1000:.3f} s", style="red" if bare_ms else ""),
                f"{int(row['max_unprotected_ms']) / 1000:.3f} s",
            )
        return table

    @staticmethod
    def _trades(fills: list[Event], wide: bool) -> Table:
        table = Table(expand=True, box=None)
        for name in ("time", "symbol", "side", "qty", "price", "fee", "realised", "order")[: 8 if wide else 7]:
            table.add_column(name, justify="right" if name in ("qty", "price", "fee", "realised") else "left")
        for fill in fills:
            parts = ("symbol", "side", "qty", "price", "fee", "realized_pnl", "client_order_id")[: 7 if wide else 6]
            table.add_row(_clock(fill), *(str(fill.get(part)) for part in parts))
        return table


@contextmanager
def _caret_c_unseen() -> Iterator[None]:
    """Ctrl-C does its work without ``^C`` in the picture, which would then be wiped one line short."""
    if not sys.stdin.isatty():
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    quiet = list(before)
    quiet[3] &= ~termios.ECHOCTL
    termios.tcsetattr(sys.stdin, termios.TCSADRAIN, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _named(row: Mapping[str, Any]) -> str:
    return f"{row['symbol']} spot" if row.get("market") == "SPOT" else str(row["symbol"])


def _in_lines(row: Mapping[str, Any]) -> Text:
    """A position in three lines of less than 80 columns."""
    qty = Decimal(row["qty"])
    stop, target = (
        _resting(row.get("stop"), missing="MISSING" if qty else "-"),
        _resting(row.get("target"), missing="-"),
    )
    bare_ms, worst_ms = int(row["unprotected_ms"]), int(row["max_unprotected_ms"])
    net = text((Decimal(row["realized_pnl"]) - Decimal(row["fees"])).quantize(_CENT))
    held = Text(f"{text(qty)} at {row.get('entry_price')}" if qty else "flat", style=_tone(qty))
    bare = Text(f"{bare_ms / 1000:.3f} s", style="red" if bare_ms else "")
    return Text.assemble(
        f"{_named(row)}  ", held, f"  mark {row.get('mark_price') or '-'}\nstop ", stop, "  target ", target,
        f"\nunrealised {row.get('unrealized_pnl')}  net {net}  bare now ", bare, f", worst {worst_ms / 1000:.3f} s",
    )  # fmt: skip


def _tone(qty: Decimal) -> str:
    return "" if not qty else "green" if qty > 0 else "red"


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
            became = f"{event['filled_qty']} at {event['avg_price']}" if event["avg_price"] else event["message"]
            words = f"{event['side']} {event['symbol']} {event['status']}: {became or 'nothing filled'}"
        case "take_over":
            words = f"TAKE-OVER {event['text']}"
        case _:
            words = f"{event.get('severity', event['event'])} {event.get('code', '')}: {event.get('text')}"
    return Text(f"{_clock(event)} {words}")


def _standings(event: Event) -> Text:
    """Who acts, who stands by, who is away."""
    styles = {"acts": "bold green", "stands by": ""}
    parts: list[Text] = []
    for row in event["routers"]:
        at = "" if row["pid"] is None else f" (pid {row['pid']})"
        parts.append(Text.assemble(f"{row['name']} ", (row["is"], styles.get(row["is"], "bold red")), at))
    return Text("   ").join(parts)


def _clock(event: Event) -> str:
    at_ms = event.get("at_ms")
    return "" if at_ms is None else f"{datetime.fromtimestamp(int(at_ms) // 1000, UTC):%H:%M:%S}"


def _addresses(event: Event) -> str:
    if "stage" in event:
        return f"{event['stage']}, speed {event['speed']}"
    return "  ".join(f"{name} {event[name]}" for name in ("console", "s3", "s4", "simulator") if name in event)
