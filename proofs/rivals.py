"""One set of rules for four engines: ours, zen-engine (a decision table), json-logic and rule-engine.

A rule is ``low <= x <= high and y >= least``; whichever hold are told by name. The others compare floats and tell names
alone; ours compares exact decimals, and ``decide`` also judges gates, size, stop and target.
"""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import rule_engine
import zen
from json_logic import jsonLogic

from chimera.decide.rules.bundle import Bound, Bounds, Bundle, compile_bundle

Matcher = Callable[[Decimal, Decimal], list[str]]
FACTORS: Final = ("x", "y")
WIDE: Final = Bound(low=Decimal("0.1"), high=Decimal(10))


class Terms:
    """Rule number ``i`` of ``size``: about one in twenty-five holds for an ``x`` between 0 and 10."""

    def __init__(self, i: int) -> None:
        self.name = f"R{i:05}"
        self.priority = i
        self.low = Decimal(i * 37 % 100) / 10
        self.high = self.low + Decimal("0.4")
        self.least = Decimal(i % 9) / 10


def ours(rules: list[Terms]) -> Bundle:
    """With one rule more that always holds and names the side, so that a decision opens."""
    documents = [
        _document(
            each.name,
            each.priority,
            {
                "allOf": [
                    {"f": "x", "op": "between", "v": [str(each.low), str(each.high)]},
                    {"f": "y", "op": ">=", "v": str(each.least)},
                ]
            },
            {"type": "size_mult", "value": "1.01"},
        )
        for each in rules
    ]
    always = _document("SIDE", len(rules), {"f": "x", "op": ">=", "v": "-1"}, {"type": "side", "value": "BUY"})
    bounds = Bounds(size_mult=WIDE.but(high=Decimal("1.5")), sl_mult=WIDE, tp_mult=WIDE)
    return compile_bundle([*documents, always], bundle_id="bench", rev=1, bounds=bounds, factors=FACTORS)


def _document(name: str, priority: int, when: Any, action: Any) -> dict[str, Any]:
    applies = {"symbols": ["*"]}
    head = {"rule_id": name, "priority": priority, "applies": applies, "status": "ENABLED"}
    return head | {"when": when, "action": action}


def theirs(rules: list[Terms]) -> dict[str, Matcher]:
    return {"zen_engine": _zen(rules), "json_logic": _json_logic(rules), "rule_engine": _rule_engine(rules)}


def _zen(rules: list[Terms]) -> Matcher:
    rows = [
        {"_id": each.name, "x": f"[{each.low}..{each.high}]", "y": f">= {each.least}", "rule": f"'{each.name}'"}
        for each in rules
    ]
    columns = [{"id": name, "name": name, "field": name, "type": "expression"} for name in (*FACTORS, "rule")]
    table = {"hitPolicy": "collect", "inputs": columns[:2], "outputs": columns[2:], "rules": rows}
    at = {"position": {"x": 0, "y": 0}}
    nodes = [
        {"id": "in", "type": "inputNode", "name": "in", **at},
        {"id": "table", "type": "decisionTableNode", "name": "table", "content": table, **at},
        {"id": "out", "type": "outputNode", "name": "out", **at},
    ]
    edges = [
        {"id": f"{one}-{other}", "sourceId": one, "targetId": other, "type": "edge"}
        for one, other in (("in", "table"), ("table", "out"))
    ]
    decision = zen.ZenEngine().create_decision(json.dumps({"nodes": nodes, "edges": edges}))

    def match(x: Decimal, y: Decimal) -> list[str]:
        return [found["rule"] for found in decision.evaluate({"x": float(x), "y": float(y)})["result"]]

    return match


def _json_logic(rules: list[Terms]) -> Matcher:
    x, y = {"var": "x"}, {"var": "y"}
    conditions = [
        (each.name, {"and": [{"<=": [float(each.low), x, float(each.high)]}, {">=": [y, float(each.least)]}]})
        for each in rules
    ]

    def match(x: Decimal, y: Decimal) -> list[str]:
        values = {"x": float(x), "y": float(y)}
        return [name for name, condition in conditions if jsonLogic(condition, values)]

    return match


def _rule_engine(rules: list[Terms]) -> Matcher:
    compiled = [
        (each.name, rule_engine.Rule(f"x >= {each.low} and x <= {each.high} and y >= {each.least}")) for each in rules
    ]

    def match(x: Decimal, y: Decimal) -> list[str]:
        values = {"x": x, "y": y}
        return [name for name, rule in compiled if rule.matches(values)]

    return match
