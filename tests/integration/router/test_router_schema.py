"""Requests made from the published schema, right and wrong: never a 5xx, never an answer outside the schema.

That a schema-valid order may be refused is left out: symbols, ticks and ids that must not both be absent are no matter
of schema.
"""

import schemathesis
from hypothesis import HealthCheck, settings
from router_fake import FakeRouter, FixedClock
from schemathesis.checks import CHECKS
from schemathesis.checks import load_all_checks as _load

from chimera.services.router.http import build_app

_load()
NOT_OURS = [CHECKS.get_one("positive_data_acceptance")]
schema = schemathesis.openapi.from_asgi("/openapi.json", build_app(FakeRouter(), clock=FixedClock()))


@schema.parametrize()
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_api_keeps_its_schema(case: schemathesis.Case) -> None:
    case.call_and_validate(excluded_checks=NOT_OURS)
