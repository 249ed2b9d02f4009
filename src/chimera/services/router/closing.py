"""Closing a position by hand: reduce-only, target first, stop last. Asked again it changes nothing.

The answer is about the position as it is held by the venue's word; that it is under way is on disk, or soon will be.
"""

from decimal import Decimal

from chimera.execute.dust import too_small
from chimera.services.router.ground import Ground
from chimera.services.router.standing_in import StandingIn
from chimera.trading.errors import Refused
from chimera.trading.facts import CloseAsked
from chimera.trading.holding import Holding
from chimera.trading.ids import Symbol
from chimera.trading.market import Market
from chimera.trading.money import Qty, text


async def close(
    ground: Ground, standing_in: StandingIn, market: Market, symbol: str, qty: Decimal | None, reason: str
) -> dict[str, object]:
    """``qty`` None, or all of it and more: the whole.

    Raises ``Refused`` UNKNOWN_SYMBOL or RECOVERING; of a part BELOW_STEP, MIN_NOTIONAL, and CLOSING while another is
    under way.
    """
    owner = ground.owner_of(Symbol(symbol)) if market is ground.market else None
    if owner is None:
        raise Refused("UNKNOWN_SYMBOL", f"{symbol} is not traded here", field="symbol", value=symbol)
    held = owner.holding.exposure  # what filled by the venue's word too: its trades may be late
    if not (held or owner.holding.entering):
        if standing_in.at(owner.holding.key) and not owner.recovered.is_set():
            raise Refused("RECOVERING", f"{symbol}: the ledger is away, the venue not heard yet; try again")
        return _answer(symbol, "0", "FLAT", "already flat")
    part = None if qty is None or qty >= abs(held) else Qty(qty)
    if part is not None:
        _object(part, owner.holding, ground)
    owner.hear(CloseAsked(reason=reason, qty=part))
    await owner.saved_soon()
    return _answer(symbol, text(held), "CLOSING", "closing")


def _object(part: Qty, holding: Holding, ground: Ground) -> None:
    """To a part that would not be closed: the owner works one at a time, and the venue takes none too small."""
    present, scene = holding.exit, ground.scene(holding)
    if present is not None and present.qty is not None and (present.qty != part or present.lots):
        told = f"{text(present.left_qty or present.qty)} is being closed ({present.reason}); ask again when it is"
        raise Refused("CLOSING", told, field="qty", value=text(part), accepted="all of it; or a part later")
    if not too_small(part, scene):
        return
    rules = scene.instrument
    if rules.floor_to_step(part) < rules.min_qty:
        least = f">= {text(max(rules.step, rules.min_qty))}"
        raise Refused("BELOW_STEP", "a part below the least quantity", field="qty", value=text(part), accepted=least)
    least = f"notional >= {text(rules.min_notional)}, or all of it"
    raise Refused("MIN_NOTIONAL", "a part too little for the venue", field="qty", value=text(part), accepted=least)


def _answer(symbol: str, qty: str, status: str, message: str) -> dict[str, object]:
    return {"result": "OK", "symbol": symbol, "position_qty": qty, "status": status, "message": message}
