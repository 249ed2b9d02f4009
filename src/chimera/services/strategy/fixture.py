"""A decision as a file: its case, what decided it and what came of it, so that any machine can decide it again.

Nothing else is needed: no ledger, no registry, no service. ``chimera replay --fixture`` checks such a file, and so does
every test run of those in ``tests/fixtures/decisions``. Pure.
"""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from chimera.decide.decision import Case, decide
from chimera.decide.outcome import Outcome, Part, outcome, parts
from chimera.decide.rules.bundle import Bounds, compile_bundle
from chimera.decide.rules.finding import LintFailed
from chimera.decide.rules.flags import Flags, under
from chimera.services.strategy.compiling import Made
from chimera.services.strategy.tracing import decided
from chimera.trading.errors import Refused
from chimera.trading.money import Millis
from chimera.trading.value import Value
from chimera.wire.codec import SCHEMA_VERSION, check_version, plain


class Fixture(Value, tag=False):
    """``bounds`` are those that held, the environment's included; ``factors`` what the registry knew."""

    signal_id: str
    at_ms: Millis
    symbol: str
    bundle_id: str
    rules: tuple[dict[str, Any], ...]
    bounds: Bounds
    flags: Flags
    factors: tuple[str, ...]
    case: Case
    decided: Outcome
    schema_version: int = SCHEMA_VERSION


def exported(
    row: Mapping[str, Any], rules: Sequence[Mapping[str, Any]], made: Made, factors: frozenset[str]
) -> dict[str, Any]:
    """Of a row that has a case."""
    return {
        "schema_version": SCHEMA_VERSION,
        "signal_id": row["signal_id"],
        "at_ms": row["t0"],
        "symbol": row["symbol"],
        "bundle_id": made.bundle.bundle_id,
        "rules": [dict(rule) for rule in rules],
        "bounds": plain(made.bundle.bounds),
        "flags": plain(made.flags),
        "factors": sorted(factors),
        "case": row["case"],
        "decided": plain(decided(row)),
    }


def read_fixture(file: bytes) -> Fixture:
    """Raises ``Refused`` for what is none, ``NewerSchema``."""
    try:
        document = json.loads(file, parse_float=Decimal)
        check_version(int(document["schema_version"]))
        return msgspec.convert(document, Fixture, strict=False)
    except (ValueError, KeyError, TypeError) as wrong:  # msgspec's error is a ValueError
        accepted = "what GET /decisions/{signal_id}/fixture answered"
        raise Refused("FIXTURE", f"no decision's fixture: {wrong}", accepted=accepted) from wrong


def replayed(fixture: Fixture) -> tuple[Part, ...]:
    """Where it would be decided otherwise by now; empty: it is the same. Raises ``Refused`` for rules of no use."""
    try:
        bundle = compile_bundle(
            fixture.rules,
            bundle_id=fixture.bundle_id,
            rev=0,
            bounds=fixture.bounds,
            factors=frozenset(fixture.factors),
        )
    except LintFailed as wrong:
        words = "; ".join(map(str, wrong.findings))
        raise Refused("BUNDLE_REFUSED", words, field="rules", value=fixture.bundle_id) from wrong
    return parts(fixture.decided, outcome(under(fixture.flags, decide(bundle, fixture.case))))
