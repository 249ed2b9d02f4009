"""Roles, attacks, canaries, and two examples of each face's operation, as ``make proof ID=OP-2`` makes thousands."""

import pytest

from chimera.services.access.table import endpoint_of
from chimera.services.service import Service
from proofs.op_2 import FIXED, fits, stands, tried

EXAMPLES = 2


@pytest.mark.slow
@pytest.mark.req("OP-2")
async def test_nobody_gets_further_than_their_role_and_no_secret_is_shown() -> None:
    measured = await tried(EXAMPLES, FIXED)

    assert stands(measured, EXAMPLES), {name: measured[name] for name in ("wrong", "taken", "found", "shown", "done")}
    assert measured["operations"] > 25
    assert measured["canaries"] > 10
    assert set(measured["asked_by_role"]) >= {"nobody", "read", "trade", "operate", "admin", "s3", "late", "forged"}


@pytest.mark.parametrize(
    ("name", "status", "good"),
    [("nobody", 401, True), ("nobody", 200, False), ("nobody", 500, False), ("trade", 403, True), ("trade", 202, False),
     ("admin", 400, True), ("admin", 403, False), ("s3", 403, True), ("s3", 200, False), ("gone", 200, False)],
)  # fmt: skip
def test_the_judge_of_roles_hears_what_the_table_does_not_say(name: str, status: int, good: bool) -> None:
    arming = endpoint_of(Service.S4, "POST", "/arm")
    assert arming is not None

    assert fits(arming, name, status) is good
