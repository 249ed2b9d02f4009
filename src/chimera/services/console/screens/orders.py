"""Orders at the venue: what is in doubt first, then what still works, then the newest that are over."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from chimera.services.console.acting.kill import ENTERS
from chimera.services.console.acting.survey import SURVEY
from chimera.services.console.rows import OrderRow
from chimera.services.console.screen import Badge, Group, Screen, Section, Shown
from chimera.services.console.seen import Seen
from chimera.services.console.verdicts import Tone
from chimera.trading.order import FINAL

ROWS: Final = 60
STATES: Final = ("", "working", "over")


@dataclass(frozen=True)
class Listed:
    """A child order, and the decision that it comes of where that is among the newest."""

    order: OrderRow
    signal_id: str

    @property
    def is_over(self) -> bool:
        return self.order.status in FINAL

    @property
    def enters(self) -> bool:
        return self.order.role in ENTERS


def _orders(shown: Shown) -> Mapping[str, object]:
    asked = shown.params.get("state", "")
    decided = {row.intent_id: row.signal_id for row in shown.seen.decisions if row.intent_id}
    rows = sorted((order for order in shown.seen.orders.values() if _wanted(order, asked)), key=_rank)[:ROWS]
    listed = tuple(Listed(order, decided.get(order.intent_id or "", "")) for order in rows)
    return {"orders": listed, "state": asked, "states": STATES}


def _wanted(order: OrderRow, asked: str) -> bool:
    return asked not in STATES[1:] or (order.status in FINAL) is (asked == "over")


def _rank(order: OrderRow) -> tuple[int, int, int]:
    return (0 if order.status == "IN_DOUBT" else 1 if order.status not in FINAL else 2, -order.at_ms, -order.seq)


def _badge(seen: Seen) -> Badge | None:
    doubts = sum(order.status == "IN_DOUBT" for order in seen.orders.values())
    return Badge(text=str(doubts), tone=Tone.CAUTION) if doubts else None


SCREEN: Final = Screen(
    name="orders",
    title="Orders",
    path="/orders",
    key="o",
    says="What was sent to the venue, and what became of it.",
    group=Group.NOW,
    thumb=True,
    asks=("state",),
    badge=_badge,
    acts=(SURVEY,),
    sections=(Section("orders", "Orders at the venue", reads=("orders", "decisions"), content=_orders),),
)
