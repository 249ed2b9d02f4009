"""Replays of routing as a terminal's table and as CSV; one of an order as lines."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

COLUMNS: Final = (
    *("capture", "way", "queue", "latency_ms", "intents", "cost_bps", "cost_low", "cost_high"),
    *("saving_bps", "saving_bps_low", "saving_bps_high"),
    *("saving_share", "saving_share_low", "saving_share_high", "saving_share_lower95"),
    *("of_possible", "maker_share", "took_ms", "took_p95_ms", "orders", "gave_up"),
)


def lines(reports: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A table for each capture; what varies from the first assumption is told in its own block."""
    for report in reports:
        yield (
            f"{report['capture']}  {report['symbol']} {report['market']}  maker {report['maker_bps']:f} bps, taker "
            f"{report['taker_bps']:f} bps  seed {report['seed']}, blocks of {report['block_s']} s"
        )
        yield (
            f"  {'way':<24}{'cost bps':>9}  {'saving, 95 % interval':<26}{'possible':>9}{'maker':>7}{'took s':>8}"
            f"{'p95 s':>7}{'orders':>8}"
        )
        shown = ("", 0)
        for row in report["ways"]:
            if (row.queue, row.latency_ms) != shown:
                shown = (row.queue, row.latency_ms)
                yield f"  -- queue {row.queue}, {row.latency_ms} ms each way, {row.intents} intents"
            yield (
                f"  {row.way:<24}{row.cost_bps.mean:>9.3f}  {_interval(row.saving_share):<26}"
                f"{_share(row.of_possible):>9}"
                f"{row.maker_share:>7.0%}{row.took_ms / 1000:>8.1f}{row.took_p95_ms / 1000:>7.1f}{row.orders:>8.1f}"
            )
        yield ""


def csv_lines(reports: Sequence[Mapping[str, Any]]) -> str:
    """A header and a line for each way; empty where nothing is known. No value holds a comma but a file's name may."""
    told = [",".join(COLUMNS)]
    for report in reports:
        name = '"' + str(report["capture"]).replace('"', '""') + '"'
        for row in report["ways"]:
            cells = [name, row.way, row.queue, row.latency_ms, row.intents]
            for estimate in (row.cost_bps, row.saving_bps, row.saving_share):
                cells += [estimate.mean, estimate.low, estimate.high]
            cells += [
                row.saving_share.lower95,
                row.of_possible,
                row.maker_share,
                row.took_ms,
                row.took_p95_ms,
                row.orders,
                row.gave_up,
            ]
            told.append(",".join("" if cell is None else str(cell) for cell in cells))
    return "\n".join(told) + "\n"


def _interval(found: Any) -> str:
    if found.low is None:
        return f"{found.mean:.1%} [?]"
    return f"{found.mean:.1%} [{found.low:.1%}, {found.high:.1%}]"


def _share(value: float | None) -> str:
    return "?" if value is None else f"{value:.2f}"


# ── one order ──


def order_lines(told: Mapping[str, Any], *, steps: bool = False) -> Iterator[str]:
    """What it came to, then each way; ``steps``: also what became of each order of each way."""
    from chimera.wire.cash import moment

    order, was = told["order"], told["was"]
    yield (
        f"{order['client_order_id']}  {order['side']} {order['qty']} {order['symbol']} {order['market']}  accepted "
        f"{moment(int(order['accepted_ms']))}, {order['status']}"
    )
    yield from (f"  why: {line}" for line in order["why"])
    if was is not None:
        took = "?" if was["took_ms"] is None else f"{int(was['took_ms']) / 1000:.1f}"
        yield (
            f"  it came to {_cost(was['cost'])}{_of_a_part(was, order)}, {_percent(was['maker_share'])} as maker, "
            f"{took} s, {was['orders']} orders; the mid was {told['mid']}, "
            f"{told['mid_at_send'] or '?'} at its first sending"
        )
    if told["at_once"] is not None:
        yield f"  all of it at once, from the levels kept of its first sending: {_cost(told['at_once'])}"
    yield from (f"  {what}" for what in told["left_out"])
    if told["missing"]:
        yield f"  in other ways: not known, {told['missing']}"
        return
    yield f"  on {told['recording']['capture']}, maker {told['maker_bps']} bps, taker {told['taker_bps']} bps"
    yield f"  {'way':<24}{'queue':<9}{'cost bps':>10}{'price':>10}{'fees':>9}{'maker':>8}{'took s':>8}{'orders':>8}"
    for row in told["ways"]:
        whole, price, fees = (row["cost"][part] or "?" for part in ("cost_bps", "price_bps", "fees_bps"))
        yield (
            f"  {row['way']:<24}{row['queue']:<9}{whole:>10}{price:>10}{fees:>9}"
            f"{_percent(row['maker_share']):>8}{int(row['took_ms']) / 1000:>8.1f}{row['orders']:>8}{_ended(row)}"
        )
        if steps:
            yield from (f"      why: {line}" for line in row["why"])
            yield from (f"    {int(step['after_ms']):>7} ms  {step['what']}" for step in row["steps"])


def _of_a_part(was: Mapping[str, Any], order: Mapping[str, Any]) -> str:
    """The ways beside it trade all of it."""
    filled, qty = was["filled_qty"], order["qty"]
    return "" if Decimal(filled) == Decimal(qty) else f" for the {filled} of {qty} that filled"


def _cost(cost: Mapping[str, Any]) -> str:
    return f"{cost['cost_bps'] or '?'} bps (price {cost['price_bps']}, fees {cost['fees_bps'] or '?'})"


def _percent(share: Any) -> str:
    return f"{float(share):.0%}"


def _ended(row: Mapping[str, Any]) -> str:
    from chimera.backtest.trials import CUT_SHORT

    if row["reason"] == CUT_SHORT:
        return "  the recording ended before it"
    return "" if float(row["left"]) == 0 else f"  gave up {row['left']}: {row['reason']}"
