"""The cash ledger's nouns: entries of signed postings, which sum to zero in every asset.

A posting is above zero where its account receives. The wallet is what the venue holds for us; all else says where
the money came from or went to, so an income account stands below zero and an expense above it. An entry is never
changed: what was wrong is put right by another entry. Amounts are exact decimals of the asset, moments the venue's.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal, localcontext
from enum import StrEnum
from typing import Final

from chimera.trading.booking import Share
from chimera.trading.ids import AccountId, IntentId, StrategyId, Symbol
from chimera.trading.market import Market
from chimera.trading.money import ZERO, Millis
from chimera.trading.value import Value

PRECISION: Final = 60  # digits: a price times a quantity is never rounded
GRAIN: Final = Decimal("1e-8")  # the venue's finest amount of an asset


class Account(StrEnum):
    """Where money stands."""

    WALLET = "wallet"
    TRADES = "trades"  # futures: told by a trade and not yet by the venue's list of movements, or the other way round
    EXCHANGE = "exchange"  # spot: one asset given for another; in quote asset, the cost of what is held
    REALIZED = "realised"  # by lot, first in first out, before fees
    AVERAGING = "averaging"  # futures: the venue realises against the mean entry; zero again when the position is flat
    FEES = "fees"  # paid to the venue, less what it gives back
    FUNDING = "funding"
    LIQUIDATION = "liquidation"  # the insurance fund's fee, or what it took over
    TRANSFERS = "transfers"  # between the futures wallet and others of the owner's
    DUST = "dust"
    EXTERNAL = "external"  # not of our doing, or not explained


class Kind(StrEnum):
    """What an entry was made from."""

    FILL = "fill"
    INCOME = "income"
    OPENING = "opening"  # what stood there when the books began
    ADJUSTMENT = "adjustment"  # a difference that stayed
    DUST = "dust"


class Posting(Value, tag=False):
    """One line of an entry."""

    account: Account
    asset: str
    amount: Decimal
    strategy_id: StrategyId | None = None
    intent_id: IntentId | None = None


class Entry(Value, tag=False):
    """``id`` is made of the venue's own number, so that the same news is the same entry. Raises ``ValueError`` where
    its postings do not sum to zero.

    ``position`` names an opening of the symbol, from flat to flat; ``held``: what each strategy holds after a trade.
    """

    id: str
    kind: Kind
    account_id: AccountId
    market: Market
    at_ms: Millis
    postings: tuple[Posting, ...]
    symbol: Symbol | None = None
    position: str = ""
    of: str = ""  # the venue's word: the side of a trade, the type of a movement
    venue_id: str = ""
    note: str = ""
    held: tuple[Share, ...] = ()

    def __post_init__(self) -> None:
        apart = {asset: amount for asset, amount in by_asset(self.postings).items() if amount}
        if apart:
            raise ValueError(f"{self.id} does not sum to zero: {apart}")


def by_asset(postings: Iterable[Posting]) -> dict[str, Decimal]:
    """Sum of each asset: zero for every entry."""
    sums: dict[str, Decimal] = {}
    with localcontext(prec=PRECISION):
        for posting in postings:
            sums[posting.asset] = sums.get(posting.asset, ZERO) + posting.amount
    return sums


def shared(amount: Decimal, weights: Sequence[Decimal]) -> tuple[Decimal, ...]:
    """``amount`` cut by weight into multiples of ``GRAIN``; what is left over goes to the last, so nothing is lost."""
    total = sum(weights, ZERO)
    if not total:
        return ()
    cut = [(amount * weight / total).quantize(GRAIN) for weight in weights[:-1]]
    return (*cut, amount - sum(cut, ZERO))
