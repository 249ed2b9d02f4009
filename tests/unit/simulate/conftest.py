"""Desks at markets of the usual shapes."""

from collections.abc import Callable

import pytest
from trading_desk import Desk


@pytest.fixture
def desk() -> Desk:
    """A quiet touch-only market at 65,799.9 / 65,800.0 with five on each side."""
    desk = Desk()
    desk.top("65799.9", "65800.0")
    return desk


@pytest.fixture
def deep_desk() -> Desk:
    """A market with depth."""
    desk = Desk()
    desk.depth(
        {"65799.9": "0.5", "65799.8": "1", "65799.0": "2"}, {"65800.0": "0.5", "65800.1": "1", "65801.0": "2"}, True
    )
    return desk


@pytest.fixture
def new_desk() -> Callable[..., Desk]:
    """Desks with other options."""
    return Desk
