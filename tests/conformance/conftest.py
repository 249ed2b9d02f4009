"""What all conformance tests share."""

import pytest


@pytest.fixture(scope="session")
def verdicts() -> dict[tuple[str, str], str]:
    """(operation, client) → verdict, as this run found it."""
    return {}
