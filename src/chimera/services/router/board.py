"""The protection board: each position with its stop, its target, what they cover, and since when it does not."""

from decimal import Decimal
from typing import Any

from chimera.services.router.owner import Owner
from chimera.trading.form import Form
from chimera.trading.guard import Guard
from chimera.trading.holding import Holding
from chimera.trading.money import ZERO, text
from chimera.trading.order import Order, Role, Status
from chimera.trading.scene import Scene

_SHARE = Decimal("0.0001")


def position_row(owner: Owner, scene: Scene) -> dict[str, Any]:
    """Amounts as plain digits; ``unprotected_ms`` is 0 when covered; ``guarded_ms`` of it a guard watched."""
    holding = owner.holding
    position, size = holding.position, abs(holding.exposure)
    mark = scene.near
    floating = (mark - position.entry_px) * position.qty if mark is not None and position.entry_px else ZERO
    covered, step = holding.covered_qty, scene.instrument.step
    return {
        "symbol": holding.key.symbol,
        "market": str(holding.key.market),
        "account_id": holding.key.account,
        "position_side": "BOTH",
        "qty": text(position.qty),
        "entry_price": None if position.entry_px is None else text(position.entry_px.quantize(scene.instrument.tick)),
        "mark_price": None if mark is None else text(mark),
        "unrealized_pnl": text(floating.quantize(scene.instrument.tick)),
        "realized_pnl": text(position.realized),
        "fees": text(position.fees),
        "closed_count": position.closed_count,
        "stop": _resting(holding, Role.STOP),
        "target": _resting(holding, Role.TARGET),
        "covered_qty": text(covered),
        "coverage": "1" if size - covered < step else text((covered / size).quantize(_SHARE)),
        "unprotected_ms": owner.cover.unprotected_ms(),
        "max_unprotected_ms": owner.cover.max_unprotected_ms,
        "guards": [_armed(guard) for guard in holding.guards],
        "guarded_ms": owner.cover.guarded_ms(),
        "heard": owner.recovered.is_set(),
        "exit": None if holding.exit is None else holding.exit.reason,
        "seq": holding.event_seq,
        "intents": [str(intent) for intent in holding.engaged],
        "strategy_ids": sorted({str(lot.strategy_id) for lot in position.lots}),
        "in_doubt": [str(order.ref) for order in holding.orders.values() if order.status is Status.IN_DOUBT],
    }


def _armed(guard: Guard) -> dict[str, Any]:
    """A price that S4 watches itself; it covers nothing."""
    return {
        "kind": guard.role.name,
        "price": text(guard.price),
        "qty": text(guard.qty),
        "gauge": str(guard.gauge),
        "armed_ms": guard.armed_ms,
        "rests": "chimera",
    }


def _resting(holding: Holding, role: Role) -> dict[str, Any] | None:
    order: Order | None = next((order for order in holding.in_role(role) if order.live), None)
    price = None if order is None else order.request.trigger_price or order.request.price  # spot's target is a limit
    if order is None or price is None:
        return None
    return {
        "client_order_id": order.ref,
        "price": text(price),
        "qty": text(order.closes(abs(holding.exposure)) if order.request.form is Form.WHOLE else order.leaves_qty),
        "rests": "venue",
        "form": str(order.request.form),
    }
