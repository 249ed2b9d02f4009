"""Draw the tables of ``docs/faults.md`` from the catalogue (``make docs``); a test keeps them current.

The words around the tables are written by hand and stay; what stands between the marks is drawn.
"""

import sys
from pathlib import Path

from chimera.simulate.trouble.catalogue import CATALOGUE
from chimera.simulate.trouble.entry import Entry, On, Param

PAGE = Path(__file__).resolve().parents[1] / "docs" / "faults.md"
BEGIN = "<!-- drawn by tools/faults_page.py from src/chimera/simulate/trouble/catalogue.py; do not edit -->\n"
END = "<!-- end of what is drawn -->\n"
HEADINGS = {
    On.REQUEST: "On requests",
    On.FRAME: "On stream frames",
    On.CONDITIONAL: "On conditional orders that trigger",
    On.ACCOUNT: "On accounts",
    On.SYMBOL: "On symbols",
    On.CLOCK: "On the clock",
    On.CONNECTION: "On stream connections",
    On.JOURNAL: "On the simulator's own files",
}


def tables() -> str:
    """One table for each thing that faults act on."""
    return "\n".join(_section(on, [entry for entry in CATALOGUE.values() if entry.on is on]) for on in On)


def _section(on: On, entries: list[Entry]) -> str:
    aims = ", ".join(f"`{aim}`" for aim in on.aims) or "nothing: it strikes all"
    rows = [
        ["Fault", "What it does", "Parameters", "What a client sees", "What is documented"],
        ["---"] * 5,
        *([f"`{each.name}`", each.does, _params(each), _cell(each.seen), _cell(each.documented)] for each in entries),
    ]
    lines = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    return f"### {HEADINGS[on]}\n\nAimed by {aims}.\n\n{lines}\n"


def _params(entry: Entry) -> str:
    told = [_param(param) for param in entry.params]
    aimed = [f"{name}=`{_cell(value)}`" for name in entry.on.aims if (value := getattr(entry.match, name))]
    if aimed:
        told.append("unless told otherwise at " + " ".join(aimed))
    if entry.count is not None:
        told.append(f"`count={entry.count}`")
    return "<br>".join(told) or "none"


def _param(param: Param) -> str:
    default = str(param.default).lower() if isinstance(param.default, bool) else str(param.default)
    shown = default if default else '""'
    words = f" ({_cell(param.accepted)})" if param.words else ""
    return f"`{param.name}={shown}` {param.what}{words}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def page() -> str:
    """The page as it stands, its drawn part new."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + "\n" + tables() + "\n" + END + after


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.exit(0)
