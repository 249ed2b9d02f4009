"""Draw ``docs/order-life.md`` from the transition table itself (``make docs``); a test keeps the page current."""

import sys
from collections import defaultdict
from pathlib import Path

from chimera.trading.order import FINAL, TRANSITIONS, Status, Trigger

PAGE = Path(__file__).resolve().parents[1] / "docs" / "order-life.md"
INTRO = """# The life of an order

Drawn by `tools/order_life.py` from `TRANSITIONS` in `src/chimera/trading/order.py`; do not edit. The table is the
machine: a pair of status and trigger that is not in it raises `IllegalTransition`, and the order is asked for at the
venue instead of patched.

Four rules explain most rows:

- An answer that does not come proves nothing. The order is `IN_DOUBT`, and counts in full, until the venue has been
  asked. Only a question asked after the last moment at which the request could still be accepted proves it dead.
- After a restart whatever was pending is `IN_DOUBT`. There is no other recovery path.
- A proven fill outranks every other word: it counts after `CANCELED`, after `EXPIRED`, and even after our own proof of
  death turned out wrong.
- Quantities are not here. They are sums over trades, kept once per trade id.

What callers see is narrower: NEW, ACCEPTED, PARTIALLY_FILLED, FILLED, CANCELED, REJECTED (`wire/results.py`).

"""


def diagram() -> str:
    """Mermaid; rows that stay where they are, and late news after the end, are left to the table."""
    labels: dict[tuple[Status, Status], list[str]] = defaultdict(list)
    for (status, trigger), following in TRANSITIONS.items():
        if following is not status and status not in FINAL:
            labels[status, following].append(trigger.value)
    lines = ["stateDiagram-v2", "    [*] --> PENDING_NEW"]
    lines += [f"    {one} --> {two}: {', '.join(triggers)}" for (one, two), triggers in labels.items()]
    lines += [f"    {status} --> [*]" for status in Status if status in FINAL]
    return "```mermaid\n" + "\n".join(lines) + "\n```\n"


def table() -> str:
    """Triggers down, statuses across. An empty cell is an illegal pair; ``=`` stays."""

    def cell(status: Status, trigger: Trigger) -> str:
        following = TRANSITIONS.get((status, trigger))
        return "" if following is None else "=" if following is status else following.value

    head = ["trigger \\ status", *(status.value for status in Status)]
    rows = [[trigger.value, *(cell(status, trigger) for status in Status)] for trigger in Trigger]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]) + "\n"


def page() -> str:
    count = f"{len(TRANSITIONS)} of {len(Status) * len(Trigger)} pairs are legal."
    return f"{INTRO}{diagram()}\nEvery pair: `=` stays where it is, an empty cell is illegal. {count}\n\n{table()}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.exit(0)
