"""Accounts of the simulated venue: wallet, one-way positions, margin, fees, trades.

Invariants: the wallet changes only by a deposit, a fee or realised profit, each in whole 1e-8 USDT; a position is the
sum of its fills. Margin as Binance's v3 risk shows it: per symbol the worse of all-bids-fill and all-asks-fill, over
leverage. Isolated margin is the initial margin at entry. Deliberately absent on this floor: hedge mode, brackets,
funding, liquidation.
"""

from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from typing import Any

from chimera.simulate.household import AccountSpec
from chimera.trading.market import Side
from chimera.trading.money import ZERO

ASSET = "USDT"
CENT = Decimal("0.00000001")  # the wallet's unit
DEFAULT_LEVERAGE = 20


def money(amount: Decimal) -> Decimal:
    """To 1e-8 of the margin asset, ties to even."""
    return amount.quantize(CENT, rounding=ROUND_HALF_EVEN)


class PositionSide(StrEnum):
    """Which position of a symbol an order speaks of: the one, or in hedge mode one of the two."""

    BOTH = "BOTH"
    LONG = "LONG"
    SHORT = "SHORT"

    def reduced_by(self, side: Side) -> bool:
        """Whether in hedge mode an order of ``side`` can only close: SELL on LONG, BUY on SHORT."""
        return self is (PositionSide.LONG if side is Side.SELL else PositionSide.SHORT)


ONE_WAY = (PositionSide.BOTH,)
HEDGE = (PositionSide.LONG, PositionSide.SHORT)


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
            self.paid = self.paid * (held - closing) / held
            self.qty += closing * side.sign
            if not self.qty:
                self.entry = ZERO
        if opening:
            held = abs(self.qty)
            self.entry = (self.entry * held + price * opening) / (held + opening)
            self.qty += opening * side.sign
            self.paid += fee * opening / qty
        self.realized += realized
        return realized

    def profit(self, mark: Decimal) -> Decimal:
        """Unrealised, at ``mark``."""
        return (mark - self.entry) * self.qty

    @property
    def isolated_wallet(self) -> Decimal:
        """Margin set aside for an isolated position."""
        return money(abs(self.qty) * self.entry / self.leverage) if self.isolated else ZERO

    @property
    def break_even(self) -> Decimal:
        """Entry plus the fees paid to get in."""
        return self.entry + self.paid / self.qty if self.qty else ZERO

    def margin(self, mark: Decimal, more_bids: Decimal = ZERO, more_asks: Decimal = ZERO) -> Decimal:
        """Initial margin of position and open orders together (plus orders not placed yet)."""
        notional = self.qty * mark
        worst = max(abs(notional), abs(notional + self.bids + more_bids), abs(notional - self.asks - more_asks))
        return worst / self.leverage

    def position_margin(self, mark: Decimal) -> Decimal:
        """The position's own part of ``margin``."""
        return abs(self.qty * mark) / self.leverage

    def liquidation(self, free: Decimal, mark: Decimal, maint_rate: Decimal) -> Decimal:
        """Where the maintenance margin is gone; 0 where that is below nothing. ``free``: wallet behind a cross one."""
        if not self.qty:
            return ZERO
        behind = self.isolated_wallet if self.isolated else free
        size, sign = abs(self.qty), 1 if self.qty > 0 else -1
        price = (behind - sign * size * self.entry) / (size * maint_rate - sign * size)
        return max(ZERO, price)


@dataclass(slots=True, eq=False)
class Account:
    """Wallet and positions of one owner."""

    name: str
    wallet: Decimal
    maker_rate: Decimal
    taker_rate: Decimal
    hedge: bool = False
    terms: dict[str, Terms] = field(default_factory=dict)
    positions: dict[tuple[str, PositionSide], Position] = field(default_factory=dict)
    trades: list[dict[str, Any]] = field(default_factory=list)
    income: list[dict[str, Any]] = field(default_factory=list)
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
        """Wallet less what isolated positions hold."""
        return self.wallet - sum((held.isolated_wallet for held in self.positions.values() if held.isolated), ZERO)

    def available(self, marks: dict[str, Decimal]) -> Decimal:
        """What new orders may use as margin; may be below zero."""
        free = self.wallet
        for held in self.positions.values():
            if not held.live:
                continue
            mark = marks.get(held.symbol, held.entry)
            if held.isolated:
                free -= held.isolated_wallet + held.margin(mark) - held.position_margin(mark)
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
