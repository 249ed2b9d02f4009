"""Worlds begin clean."""

import gc

import pytest


@pytest.fixture(autouse=True, scope="module")
def _without_leftovers() -> None:
    """What other tests left in cycles ends now: its ``finally`` would ask for the time while a fence is up."""
    gc.collect()
