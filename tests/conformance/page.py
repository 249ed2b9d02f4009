"""The conformance table: what one run of the tests found, as ``docs/conformance.md``."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from operations import NO_METHOD, REFUSED, SPOT, USDM, WORKS

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "conformance.md"
LIBRARIES: Final = {
    "Binance SDK": ("binance-sdk-derivatives-trading-usds-futures", "binance-sdk-spot", "binance-sdk-wallet"),
    "ccxt": ("ccxt",),
    "python-binance": ("python-binance",),
}
_CELLS: Final = {WORKS: "works", REFUSED: "refused", NO_METHOD: "none"}


@dataclass(frozen=True)
class Verdict:
    """What one client found of one operation; ``note`` says why a library cannot."""

    verdict: str
    note: str = ""


Verdicts = Mapping[tuple[str, str], Verdict]  # by operation and client


def drawn(verdicts: Verdicts) -> str:
    """The page."""
    lines = [
        "# Conformance: other people's clients on the simulated exchange",
        "",
        "Drawn by `tools/conformance_page.py` from a run of `tests/conformance`; do not edit. Each cell is one test: a",
        "real library trades on a venue of its own over HTTP and WebSockets, with nothing changed but its base URLs",
        "(ccxt is told what to load, too: [how](simulator.md#test-your-own-bot-against-it)), and what it was told is",
        "held against the venue's own state.",
        "",
        "- **works**: the library's answer and the venue's state agree.",
        "- **refused**: the venue says no with Binance's code, the library reports that code, and nothing happened.",
        "- **none**: the library has no such method; the number says why.",
        "",
        "| Library | Packages | Kind |",
        "| --- | --- | --- |",
        *(f"| {name} | {_packages(name)} | {kind} |" for name, kind in _KINDS.items()),
    ]
    notes: dict[str, int] = {}
    for register in (USDM, SPOT):
        lines += ["", f"## {register.market}", "", f"| Operation | {' | '.join(LIBRARIES)} |"]
        lines.append(f"| --- |{' --- |' * len(LIBRARIES)}")
        for operation in register.operations:
            cells = [_cell(verdicts[operation.name, client], notes) for client in LIBRARIES]
            lines.append(f"| {operation.title} | {' | '.join(cells)} |")
    lines += ["", "## Why not", "", *(f"{number}. {note}" for note, number in notes.items())]
    return "\n".join(lines) + "\n"


_KINDS: Final = {
    "Binance SDK": "Binance's own, synchronous; every answer must fit Binance's generated models",
    "ccxt": "asynchronous, with its WebSocket side; unified calls, raw ones where it has no other",
    "python-binance": "asynchronous, with its socket manager; hands Binance's fields through",
}


def _packages(client: str) -> str:
    return ", ".join(f"`{package}` {version(package)}" for package in LIBRARIES[client])


def _cell(found: Verdict, notes: dict[str, int]) -> str:
    cell = _CELLS[found.verdict]
    return f"{cell} ({notes.setdefault(found.note, len(notes) + 1)})" if found.note else cell
