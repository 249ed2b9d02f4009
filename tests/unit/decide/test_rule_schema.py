"""The published schema and lint: one language."""

import json
from copy import deepcopy
from decimal import Decimal
from typing import Any

import jsonschema_rs
import pytest
from decide_cases import FACTORS, a_rule, fixture
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera.decide.rules.action import READERS
from chimera.decide.rules.bundle import read_rule
from chimera.decide.rules.schema import rule_schema
from chimera.services.strategy.demo import demo_bundle

SCHEMA = jsonschema_rs.validator_for(rule_schema())
X = {"f": "x", "op": ">", "v": 0}
WHOLE = a_rule(
    "R",
    {"allOf": [X, {"anyOf": [{"not": {"f": "y", "op": "in", "v": [1, "2.5"]}}, X | {"op": "between", "v": [0, 1]}]}]},
    [
        {"type": "size_mult", "value": "1.2"},
        {"type": "side", "value": "BUY"},
        {"type": "market", "value": "FUT"},
        {
            "type": "exec_policy",
            "value": {
                "type": "MakerThenTaker",
                "maker_wait_ms": 9,
                "twap": {"slices": 2, "gap_ms": 5, "curve": "sqrt"},
            },
        },
    ],
    applies={"symbols": ["BTCUSDT"], "services": ["s3-strategy"]},
    valid_from="2026-11-21T08:00:00Z",
    valid_until="2026-11-21T09:00:00.500Z",
    description="words",
    schema_version=1,
)


def plain(document: Any) -> Any:
    """As JSON has it."""
    return json.loads(json.dumps(document, default=float))


def exact(document: Any) -> Any:
    return json.loads(json.dumps(document), parse_float=Decimal)


def findings(document: Any) -> Any:
    return read_rule(exact(document), FACTORS)[1]


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    inner: Any = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(place for key, part in inner for place in places(part, (*path, key)))]


def changed(document: Any, place: tuple[Any, ...], value: Any) -> Any:
    if not place:
        return value
    again = deepcopy(document)
    *way, last = place
    node = again
    for key in way:
        node = node[key]
    node[last] = value
    return again


@pytest.mark.req("S3-L1-1")
@pytest.mark.parametrize("document", [fixture("rule_r023.json"), WHOLE, *demo_bundle()["rules"]], ids=str)
def test_real_rules_are_in_the_schema(document: Any) -> None:
    assert list(SCHEMA.iter_errors(plain(document))) == []


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2_000_000) | st.text(max_size=4)
    | st.sampled_from(["x", "*", "BUY", "OCO", "skip_entry", "between", "2026-11-21T08:00:00Z", "1.5", "-1", "0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["f", "op", "not", "type"]), inner),
    max_leaves=4,
)  # fmt: skip


@pytest.mark.req("S3-L1-2")
@settings(max_examples=600, deadline=None)
@given(st.sampled_from(places(WHOLE)), anything)
def test_what_the_schema_refuses_lint_refuses(place: tuple[Any, ...], value: Any) -> None:
    """One place of a whole rule made into anything."""
    document = changed(WHOLE, place, value)

    if not SCHEMA.is_valid(document):
        assert findings(document)


KNOWN_TO_LINT_ALONE = ("registry", "can never hold", "valid_from", "nested", "twice", "again", "stands alone", "moment")


@pytest.mark.req("S3-L1-2")
@settings(max_examples=600, deadline=None)
@given(st.sampled_from(places(WHOLE)), anything)
def test_what_lint_refuses_by_shape_the_schema_refuses(place: tuple[Any, ...], value: Any) -> None:
    document = changed(WHOLE, place, value)
    by_shape = [
        finding for finding in findings(document) if not any(word in finding.message for word in KNOWN_TO_LINT_ALONE)
    ]

    assert not (by_shape and SCHEMA.is_valid(document)), by_shape


def test_every_action_has_its_own_form() -> None:
    kinds = [form["properties"]["type"]["const"] for form in rule_schema()["$defs"]["action"]["anyOf"]]

    assert kinds == list(READERS)
