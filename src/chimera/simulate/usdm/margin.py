"""The margin arithmetic of an account: what it has, what orders would take, what it must keep, where it would end.

Cross positions stand on the cross wallet and on each other's profit; an isolated one on what is set aside for it.
Maintenance by bracket (Binance, leverage and margin). Pure reading: nothing here changes an account.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from chimera.simulate.door.refusals import Refusal
from chimera.simulate.usdm.accounts import Account, Position
from chimera.trading.market import Side
from chimera.trading.money import ZERO

if TYPE_CHECKING:
    from chimera.simulate.usdm.floor import FuturesFloor
    from chimera.simulate.usdm.perpetual import Perpetual

MARKET_BUFFER: Final = Decimal("1.0005")  # a market BUY is taken to cost the ask and 0.05 % (Binance, cost of opening)
GRACE_MS: Final = 200  # a liquidation lasts that long for its owner (an assumption; no page tells)


@dataclass(slots=True, frozen=True)
class Standing:
    """What carries positions and what they must keep, in the margin asset."""

    balance: Decimal
    maintenance: Decimal

    @property
    def lost(self) -> bool:
        """Liquidation is due: the margin ratio reached 100 %."""
        return self.maintenance > ZERO and self.balance <= self.maintenance


def mark_of(floor: "FuturesFloor", held: Position) -> Decimal:
    """The mark price the position is valued at; its entry where none was ever seen."""
    return floor.marks.get(held.symbol, held.entry)


def maintenance(floor: "FuturesFloor", held: Position) -> Decimal:
    """What the position must keep."""
    if not held.qty:
        return ZERO
    return floor.listings[held.symbol].brackets.maintenance(abs(held.qty) * mark_of(floor, held))


def isolated(floor: "FuturesFloor", held: Position) -> Standing:
    """How an isolated position stands."""
    return Standing(held.set_aside + held.profit(mark_of(floor, held)), maintenance(floor, held))


def crossed(account: Account) -> list[Position]:
    """Cross positions that are held."""
    return [held for held in account.positions.values() if held.qty and not held.isolated]


def cross(floor: "FuturesFloor", account: Account) -> Standing:
    """How the cross positions stand, all together."""
    balance, kept = account.cross_wallet, ZERO
    for held in crossed(account):
        balance += held.profit(mark_of(floor, held))
        kept += maintenance(floor, held)
    return Standing(balance, kept)


def withdrawable(floor: "FuturesFloor", account: Account) -> Decimal:
    """What may leave the wallet: unrealised profit may not."""
    return max(ZERO, min(account.available(floor.marks), account.cross_wallet))


def removable(floor: "FuturesFloor", held: Position) -> Decimal:
    """What of an isolated position's margin may go: its initial margin at the mark stays, and so do its losses."""
    mark = mark_of(floor, held)
    return max(ZERO, held.set_aside + min(ZERO, held.profit(mark)) - held.position_margin(mark))


def check_entry(
    floor: "FuturesFloor",
    account: Account,
    held: Position,
    side: Side,
    notional: Decimal,
    loss: Decimal = ZERO,
) -> None:
    """Whether the account may have open orders of ``notional`` more; ``loss`` is what filling them would lose at once.

    -2027: the position could outgrow the bracket of its leverage. -2019: the account cannot carry it.
    """
    listing = floor.listings[held.symbol]
    mark = listing.mark if listing.mark is not None else held.entry
    bids, asks = (notional, ZERO) if side is Side.BUY else (ZERO, notional)
    before, after = held.worst(mark), held.worst(mark, bids, asks)
    if after <= before:
        return
    if after > listing.brackets.cap(held.leverage):
        raise Refusal(-2027)
    if (after - before) / held.leverage + loss > account.available(floor.marks):
        raise Refusal(-2019)


def open_loss(listing: "Perpetual", held: Position, side: Side, qty: Decimal, price: Decimal) -> Decimal:
    """What an order that may open would lose at once, being priced worse than the mark (Binance, cost of opening)."""
    if listing.mark is None:
        return ZERO
    opening = max(ZERO, qty - held.room_to_reduce(side))
    return opening * max(ZERO, (price - listing.mark) * side.sign)


def check_leverage(floor: "FuturesFloor", account: Account, listing: "Perpetual", leverage: int) -> None:
    """Whether the account's positions and orders in this symbol can live with ``leverage``."""
    if not 1 <= leverage <= listing.brackets.most_leverage:
        raise Refusal(-4028, leverage)
    terms, more = account.on(listing.symbol), ZERO
    for held in account.held_in(listing.symbol):
        if held.isolated and held.qty and leverage < terms.leverage:
            raise Refusal(-4161)
        worst = held.worst(mark_of(floor, held))
        if worst > listing.brackets.cap(leverage):
            raise Refusal(-2027)
        more += worst / leverage - worst / terms.leverage
    if leverage < terms.leverage and more > max(ZERO, account.available(floor.marks)):
        raise Refusal(-2028)


def liquidation_price(floor: "FuturesFloor", account: Account, held: Position) -> Decimal:
    """The mark at which the position is liquidated if no other moves; 0 where it never is.

    Binance's formula, both sides of a hedged symbol together, each in the bracket it is in now.
    """
    if not held.qty:
        return ZERO
    together = [held]
    if held.isolated:
        behind = held.set_aside
    else:
        together = [each for each in account.held_in(held.symbol) if each.qty]
        behind = account.cross_wallet
        for other in crossed(account):
            if other.symbol != held.symbol:
                behind += other.profit(mark_of(floor, other)) - maintenance(floor, other)
    above, below = behind, ZERO
    for each in together:
        size = abs(each.qty)
        step = floor.listings[each.symbol].brackets.of(size * mark_of(floor, each))
        above += step.cum - each.qty * each.entry
        below += size * step.rate - each.qty
    return max(ZERO, above / below) if below else ZERO


def check_free(account: Account, now_ms: int) -> None:
    """-2023 while the account is being liquidated."""
    if account.liquidated_ms and now_ms < account.liquidated_ms + GRACE_MS:
        raise Refusal(-2023)
