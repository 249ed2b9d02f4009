"""Accounts of the simulated venue: wallet, positions one-way or hedged, what is set aside, trades and income.

Invariants: the wallet changes only in whole 1e-8 USDT and each change leaves an income row; a position is the sum of
its fills. Margin as Binance's v3 risk shows it: per position the worse of all-bids-fill and all-asks-fill, over
leverage. An isolated position has margin of its own: opening sets the initial margin at the fill price aside, closing
releases its share; profit and fees go to the wallet. What is set aside is never below zero.
Deliberately unaware of prices of other positions, brackets, funding and liquidation: ``margin``, ``funding``,
``liquidation`` bring those.
"""

from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal

from chimera.simulate.venue.account_spec import AccountSpec
from chimera.simulate.venue.past import Past
from chimera.trading.intent import PositionSide
from chimera.trading.market import Side
from chimera.trading.money import ZERO

ASSET = "USDT"
CENT = Decimal("0.00000001")  # the wallet's unit
DEFAULT_LEVERAGE = 20


def money(amount: Decimal) -> Decimal:
    """To 1e-8 of the margin asset, ties to even."""
    return amount.quantize(CENT, rounding=ROUND_HALF_EVEN)


ONE_WAY = (PositionSide.BOTH,)
HEDGE = (PositionSide.LONG, PositionSide.SHORT)


def only_closes(side: Side, held: PositionSide) -> bool:
    """Whether an order of ``side`` on the hedged position ``held`` can only close it: SELL on LONG, BUY on SHORT."""
    return held is (PositionSide.LONG if side is Side.SELL else PositionSide.SHORT)


@dataclass(slots=True, eq=False)
class Terms:
    """What an account chose for one symbol; in hedge mode both positions share it."""

    symbol: str
    leverage: int = DEFAULT_LEVERAGE
    isolated: bool = False


@dataclass(slots=True, eq=False)
class Position:
    """One position of one account. ``qty`` is signed: long above zero, in hedge mode too."""

    terms: Terms
    side: PositionSide = PositionSide.BOTH
    qty: Decimal = ZERO
    entry: Decimal = ZERO
    paid: Decimal = ZERO  # fees paid for what is held, for the break-even price
    bids: Decimal = ZERO  # notional of open BUYs that may increase
    asks: Decimal = ZERO
    realized: Decimal = ZERO
    set_aside: Decimal = ZERO  # the isolated wallet: part of the account's, behind this position alone
    called: bool = False  # a margin call was sent and the danger has not passed since
    updated_ms: int = 0

    @property
    def symbol(self) -> str:
        return self.terms.symbol

    @property
    def leverage(self) -> int:
        return self.terms.leverage

    @property
    def isolated(self) -> bool:
        return self.terms.isolated

    @property
    def label(self) -> str:
        """Its side in hedge mode; empty for the only position of a symbol."""
        return "" if self.side is PositionSide.BOTH else str(self.side)

    @property
    def live(self) -> bool:
        """Held, or with orders that may open it."""
        return bool(self.qty or self.bids or self.asks)

    def room_to_reduce(self, side: Side) -> Decimal:
        """How much an order of ``side`` could close."""
        return max(ZERO, -self.qty * side.sign)

    def apply(self, side: Side, qty: Decimal, price: Decimal, fee: Decimal) -> Decimal:
        """A fill; returns the profit it realised (before fees), in whole wallet units."""
        closing = min(qty, self.room_to_reduce(side))
        opening = qty - closing
        realized = money((price - self.entry) * closing * -side.sign) if closing else ZERO
        if closing:
            held = abs(self.qty)
            self.set_aside -= self.set_aside if closing == held else money(self.set_aside * closing / held)
            self.paid = self.paid * (held - closing) / held
            self.qty += closing * side.sign
            if not self.qty:
                self.entry = ZERO
        if opening:
            held = abs(self.qty)
            self.entry = (self.entry * held + price * opening) / (held + opening)
            self.qty += opening * side.sign
            self.paid += fee * opening / qty
            if self.isolated:
                self.set_aside += money(opening * price / self.leverage)
        self.realized += realized
        return realized

    def profit(self, mark: Decimal) -> Decimal:
        """Unrealised, at ``mark``."""
        return (mark - self.entry) * self.qty

    @property
    def break_even(self) -> Decimal:
        """Entry plus the fees paid to get in."""
        return self.entry + self.paid / self.qty if self.qty else ZERO

    def worst(self, mark: Decimal, more_bids: Decimal = ZERO, more_asks: Decimal = ZERO) -> Decimal:
        """The greatest notional it could come to: as it is, or with all bids (plus more), or all asks, filled."""
        notional = self.qty * mark
        return max(abs(notional), abs(notional + self.bids + more_bids), abs(notional - self.asks - more_asks))

    def margin(self, mark: Decimal) -> Decimal:
        """Initial margin of position and open orders together."""
        return self.worst(mark) / self.leverage

    def position_margin(self, mark: Decimal) -> Decimal:
        """The position's own part of ``margin``."""
        return abs(self.qty * mark) / self.leverage


