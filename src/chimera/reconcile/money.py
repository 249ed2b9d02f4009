"""Where the account's money went: the venue's wallet, its list of movements, and our trades, against each other.

Two comparisons. Between two moments the wallet must have changed by the sum of the movements dated between them; and
every movement that names a trade of a symbol of ours must be a trade that we have counted, with the same fee and
result, and the other way round. Lists lag and a trade may fall between two questions, so a moment is judged one look
later, and only when nothing moved around it; a difference counts once it has stayed. The cash ledger itself (double
entry, kept for years) is ``reconcile.cash``'s and ``reconcile.balances``'.

Amounts are signed, above zero when received; moments are of the venue's clock.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from chimera.reconcile.cash import OF_TRADES
from chimera.trading.fill import Fill
from chimera.trading.ids import Symbol, TradeId
from chimera.trading.instrument import DOLLARS
from chimera.trading.money import DAY_MS, ZERO, Millis, text
from chimera.trading.value import Value
from chimera.trading.venue import Income

TOLERANCE: Final = Decimal("0.01")  # quote asset
MARGIN_MS: Final = 2_000  # around a reading of the wallet in which nothing may have moved
SETTLED_MS: Final = 120_000  # a movement younger than this may not be listed, or not be counted by us, yet
AGREED_MS: Final = 3_600_000  # an account that is never still for so long begins anew, to keep the lists short
LOOKS: Final = 2  # in a row that a difference must stay

# What a day brings or takes beside its trades; the second since 2026-09-10, the last what a liquidation costs.
UNTRADED: Final = ("FUNDING_FEE", "SPECIAL_FUNDING_FEE", "INSURANCE_CLEAR")


TradeKey = tuple[Symbol, TradeId]


class Reading(Value):
    """The wallet in quote asset, asked at a moment of the venue's clock."""

    wallet: Decimal
    at_ms: Millis


class Drift(Value):
    """Money that the two sides explain differently: by how much, and the sentence with all numbers."""

    amount: Decimal
    text: str
    symbol: Symbol | None = None  # of a trade


class Cash(Value):
    """What is agreed on so far, the reading to be judged next, and how often in a row it did not come out."""

    agreed: Reading | None = None
    latest: Reading | None = None
    misses: int = 0


def since_ms(cash: Cash, settled_ms: Millis) -> Millis:
    """From when on movements must be asked for; every trade up to ``settled_ms`` has been judged."""
    readings = [reading.at_ms for reading in (cash.agreed, cash.latest) if reading is not None]
    return Millis(min([settled_ms, *readings]) - MARGIN_MS)


def look(cash: Cash, now: Reading, rows: Iterable[Income], quote: str) -> tuple[Cash, Drift | None]:
    """Judge the previous reading by rows asked for after it; ``now`` is judged next time."""
    moves = [row for row in rows if row.asset == quote]
    judged, waiting = cash.latest, cash.but(latest=now)
    if judged is None:
        return waiting, None
    if not _still(moves, judged.at_ms):
        given_up = cash.agreed is not None and judged.at_ms - cash.agreed.at_ms > AGREED_MS
        return (waiting.but(agreed=None, misses=0) if given_up else waiting), None
    if cash.agreed is None:
        return waiting.but(agreed=judged, misses=0), None
    start, end = cash.agreed.at_ms, judged.at_ms
    listed = sum((row.amount for row in moves if start < row.at_ms <= end), ZERO)
    changed = judged.wallet - cash.agreed.wallet
    if abs(changed - listed) <= TOLERANCE:
        return waiting.but(agreed=judged, misses=0), None
    if cash.misses + 1 < LOOKS:
        return waiting.but(misses=cash.misses + 1), None
    told = (
        f"the wallet went from {text(cash.agreed.wallet)} to {text(judged.wallet)} {quote} ({text(changed)}) while the"
        f" venue lists {text(listed)}: {text(changed - listed)} is unexplained"
    )
    return waiting.but(agreed=judged, misses=0), Drift(amount=changed - listed, text=told)


def _still(moves: Iterable[Income], at_ms: Millis) -> bool:
    """Whether nothing moved around that moment, so that it is known on which side of it everything lies."""
    return all(abs(row.at_ms - at_ms) > MARGIN_MS for row in moves)


def untold(
    rows: Iterable[Income],
    counted: Mapping[TradeKey, Fill],
    symbols: Iterable[Symbol],
    *,
    after_ms: Millis,
    to_ms: Millis,
) -> tuple[Drift, ...]:
    """Trades later than ``after_ms``, up to ``to_ms``, that the two sides tell differently.

    ``counted``: trades that we counted. The venue lists no row where fee or result is zero.
    """
    ours = set(symbols)
    listed: dict[TradeKey, dict[str, Decimal]] = {}
    for row in rows:
        if row.trade_id is None or row.symbol is None or row.kind not in OF_TRADES or row.symbol not in ours:
            continue
        if after_ms < row.at_ms <= to_ms:
            amounts = listed.setdefault((row.symbol, row.trade_id), {})
            amounts[row.kind] = amounts.get(row.kind, ZERO) + row.amount
    found = []
    for key, amounts in listed.items():
        drift = _difference(key, amounts, counted.get(key))
        if drift is not None:
            found.append(drift)
    for key, fill in counted.items():
        if key not in listed and after_ms < fill.at_ms <= to_ms and (fill.fee or fill.realized_pnl):
            net = fill.realized_pnl - fill.fee
            told = f"trade {key[1]} of {key[0]} was counted and is not in the income"
            found.append(Drift(amount=-net, text=told, symbol=key[0]))
    return tuple(found)


def _difference(key: TradeKey, amounts: Mapping[str, Decimal], fill: Fill | None) -> Drift | None:
    total = sum(amounts.values(), ZERO)
    named = f"trade {key[1]} of {key[0]}"
    if fill is None:
        told = f"{named} is in the income ({text(total)}) and was never counted"
        return Drift(amount=total, text=told, symbol=key[0])
    for kind, ours in (("REALIZED_PNL", fill.realized_pnl), ("COMMISSION", -fill.fee)):
        apart = amounts.get(kind, ZERO) - ours
        if abs(apart) > TOLERANCE:
            told = f"{named}: {kind} is {text(amounts.get(kind, ZERO))} by the venue's income, {text(ours)} by ours"
            return Drift(amount=apart, text=told, symbol=key[0])
    return None


def untraded_today(rows: Iterable[Income], now_ms: Millis) -> dict[Symbol | None, Decimal]:
    """Funding and the like since UTC midnight in dollars, by symbol; None: it names none. Each row once by its id."""
    once = {row.id: row for row in rows if row.kind in UNTRADED and row.asset in DOLLARS}
    sums: dict[Symbol | None, Decimal] = {}
    for row in once.values():
        if row.at_ms // DAY_MS == now_ms // DAY_MS:
            sums[row.symbol] = sums.get(row.symbol, ZERO) + row.amount
    return sums


def midnight_ms(now_ms: Millis) -> Millis:
    """The last UTC midnight."""
    return Millis(now_ms - now_ms % DAY_MS)
