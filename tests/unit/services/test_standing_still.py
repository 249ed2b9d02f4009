"""A service stands still for its collector's sake no longer than for what it makes while it runs."""

import subprocess
import sys

import pytest

from chimera.services.serving import YOUNG_MOST

RUN = """
import gc
from chimera.services import serving
from chimera.services.router import main

async def looked_at():
    return len(gc.get_objects())

made = len(gc.get_objects())
print(serving.run(looked_at) / made, gc.get_threshold()[0])
"""


@pytest.mark.req("I10")
def test_what_importing_has_made_is_not_looked_at_again() -> None:
    said = subprocess.run([sys.executable, "-c", RUN], capture_output=True, text=True, check=True, timeout=60)
    share, young = said.stdout.split()
    assert float(share) < 0.1
    assert int(young) == YOUNG_MOST
