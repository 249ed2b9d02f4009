"""The best way to trade an admitted intent: its slices, its waits, and why. Immutable once made."""

from decimal import Decimal

from chimera.trading.execution import Plan
from chimera.trading.instrument import Instrument
from chimera.trading.intent import Intent, MakerThenTaker, MarketNow
from chimera.trading.money import Millis, Price, Qty, Quote, split
from chimera.trading.routes import RouteTable
from chimera.trading.value import Value


class RoutePolicy(Value):
    """Caps on whatever table and caller ask for."""

    maker_max_wait_ms: int = 3000
    twap_max_slices: int = 4
    patience_ms: int = 10_000  # beyond the schedule


def plan_for(
    intent: Intent, table: RouteTable, instrument: Instrument, price: Price, policy: RoutePolicy, now_ms: Millis
) -> Plan:
    """The caller's own policy wins over the table; both are capped. ``intent.qty`` is a multiple of the step.

    Slices that the venue's minimum would refuse are merged: fewer, larger, still summing to exactly the quantity.
    """
    match intent.policy:
        case MarketNow():
            wait, slices, gap, why = 0, 1, 0, ["policy MARKET: take at once"]
        case MakerThenTaker() as asked:
            wait, slices, gap, why = _maker_then_taker(intent, asked, table, price)
    if wait > policy.maker_max_wait_ms:
        why.append(f"maker_wait_ms {wait} capped to {policy.maker_max_wait_ms}")
        wait = policy.maker_max_wait_ms
    if slices > policy.twap_max_slices:
        why.append(f"slices {slices} capped to {policy.twap_max_slices}")
        slices = policy.twap_max_slices
    fits = _legal_slices(intent, slices, instrument, price)
    if fits < slices:
        why.append(f"slices {slices} merged to {fits}: each must reach the venue's minimum")
    if fits > 1 and wait > gap:
        why.append(f"maker_wait_ms {wait} cut to the gap {gap}")
        wait = gap
    deadline = Millis(now_ms + (fits - 1) * gap + wait + policy.patience_ms)
    if intent.valid_until_ms is not None and intent.valid_until_ms < deadline:
        deadline = intent.valid_until_ms
    return Plan(
        slices=split(intent.qty, [Decimal(1)] * fits, instrument.step),
        gap_ms=gap,
        maker_wait_ms=wait,
        deadline_ms=deadline,
        why=tuple(why),
    )


def _maker_then_taker(
    intent: Intent, asked: MakerThenTaker, table: RouteTable, price: Price
) -> tuple[int, int, int, list[str]]:
    notional = Quote(intent.qty * price)
    row = table.row_for(notional)
    why = [f"route table rev {table.rev}: notional {notional:.2f} falls under {row.notional_usdt_max}"]
    named = {"maker_wait_ms": asked.wait_ms, "twap.slices": asked.slices, "twap.gap_ms": asked.gap_ms}
    given = [name for name, value in named.items() if value is not None]
    if given:
        why.append(f"the request's own {', '.join(given)} wins")
    wait = row.maker_wait_ms if asked.wait_ms is None else asked.wait_ms
    slices = row.twap.slices if asked.slices is None else asked.slices
    gap = row.twap.gap_ms if asked.gap_ms is None else asked.gap_ms
    return wait, slices, gap, why


def _legal_slices(intent: Intent, slices: int, instrument: Instrument, price: Price) -> int:
    """The largest number up to ``slices`` whose smallest part is a legal order."""
    for count in range(slices, 1, -1):
        smallest = min(split(intent.qty, [Decimal(1)] * count, instrument.step))
        if smallest >= instrument.min_qty and (intent.reduce_only or Qty(smallest) * price >= instrument.min_notional):
            return count
    return 1
