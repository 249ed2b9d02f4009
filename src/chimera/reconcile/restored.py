"""Whether a ledger that was put back has caught up with the venue: what the venue shows since then, against ours.

Nothing is mended here. The owners hear the venue by the one path there is; this only says what is still between them.
It compares both ways: a trade of the venue's that the ledger lacks, and one of the ledger's that the venue does not
show, such as one inferred because no trade explained the position, or a trade of another account.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from chimera.reconcile.survey import compare
from chimera.trading.execution import Phase
from chimera.trading.fill import Fill
from chimera.trading.holding import Holding
from chimera.trading.ids import ClientOrderId, TradeId, child_of
from chimera.trading.market import Market
from chimera.trading.money import Millis
from chimera.trading.order import Status
from chimera.trading.venue import VenueOrder, VenueSnapshot

BY: Final = "LEDGER_RESTORED"
INFERRED: Final = "inferred-"  # begins the id of a trade that stands for a difference (``execute.believing``)
_OPEN_QUESTIONS: Final = (Status.PENDING_NEW, Status.PENDING_CANCEL, Status.IN_DOUBT)


def ours(trades: Iterable[Fill], market: Market) -> tuple[Fill, ...]:
    """Those that move our lots: on spot what others trade with the key is the user's own."""
    return tuple(trade for trade in trades if market.reduces_only or child_of(trade.ref) is not None)


def spent(placed: Iterable[VenueOrder]) -> tuple[ClientOrderId, ...]:
    """What the ids of our orders begin with: names that were given out, and are not to be given again."""
    children = (child_of(order.ref) for order in placed)
    return tuple(sorted({child[0] for child in children if child is not None}))


def first_known_ms(rows: Sequence[Mapping[str, Any]], backup_ms: Millis) -> Millis:
    """The moment of the newest trade that was on record when the copy was made: the venue has to show that one, too."""
    known = [int(row["at_ms"]) for row in rows if int(row["at_ms"]) < backup_ms and not _inferred(row)]
    return Millis(max(known, default=int(backup_ms)))


def unheard(holding: Holding) -> str | None:
    """What of the holding the venue has not answered yet."""
    working = (name for name, work in holding.intents.items() if work.phase is Phase.WORKING)
    doubted = (ref for ref, each in holding.orders.items() if each.status in _OPEN_QUESTIONS or each.owed)
    for name in (*working, *doubted):
        return f"{holding.key.symbol}: {name} is still being asked for"
    return None


def disagreement(
    holding: Holding,
    snapshot: VenueSnapshot,
    recorded: Mapping[TradeId, Mapping[str, Any] | None],
    newest: Sequence[Mapping[str, Any]],
    backup_ms: Millis,
) -> str | None:
    """The first difference, in a sentence; None: they agree.

    ``recorded``: the ledger's row of each trade of the snapshot that is ours; ``newest``: its newest rows.
    """
    symbol, trades = holding.key.symbol, ours(snapshot.trades, holding.key.market)
    for trade in trades:
        row = recorded.get(trade.trade_id)
        if row is None:
            return f"{symbol}: trade {trade.trade_id} of {trade.ref} is not in the ledger"
        if (Decimal(str(row["qty"])), Decimal(str(row["price"]))) != (trade.qty, trade.price):
            return f"{symbol}: trade {trade.trade_id} is {trade.qty} at {trade.price}, in the ledger it is another"
    shown = {trade.trade_id for trade in trades}
    for row in newest:
        before = int(row["at_ms"]) < (backup_ms if _inferred(row) else snapshot.trades_since_ms)
        if not before and row["trade_id"] not in shown:
            return f"{symbol}: the ledger has trade {row['trade_id']}, which the venue does not show"
    gap = compare(holding, snapshot).gap
    if gap:
        return f"{symbol}: the venue holds {gap:+f} more than the ledger, and no trade explains it"
    return None


def _inferred(row: Mapping[str, Any]) -> bool:
    return str(row["trade_id"]).startswith(INFERRED)
