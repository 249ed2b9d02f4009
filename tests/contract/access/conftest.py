"""Three services behind their gates."""

from pathlib import Path

import pytest
from access_doors import Doors


@pytest.fixture
def doors(tmp_path: Path) -> Doors:
    return Doors(tmp_path / "tokens.json")
