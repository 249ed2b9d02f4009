"""The published schemas say who may ask as the gates answer it: every operation, asked with what it says is needed."""

from typing import Any

import pytest
from access_doors import TOKENS, Doors, bearer

from chimera.services.access.table import ROLES
from chimera.services.service import Service

BELOW = {"trade": "read", "operate": "trade", "admin": "operate"}


def operations(doors: Doors, service: Service) -> list[tuple[str, str, Any]]:
    paths = doors.apps[service].openapi()["paths"]
    return [(method.upper(), path, told) for path, methods in paths.items() for method, told in methods.items()]


@pytest.mark.parametrize("service", [Service.S3, Service.S4])
async def test_each_operation_lets_in_whom_its_schema_names_and_nobody_below(doors: Doors, service: Service) -> None:
    seen = set()
    async with doors.client(service) as client:

        async def status(method: str, path: str, **headers: str) -> int:
            body = b"{}" if method == "POST" else None
            return (
                await client.request(method, path.replace("{name}", "x"), headers=headers, content=body)
            ).status_code

        for method, path, told in operations(doors, service):
            doors.clock.pass_ms(1_000)  # ten wrong tokens in two seconds are too many
            named = [need["token"][0] for need in told["security"] if "token" in need]
            open_to_all = not told["security"] or {} in told["security"]
            assert (await status(method, path) != 401) is open_to_all, path
            for role in (each for each in named if each in ROLES):
                seen.add(role)
                assert await status(method, path, **bearer(role)) not in (401, 403), path
                if role in BELOW:
                    assert await status(method, path, **bearer(BELOW[role])) == 403, path
            assert (await status(method, path, **bearer("s3")) != 403) is ("s3" in named or open_to_all), path
            assert named == [need["signed"][0] for need in told["security"] if "signed" in need]
            assert open_to_all or {"401", "403", "429"} <= set(told["responses"]), path

    assert seen == set(ROLES if service is Service.S4 else ["read", "trade", "operate"])


def test_a_schema_names_its_schemes_and_shows_no_token(doors: Doors) -> None:
    for service in (Service.S3, Service.S4):
        schema = doors.apps[service].openapi()
        schemes = schema["components"]["securitySchemes"]
        used = {name for _, _, told in operations(doors, service) for need in told["security"] for name in need}
        assert used == set(schemes)
        assert {each["type"] for each in schemes.values()} == {"http"}
        assert not any(token in repr(schema) for token in TOKENS.values())
