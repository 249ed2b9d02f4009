"""The JSON Schema of a rule document, from the same tables and limits that lint reads by.

A document that the schema refuses is refused by lint, too. Lint knows more: which factors there are, that ``low`` is
not above ``high``, that a condition can hold at all, and what two parts of a rule say together.
"""

from collections.abc import Sequence
from typing import Any, Final

from chimera.decide.rules import action, bundle, clause
from chimera.decide.rules.compare import OPS
from chimera.decide.rules.finding import MOMENT, PLAIN_NUMBER, SYMBOL
from chimera.trading.market import Market, Side
from chimera.trading.routes import Shape

Schema = dict[str, Any]
NUMBER: Final[Schema] = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": f"^{PLAIN_NUMBER.pattern}$"}]}
ABOVE_ZERO: Final[Schema] = {
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "string", "pattern": "^(?=.*[1-9])[0-9]{1,30}(\\.[0-9]{1,30})?$"},
    ]
}
NAME: Final[Schema] = {"type": "string", "minLength": 1}
NAMES: Final[Schema] = {"type": "array", "minItems": 1, "items": NAME}
SYMBOLS: Final[Schema] = NAMES | {"items": NAME | {"pattern": f"^{SYMBOL.pattern}$"}}
MOMENT_UTC: Final[Schema] = {"type": "string", "pattern": f"^{MOMENT.pattern}$"}


def rule_schema() -> Schema:
    """Of one document of ``strategy_rules``."""
    properties: Schema = {
        "rule_id": NAME,
        "priority": {
            "type": "integer", "minimum": 0, "maximum": bundle.MAX_PRIORITY,
            "description": "the lowest number fires first, ties by rule_id",
        },
        "applies": _object(
            {
                "symbols": SYMBOLS | {"description": f"{bundle.EVERY_SYMBOL} is every one"},
                "services": NAMES | {"description": f"left out: {bundle.SERVICE} alone"},
            },
            needed=("symbols",),
        ),
        "when": {"$ref": "#/$defs/condition"},
        "action": {
            "anyOf": [
                {"$ref": "#/$defs/action"},
                {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/action"}},
            ]
        },
        "status": {"enum": list(bundle.STATUSES)},
        "valid_from": MOMENT_UTC | {"description": "before it the rule is as if it were not there"},
        "valid_until": MOMENT_UTC | {"description": "from then on, too"},
        "description": {"type": "string"},
        "schema_version": {"type": "integer", "minimum": 1},
    }  # fmt: skip
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A rule of Chimera's S3 (strategy_rules)",
        **_object(properties, needed=bundle.NEEDED),
        "$defs": {
            "condition": {"anyOf": [*_joints(), *_comparisons()]},
            "action": {"anyOf": [_action(kind) for kind in action.READERS]},
        },
    }


def _joints() -> list[Schema]:
    condition = {"$ref": "#/$defs/condition"}
    several = {"type": "array", "minItems": 1, "maxItems": clause.MAX_LISTED, "items": condition}
    inside = {"allOf": several, "anyOf": several, "not": condition}
    return [_object({joint: inside[joint]}, needed=(joint,)) for joint in clause.JOINTS]


def _comparisons() -> list[Schema]:
    plain = [op for op in OPS if op not in ("in", "between")]
    two = {"type": "array", "minItems": 2, "maxItems": 2, "items": NUMBER}
    several = {"type": "array", "minItems": 1, "maxItems": clause.MAX_LISTED, "items": NUMBER}
    return [
        _object({"f": NAME, "op": ops, "v": value}, needed=("f", "op", "v"))
        for ops, value in (({"enum": plain}, NUMBER), ({"const": "in"}, several), ({"const": "between"}, two))
    ]


def _action(kind: str) -> Schema:
    needed = ("type",) if kind == "skip_entry" else ("type", "value")
    return _object({"type": {"const": kind}, "value": _value(kind)}, needed=needed)


def _value(kind: str) -> Schema:
    match kind:
        case "skip_entry":
            return {"enum": [True, None]}
        case "side":
            return {"enum": [side.value for side in Side]}
        case "market":
            return {"enum": [market.value for market in Market]}
        case "exec_policy":
            return {"anyOf": [_object({"type": {"enum": ["MARKET", "OCO"]}}, needed=("type",)), _maker()]}
    return ABOVE_ZERO


def _maker() -> Schema:
    twap = {
        "slices": _whole(1, action.MAX_SLICES),
        "slice_usdt": ABOVE_ZERO,
        "gap_ms": _whole(0, action.MAX_GAP_MS),
        "curve": {"enum": [shape.value for shape in Shape]},
    }
    return _object(
        {
            "type": {"const": "MakerThenTaker"},
            "maker_wait_ms": _whole(0, action.MAX_WAIT_MS),
            "twap": _object(twap) | {"not": {"required": ["slices", "slice_usdt"]}},
        },
        needed=("type",),
    )


def _whole(least: int, most: int) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most}


def _object(properties: Schema, *, needed: Sequence[str] = ()) -> Schema:
    told: Schema = {"type": "object", "additionalProperties": False, "properties": properties}
    return told | ({"required": list(needed)} if needed else {})
