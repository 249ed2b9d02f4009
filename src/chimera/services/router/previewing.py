"""What would come of an intent (S4-PREV-1): its plan and why, cost, protection, limits. Nothing is claimed or sent.

It looks at the market as an intent does, and judges by the same words; what it makes is thrown away with the answer.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, NamedTuple

from chimera.admit.limits import Exposure, LimitBook
from chimera.admit.netting import opening
from chimera.protect.bracket import bracket_for
from chimera.route.plan import Sight
from chimera.route.preview import MODEL, expected
from chimera.trading.errors import Refused
from chimera.trading.execution import Plan
from chimera.trading.holding import Holding
from chimera.trading.intent import Intent
from chimera.trading.money import ZERO, Millis, Price, Qty, Quote, text
from chimera.trading.position import Lot
from chimera.trading.scene import Scene
from chimera.wire.codec import plain
from chimera.wire.failures import error_body, kept_back
from chimera.wire.results import asked

_CENT: Final = Decimal("0.01")


class LastHop(NamedTuple):
    """By what the last hop would judge: the ceilings, and what a holding may come to at a price, if that is known."""

    limits: LimitBook
    exposure: Callable[[Holding, Price], Exposure | None]


def preview(
    intent: Intent,
    plan: Plan,
    objection: Refused | None,
    holding: Holding,
    scene: Scene,
    sight: Sight,
    last_hop: LastHop,
) -> dict[str, Any]:
    """The body of the answer. ``objection``: why it would not be taken; what is taken the last hop may refuse. The rest
    is told all the same.
    """
    book = sight.seen
    costs = None if book is None else expected(plan, intent.side, book, sight.hour, scene.fees)
    price = costs.avg_price if costs is not None else scene.near
    assert price is not None  # whoever planned had one
    opened, beside = opening(intent, holding, scene.policy)
    objection = objection or _beyond(opened, beside, plan, price, last_hop, scene.now_ms)
    return {
        "would": "REFUSE" if objection is not None else "ACCEPT",
        "refusal": None if objection is None else error_body(objection),
        "intent_id": intent.intent_id,
        "market": intent.market.value,
        "symbol": intent.symbol,
        "side": intent.side.value,
        "qty": text(intent.qty),
        "plan": _plan(plan),
        "why": list(plan.why),
        "notes": list(plan.notes),
        "expected": None if costs is None else _bare(plain(costs)) | {"model": MODEL},
        "protection": _protection(opened, beside, price, scene),
        "limits": _limits(opened, beside, plan, price, last_hop),
    }


def _plan(plan: Plan) -> dict[str, Any]:
    """Moments from acceptance on."""
    return {
        "slices": [{"qty": text(part.qty), "after_ms": part.after_ms} for part in plan.slices],
        "maker": plain(plan.maker),
        "worst_price": None if plan.worst_price is None else text(plan.worst_price),
        "liquidity": None if plan.liquidity is None else _bare(plain(plan.liquidity)),
        "deadline_ms": plan.deadline_ms,
    }


def _bare(document: dict[str, Any]) -> dict[str, Any]:
    """Without the tag."""
    return {name: value for name, value in document.items() if name != "is"}


def _protection(intent: Intent, holding: Holding, price: Price, scene: Scene) -> dict[str, Any] | None:
    """Stop and target of the whole position as they would stand once all of it has filled at the expected price."""
    if intent.reduce_only:
        return None
    lot = Lot(
        intent_id=intent.intent_id,
        side=intent.side,
        qty=intent.qty,
        cost=Quote(price * intent.qty),
        opened_ms=scene.now_ms,
        entry_fees=Quote(price * intent.qty * scene.fees.taker),
        stop=intent.stop,
        target=intent.target,
        leverage=intent.leverage,
    )
    lots = tuple(held for held in holding.position.lots if held.side is intent.side)
    filled = holding.but(position=holding.position.but(lots=(*lots, lot)))
    wanted = bracket_for(filled, scene)
    if wanted is None:
        return None
    return {
        "qty": text(wanted.qty),
        "stop_price": None if wanted.stop_price is None else text(wanted.stop_price),
        "target_price": None if wanted.target_price is None else text(wanted.target_price),
        "working_type": wanted.working_type.value,
    }


def _beyond(
    intent: Intent, holding: Holding, plan: Plan, price: Price, last_hop: LastHop, now_ms: Millis
) -> Refused | None:
    """What the last hop would say to its largest order, while all its others are open; what reduces it lets pass."""
    exposure = None if intent.reduce_only else last_hop.exposure(holding, price)
    if exposure is None:
        return None
    largest = _largest(plan, intent)
    others = exposure.and_open(intent.side, intent.qty - largest)
    no = last_hop.limits.refusal(intent.side, largest, price, others, now_ms)
    return None if no is None else kept_back(no, asked(intent))


def _largest(plan: Plan, intent: Intent) -> Qty:
    return min(max((part.qty for part in plan.slices), default=Qty(ZERO)), intent.qty)


def _limits(intent: Intent, holding: Holding, plan: Plan, price: Price, last_hop: LastHop) -> list[dict[str, Any]]:
    """Each ceiling of the last hop, and what of it would be used; what reduces uses none."""
    if intent.reduce_only:
        return []
    book, limits = last_hop.limits, last_hop.limits.limits
    rows: list[tuple[str, Decimal, Decimal]] = [
        ("S4_MAX_ORDER_NOTIONAL_USDT", _largest(plan, intent) * price, limits.max_order_notional),
        ("S4_MAX_DAILY_LOSS_USDT", max(book.loss_today(), ZERO), limits.max_daily_loss),
    ]
    exposure = last_hop.exposure(holding, price)
    if exposure is not None:
        worst = exposure.and_open(intent.side, intent.qty).worst_notional
        gross = exposure.elsewhere + worst
        rows[1:1] = [
            ("S4_MAX_POSITION_NOTIONAL_USDT", worst, limits.max_position_notional),
            ("S4_MAX_GROSS_NOTIONAL_USDT", gross, limits.max_gross_notional),
        ]
    return [{"limit": name, "used": text(used.quantize(_CENT)), "of": text(most)} for name, used, most in rows]
