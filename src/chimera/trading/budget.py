"""What an account may still risk, as S4 publishes it for S3's risk gate, and what S3 itself has already promised.

S4 is the source: it counts open positions, intents in flight and those in doubt. Figures are quote asset (USDT).
"""

from chimera.trading.ids import AccountId, IntentId, Symbol
from chimera.trading.market import Market
from chimera.trading.money import Millis, Quote
from chimera.trading.value import Value
from chimera.trading.venue import FeeRates


class MarketBudget(Value, tag=False):
    """One market's share. ``inflight`` are intents accepted and not done, in doubt included, by id to symbol; ``ended``
    some that were done lately, of which the other figures hold what came.
    """

    fees: FeeRates  # the dearest of all symbols
    remaining_margin_usdt: Quote  # what a new order may lock: margin on FUT, quote balance on SPOT
    remaining_notional_usdt: Quote
    open_symbols: tuple[Symbol, ...] = ()
    inflight: dict[IntentId, Symbol] = {}
    ended: tuple[IntentId, ...] = ()
    fees_of: dict[Symbol, FeeRates] = {}  # of each that is traded, as the venue charges this account

    def fees_for(self, symbol: Symbol) -> FeeRates:
        """Its own; of one that was not told of, the dearest."""
        return self.fees_of.get(symbol, self.fees)

    @property
    def entries(self) -> int:
        """Entries that exist or may: each intent in flight, and each position without one."""
        if not self.open_symbols:
            return len(self.inflight)
        working = set(self.inflight.values())
        return len(self.inflight) + sum(1 for symbol in self.open_symbols if symbol not in working)


class RiskBudget(Value):
    """An account's figures at ``at_ms`` (S4's clock)."""

    account_id: AccountId
    at_ms: Millis
    remaining_loss_usdt: Quote  # of the UTC day
    markets: dict[Market, MarketBudget]


class Reserve(Value):
    """What one of S3's own intents may use, and how far S4's figures can be trusted to hold it by now.

    Moments are S4's clock, for they are compared with its figures'. ``valid_until_ms``: it takes the intent no later;
    ``gone_by_ms``: it has closed the position by then; None is never. ``shown_ms``: figures of then or later
    hold it or what came of it. ``done_ms``: the moment of the first that showed it neither ahead nor in flight.
    """

    intent_id: IntentId
    market: Market
    symbol: Symbol
    margin_usdt: Quote
    notional_usdt: Quote
    loss_usdt: Quote
    valid_until_ms: Millis | None = None
    gone_by_ms: Millis | None = None
    shown_ms: Millis | None = None
    done_ms: Millis | None = None
