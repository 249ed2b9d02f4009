"""Decisions exported from the console (``GET /decisions/{signal_id}/fixture``): each is decided as it was.

To keep one for ever, put its file into ``tests/fixtures/decisions``.
"""

from pathlib import Path

import pytest

from chimera.services.strategy.fixture import read_fixture, replayed

FILES = sorted((Path(__file__).parents[2] / "fixtures" / "decisions").glob("*.json"))


@pytest.mark.req("S3-PER-1")
@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in FILES])
def test_what_was_decided_is_decided_again(path: Path) -> None:
    assert replayed(read_fixture(path.read_bytes())) == ()
