"""Answers on HTTP: rows as they are kept inside, with their amounts as JSON numbers of exactly the same digits.

Inside, in the ledger and on the bus an amount is a string of plain digits (``codec``). A caller from outside computes
with what it gets, so on HTTP it is a bare number: no exponent, no quotes, never through ``float``. Ids stay strings,
also those made of digits alone. Amounts are known by their names, not by a ``Decimal`` kept in the projections: an
answer is often a row that comes back from the ledger or from memory, where only the digits are left, and names serve
fresh and stored rows with one rule. Tests hold ``AMOUNT_FIELDS`` against the published models and the domain values.
"""

import re
from decimal import Decimal
from typing import Any, Final

import msgspec

from chimera.trading.money import text

_ORDERS: Final = (
    "qty", "size", "filled_qty", "price", "stop_price", "trigger_price", "avg_price", "filled_avg", "fee",
    "slippage_bps", "slip_bps", "mid_at_send",
)  # fmt: skip
_POSITIONS: Final = (
    "position_qty", "entry_price", "mark_price", "unrealized_pnl", "realized_pnl", "fees", "covered_qty", "coverage",
)  # fmt: skip
_DOUBTS: Final = ("notional_counted",)
_INTENTS: Final = ("tp_price", "sl_price", "value")
_EXPLANATIONS: Final = (
    "value", "limit", "limits", "margin", "asked", "given", "low", "high", "p", "size_mult_ml", "size_mult",
    "notional_usdt", "margin_usdt", "loss_usdt", "target_price", "d_wanted", "d_cap", "fees_at_stop", "loss_at_stop",
    "slippage_per_bp", "fees_at_target", "profit_at_target", "profit_wanted", "seen", "needed", "difference",
)  # fmt: skip
_ROUTES: Final = (
    "slice_usdt", "mid", "fill_probability", "maker_share", "taker_share", "maker_bps", "taker_bps", "spread_bps",
    "fees_bps", "cost_bps", "worst_price", "used", "of", "spread_max_bps", "depth_min", "slip_max_bps", "theta",
)  # fmt: skip
_CASH: Final = ("amount", "realized", "venue_realized", "funding", "liquidation", "other", "net")
_TRANSFERS: Final = ("ceiling", "day_ceiling", "floor")
AMOUNT_FIELDS: Final = frozenset(
    (*_ORDERS, *_POSITIONS, *_DOUBTS, *_INTENTS, *_EXPLANATIONS, *_ROUTES, *_CASH, *_TRANSFERS)
)

_DIGITS: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_as_text: Final = re.compile(  # matches what ``money.text`` writes, and no other way to write it
    r"(?!-0$)-?(?:0|[1-9][0-9]*)(?:\.[0-9]*[1-9])?", re.ASCII
).fullmatch
_LEAVES: Final = frozenset((str, int, bool, float, type(None)))  # what is no amount's stays as it is
_encoder: Final = msgspec.json.Encoder()


def encode_answer(document: object) -> bytes:
    """JSON of an answer, its amounts as bare digits; raises ``ValueError`` for a decimal that is not finite.

    What ``exact`` makes of it, written in the same walk: most amounts are digits already and become no ``Decimal``.
    """
    return _encoder.encode(_bare(document))


def exact(node: Any) -> Any:
    """The document with a ``Decimal`` for every amount, whether it was digits, a whole number or one already.

    An error body stays as it is: its ``value`` is the caller's own word, and no amount of ours.
    """
    match node:
        case dict():
            if _is_refusal(node):
                return node
            return {name: _amount(inner) if name in AMOUNT_FIELDS else exact(inner) for name, inner in node.items()}
        case list() | tuple():
            return [exact(inner) for inner in node]
        case _:
            return node


def _amount(node: Any) -> Any:
    match node:
        case bool():
            return node
        case int():
            return Decimal(node)
        case str():
            return Decimal(node) if _DIGITS.fullmatch(node) else node
        case list() | tuple():
            return [_amount(inner) for inner in node]
        case _:
            return exact(node)


def _is_refusal(body: dict[Any, Any]) -> bool:
    return body.get("result") == "FAIL" and "accepted" in body and "status" not in body  # an order's answer has one


def _bare(node: Any) -> Any:
    if isinstance(node, dict):
        if "accepted" in node and _is_refusal(node):
            return node
        return {
            name: _bare_amount(each) if name in AMOUNT_FIELDS else each if type(each) in _LEAVES else _bare(each)
            for name, each in node.items()
        }
    if isinstance(node, (list, tuple)):
        return [each if type(each) in _LEAVES else _bare(each) for each in node]
    return _digits(node) if isinstance(node, Decimal) else node


def _bare_amount(node: Any) -> Any:
    if isinstance(node, str):
        if _as_text(node):
            return msgspec.Raw(node.encode())
        return _digits(Decimal(node)) if _DIGITS.fullmatch(node) else node
    if isinstance(node, (list, tuple)):
        return [_bare_amount(each) for each in node]
    return _bare(node)


def _digits(amount: Decimal) -> msgspec.Raw:
    if not amount.is_finite():
        raise ValueError(f"{amount} is no amount")
    return msgspec.Raw(text(amount).encode("ascii"))
