"""What one trade did to the lots: who opened or closed how much, and what each lot realised. First in, first out.

It is read off the position before and after the trade, so it cannot tell another story than the position does. It
knows neither wallets nor fees; ``trading.cash`` does.
"""

from decimal import Decimal

from chimera.trading.fill import Fill
from chimera.trading.ids import IntentId, StrategyId
from chimera.trading.money import ZERO, Quote
from chimera.trading.position import Lot, Position
from chimera.trading.value import Value


class Effect(Value, tag=False):
    """One lot's part: signed change of quantity (base asset, + is bought), and what it realised before fees."""

    intent_id: IntentId
    strategy_id: StrategyId
    qty: Decimal
    realized: Quote = Quote(ZERO)


class Share(Value, tag=False):
    """What one strategy holds after the trade: signed base asset."""

    strategy_id: StrategyId
    qty: Decimal


class Booking(Value, tag=False):
    """``position`` names this opening, from flat to flat. ``quote``: in what ``realized`` is counted."""

    position: str
    base: str
    quote: str
    effects: tuple[Effect, ...] = ()
    held: tuple[Share, ...] = ()


def effects_of(before: Position, after: Position, fill: Fill) -> tuple[Effect, ...]:
    """By lot, oldest first. Their quantities sum to what the trade did to the position."""
    old = {(lot.intent_id, lot.side): lot for lot in before.lots}
    new = {(lot.intent_id, lot.side): lot for lot in after.lots}
    found = (_effect(old.get(key), new.get(key), fill) for key in dict.fromkeys((*old, *new)))
    return tuple(effect for effect in found if effect is not None)


def _effect(old: Lot | None, new: Lot | None, fill: Fill) -> Effect | None:
    lot = new or old
    if lot is None:
        return None
    sign = lot.side.sign
    grown = (new.qty if new else ZERO) - (old.qty if old else ZERO)
    if not grown:
        return None
    realized = ZERO
    if grown < 0 and old is not None:
        spent = old.cost - (new.cost if new else ZERO)
        realized = (fill.price * -grown - spent) * sign
    return Effect(intent_id=lot.intent_id, strategy_id=lot.strategy_id, qty=grown * sign, realized=Quote(realized))


def shares_of(position: Position) -> tuple[Share, ...]:
    """By strategy, in the order of its oldest lot."""
    sums: dict[StrategyId, Decimal] = {}
    for lot in position.lots:
        sums[lot.strategy_id] = sums.get(lot.strategy_id, ZERO) + lot.qty * lot.side.sign
    return tuple(Share(strategy_id=strategy, qty=qty) for strategy, qty in sums.items())
