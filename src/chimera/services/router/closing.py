"""Closing a position by hand: reduce-only, target first, stop last; by one name of its caller's once, for ever.

That a name was used and that the close began are one write (the holding with its outbox), so a crash keeps both or
neither. What was asked by a name is looked for in memory, then in the outboxes, then among the ledger's rows. While the
ledger is away a named close of everything goes out all the same: done twice it finds nothing left; a part is refused.

The answer is about the position as it is held by the venue's word. ``in_doubt``: the ledger has not taken it in time;
the close works in memory, and a crash before the ledger is back forgets a part and its name.
"""

import asyncio
from collections import OrderedDict
from decimal import Decimal
from typing import Final

from chimera.execute.dust import too_small
from chimera.ports.ledger import Rows
from chimera.services.router.ground import Ground
from chimera.services.router.owner import Owner
from chimera.services.router.standing_in import StandingIn
from chimera.trading.errors import Refused, StoreUnavailable
from chimera.trading.events import CloseTaken
from chimera.trading.execution import CloseName
from chimera.trading.facts import CloseAsked
from chimera.trading.holding import Holding
from chimera.trading.ids import Symbol
from chimera.trading.market import Market
from chimera.trading.money import Qty, text
from chimera.wire import closes, keys

RECENT: Final = 10_000  # names kept in memory; the ledger has them all
LOOK_S: Final = 0.3  # how long a close of everything waits for the ledger's word on its name

Taken = tuple[CloseName, Decimal]  # and the signed position at that moment, base asset


class Closing:
    """Of one account on one market."""

    def __init__(self, ground: Ground, standing_in: StandingIn, rows: Rows) -> None:
        self._ground = ground
        self._standing_in = standing_in
        self._rows = rows
        self._recent: OrderedDict[str, Taken] = OrderedDict()

    async def close(
        self, market: Market, symbol: str, qty: Decimal | None, reason: str, name: CloseName | None = None
    ) -> dict[str, object]:
        """``qty`` None, or all of it and more: the whole.

        Raises ``Refused`` UNKNOWN_SYMBOL, NOT_READY or RECOVERING; DUPLICATE_ID for another body; of a part BELOW_STEP,
        MIN_NOTIONAL, and CLOSING while another is under way; ``StoreUnavailable`` of a part with a name.
        """
        taken = None if name is None else await self._taken(name, whole=qty is None)
        owner = self._ground.owner_of(Symbol(symbol)) if market is self._ground.market else None
        if owner is None:
            if (early := self._ground.not_loaded("symbol", symbol)) is not None:
                raise early
            raise self._ground.not_traded(symbol)
        if name is not None and taken is not None:
            return await _again(owner, name, taken, symbol)
        held = owner.holding.exposure  # what filled by the venue's word too: its trades may be late
        flat = not (held or owner.holding.entering)
        if flat and self._standing_in.at(owner.holding.key) and not owner.recovered.is_set():
            raise Refused("RECOVERING", f"{symbol}: the ledger is away, the venue not heard yet; try again")
        if flat and name is None:
            return _answer(symbol, held, "FLAT", "already flat", name, kept=True)
        part = None if qty is None or qty >= abs(held) else Qty(qty)
        if part is not None:
            _object(part, name, owner.holding, self._ground)
        if name is not None:
            self._remember(name, held)  # nothing waits between the look for it and this
        owner.hear(CloseAsked(reason=reason, qty=part, name=name))
        kept = await owner.saved_soon()
        status, told = ("FLAT", "already flat") if flat else ("CLOSING", "closing")
        return _answer(symbol, held, status, told, name, kept=kept)

    async def _taken(self, name: CloseName, *, whole: bool) -> Taken | None:
        """What began by this name. Raises ``Refused`` for another body, ``StoreUnavailable`` where a part must know."""
        taken = self._known(name.id)
        if taken is None:
            row = await self._row(name.id, whole=whole)
            # nobody has waited since: who came first by this name is in memory by now
            taken = self._known(name.id) or (None if row is None else closes.held_by(row))
        if taken is not None and taken[0] != name:
            raise closes.other_body(name)
        return taken

    async def _row(self, close_id: str, *, whole: bool) -> dict[str, object] | None:
        key = closes.row_key(self._ground.account_id, close_id)
        if not whole:
            return await self._rows.get(keys.CLOSES, key)
        try:
            async with asyncio.timeout(LOOK_S):
                return await self._rows.get(keys.CLOSES, key)
        except (TimeoutError, StoreUnavailable):
            return None

    def _known(self, close_id: str) -> Taken | None:
        """From memory, or from news that no row has yet."""
        recent = self._recent.get(close_id)
        if recent is not None:
            return recent
        for holding in self._ground.holdings():
            for event in holding.outbox:
                if isinstance(event.body, CloseTaken) and event.body.name.id == close_id:
                    return event.body.name, event.body.held
        return None

    def _remember(self, name: CloseName, held: Decimal) -> None:
        self._recent[name.id] = name, held
        if len(self._recent) > RECENT:
            self._recent.popitem(last=False)


async def _again(owner: Owner, name: CloseName, taken: Taken, symbol: str) -> dict[str, object]:
    """The same answer, and how far it has come."""
    kept = await owner.saved_soon()
    present, held = owner.holding.exit, taken[1]
    if present is not None and (present.name == name or present.qty is None):
        return _answer(symbol, held, "CLOSING", "closing", name, kept=kept)
    if owner.holding.exposure or owner.holding.entering:
        return _answer(symbol, held, "CLOSED", "this close is over; nothing more is closed by its id", name, kept=kept)
    return _answer(symbol, held, "FLAT", "already flat", name, kept=kept)


def _object(part: Qty, name: CloseName | None, holding: Holding, ground: Ground) -> None:
    """To a part that would not be closed: the owner works one at a time, and the venue takes none too small."""
    present, scene = holding.exit, ground.scene(holding)
    other = present is not None and (present.qty, present.name, present.lots) != (part, name, ())
    if present is not None and present.qty is not None and other:
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


def _answer(
    symbol: str, held: Decimal, status: str, message: str, name: CloseName | None, *, kept: bool
) -> dict[str, object]:
    told: dict[str, object] = {"result": "OK", "symbol": symbol, "position_qty": text(held), "status": status}
    return told | {"message": message, "in_doubt": not kept} | ({} if name is None else {"close_id": name.id})