@dataclass(slots=True, eq=False)
class Account:
    """Wallet and positions of one owner."""

    name: str
    wallet: Decimal
    maker_rate: Decimal
    taker_rate: Decimal
    hedge: bool = False
    fee_burn: bool = False  # pays fees in BNB while it has some; a futures wallet here never has any
    called: bool = False  # as ``Position.called``, for the cross positions together
    liquidated_ms: int = 0  # when it last was
    terms: dict[str, Terms] = field(default_factory=dict)
    positions: dict[tuple[str, PositionSide], Position] = field(default_factory=dict)
    trades: Past = field(default_factory=Past)
    income: Past = field(default_factory=Past)
    margin_moves: Past = field(default_factory=Past)
    listen_key: str | None = None
    listen_until_ms: int = 0

    @property
    def sides(self) -> tuple[PositionSide, ...]:
        """The positions a symbol has in the account's mode."""
        return HEDGE if self.hedge else ONE_WAY

    def on(self, symbol: str) -> Terms:
        """The account's terms for the symbol, the venue's own until it chose."""
        found = self.terms.get(symbol)
        if found is None:
            found = self.terms[symbol] = Terms(symbol)
        return found

    def position(self, symbol: str, side: PositionSide = PositionSide.BOTH) -> Position:
        """The position, flat if it was never touched."""
        found = self.positions.get((symbol, side))
        if found is None:
            found = self.positions[symbol, side] = Position(self.on(symbol), side)
        return found

    def held_in(self, symbol: str) -> list[Position]:
        """The symbol's positions in the account's mode: one, or LONG and SHORT."""
        return [self.position(symbol, side) for side in self.sides]

    @property
    def cross_wallet(self) -> Decimal:
        """Wallet less what is set aside."""
        return self.wallet - sum((held.set_aside for held in self.positions.values()), ZERO)

    def held_now(self, symbol: str) -> list[Position]:
        """The symbol's positions that are not flat."""
        found = (self.positions.get((symbol, side)) for side in self.sides)
        return [held for held in found if held is not None and held.qty]

    def available(self, marks: dict[str, Decimal]) -> Decimal:
        """What new orders may use as margin; may be below zero."""
        free = self.wallet
        for held in self.positions.values():
            if not held.live:
                continue
            mark = marks.get(held.symbol, held.entry)
            if held.isolated:
                free -= held.set_aside + held.margin(mark) - held.position_margin(mark)
            else:
                free += held.profit(mark) - held.margin(mark)
        return free


def open_account(spec: AccountSpec) -> Account:
    """A funded account as ``spec`` says."""
    return Account(
        name=spec.name,
        wallet=money(spec.balance),
        maker_rate=spec.maker_rate,
        taker_rate=spec.taker_rate,
    )
