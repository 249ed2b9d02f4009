"""What the books say stands where, and whether the venue says the same.

A balance is the sum of postings, nothing else; it is kept as a running sum and can be counted again from the first
entry. Two comparisons, both at a moment that has had time to settle: the wallet by the books against the venue's, and,
by symbol, what trades and the venue's list of movements tell of the same money. A difference that stayed becomes an
entry of its own against ``external``, so that it is told once, and once more the other way round should the missing
news come after all.

Amounts are signed; keys name account, market, place, asset and symbol (empty: none).
"""

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import Final, NamedTuple

from chimera.reconcile.money import TOLERANCE, Reading
from chimera.trading.cash import Account, Entry, Kind, Posting
from chimera.trading.ids import AccountId, Symbol
from chimera.trading.market import Market
from chimera.trading.money import ZERO, Millis, text
from chimera.trading.value import Value

LOOKS: Final = 2  # in a row that trades and movements must tell differently


class Place(NamedTuple):
    """Whose balance."""

    account_id: AccountId
    market: Market
    account: Account
    asset: str
    symbol: str


class Balance(Value, tag=False):
    """One running sum, as it is stored and shown."""

    account_id: AccountId
    market: Market
    account: Account
    asset: str
    symbol: str
    amount: Decimal


Totals = Mapping[Place, Decimal]


def added(totals: Totals, entries: Iterable[Entry]) -> dict[Place, Decimal]:
    """``totals`` with these entries in them."""
    sums = dict(totals)
    for entry in entries:
        for posting in entry.postings:
            place = Place(entry.account_id, entry.market, posting.account, posting.asset, entry.symbol or "")
            sums[place] = sums.get(place, ZERO) + posting.amount
    return sums


def rows_of(totals: Totals) -> tuple[Balance, ...]:
    """In a fixed order, for a store."""
    return tuple(
        Balance(**place._asdict(), amount=amount) for place, amount in sorted(totals.items(), key=lambda each: each[0])
    )


def totals_of(rows: Iterable[Balance]) -> dict[Place, Decimal]:
    """What ``rows_of`` wrote."""
    return {Place(row.account_id, row.market, row.account, row.asset, row.symbol): row.amount for row in rows}


def differing(kept: Totals, counted: Totals) -> tuple[str, ...]:
    """A sentence with both numbers for each balance that is not what its entries sum to."""
    return tuple(
        f"{place.market} {place.account}/{place.asset} {place.symbol}: kept as {text(kept.get(place, ZERO))},"
        f" its entries sum to {text(counted.get(place, ZERO))}"
        for place in sorted({*kept, *counted})
        if kept.get(place, ZERO) != counted.get(place, ZERO)
    )


class Books(Value):
    """The balances of one account on one market up to a moment."""

    account_id: AccountId
    market: Market
    rows: tuple[Balance, ...]

    def sum(self, account: Account, asset: str, symbol: str | None = None) -> Decimal:
        """Of one place; over all symbols where none is named."""
        return sum(
            (
                row.amount
                for row in self.rows
                if row.account is account and row.asset == asset and symbol in (None, row.symbol)
            ),
            ZERO,
        )


def books(totals: Totals, account_id: AccountId, market: Market, *, without: Iterable[Entry] = ()) -> Books:
    """Of one account on one market, less the entries that are younger than the moment in question."""
    young = added({}, without)
    mine = {
        place: amount - young.get(place, ZERO)
        for place, amount in totals.items()
        if (place.account_id, place.market) == (account_id, market)
    }
    return Books(account_id=account_id, market=market, rows=rows_of(mine))


def wallet_difference(kept: Books, seen: Reading, asset: str, *, opened: bool) -> tuple[Entry | None, str]:
    """What makes the wallet by the books the venue's, and the sentence for whoever must know (empty: nobody).

    The first entry of all says what stood there.
    """
    by_books = kept.sum(Account.WALLET, asset)
    difference = seen.wallet - by_books
    if opened and not difference:
        return None, ""
    named = "drift" if opened else "opening"
    parts = (
        Posting(account=Account.WALLET, asset=asset, amount=difference),
        Posting(account=Account.EXTERNAL, asset=asset, amount=-difference),
    )
    entry = Entry(
        id=f"{kept.account_id}:{kept.market}:{named}:{asset}" + (f":{seen.at_ms}" if opened else ""),
        kind=Kind.ADJUSTMENT if opened else Kind.OPENING,
        account_id=kept.account_id,
        market=kept.market,
        at_ms=seen.at_ms,
        postings=tuple(part for part in parts if part.amount),
        note=f"the venue has {text(seen.wallet)} {asset}, the books had {text(by_books)}",
    )
    loud = opened and abs(difference) > TOLERANCE
    told = f"the wallet is {text(seen.wallet)} {asset} at the venue and {text(by_books)} in the books" if loud else ""
    return entry, told


class Unmatched(Value):
    """Money in a symbol's trades that one side tells and the other does not, and in how many looks it was so."""

    symbol: Symbol
    amount: Decimal
    looks: int = 1


def unmatched(kept: Books, before: Iterable[Unmatched], asset: str) -> tuple[Unmatched, ...]:
    """By symbol, with the looks that it has stood at the same amount."""
    known = {each.symbol: each for each in before}
    found = []
    for row in kept.rows:
        if row.account is not Account.TRADES or row.asset != asset or not row.amount:
            continue
        symbol = Symbol(row.symbol)
        was = known.get(symbol)
        looks = was.looks + 1 if was is not None and was.amount == row.amount else 1
        found.append(Unmatched(symbol=symbol, amount=row.amount, looks=looks))
    return tuple(found)


def match_difference(
    kept: Books, stood: Unmatched, asset: str, at_ms: Millis, *, ours: Collection[Symbol], told: Decimal
) -> tuple[Entry, str]:
    """What puts it aside, and the sentence; empty for symbols that are not ours, and where each trade was told of.

    ``told``: what the sentences about single trades of this symbol have summed to, as movements less trades.
    """
    entry = Entry(
        id=f"{kept.account_id}:{kept.market}:unmatched:{stood.symbol}:{asset}:{at_ms}",
        kind=Kind.ADJUSTMENT,
        account_id=kept.account_id,
        market=kept.market,
        at_ms=at_ms,
        postings=(
            Posting(account=Account.TRADES, asset=asset, amount=-stood.amount),
            Posting(account=Account.EXTERNAL, asset=asset, amount=stood.amount),
        ),
        symbol=stood.symbol or None,
        note="trades and the venue's list of movements do not tell the same",
    )
    if stood.symbol not in ours or stood.amount == -told:
        return entry, ""
    return entry, _told(kept, stood, asset)


def _told(kept: Books, stood: Unmatched, asset: str) -> str:
    """Both numbers: what our trades brought, and what of it the venue has listed."""
    accounts = (Account.REALIZED, Account.AVERAGING, Account.FEES)
    by_trades = -sum((kept.sum(account, asset, stood.symbol) for account in accounts), ZERO)
    return (
        f"trades of {stood.symbol} brought {text(by_trades)} {asset} by our books, the venue's income lists"
        f" {text(by_trades - stood.amount)}"
    )
