"""Every screen of the console, in the order of the navigation. To add one: a module here, a template of its name."""

from typing import Final

from chimera.services.console.screen import Screen
from chimera.services.console.screens import alerts, decision, order, orders, protection, why

SCREENS: Final[tuple[Screen, ...]] = (
    protection.SCREEN,
    orders.SCREEN,
    order.SCREEN,
    why.SCREEN,
    decision.SCREEN,
    alerts.SCREEN,
)
