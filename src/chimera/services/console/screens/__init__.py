"""Every screen of the console, in the order of the navigation. To add one: a module here, a template of its name."""

from typing import Final

from chimera.services.console.screen import Screen
from chimera.services.console.screens import (
    alerts,
    compare,
    config,
    decision,
    doctor,
    doubts,
    execution,
    kill,
    order,
    orders,
    protection,
    replay,
    simulator,
    system,
    venue,
    whatif,
    why,
    working,
)

SCREENS: Final[tuple[Screen, ...]] = (
    protection.SCREEN,
    orders.SCREEN,
    order.SCREEN,
    replay.SCREEN,
    doubts.SCREEN,
    kill.SCREEN,
    working.SCREEN,
    why.SCREEN,
    whatif.SCREEN,
    compare.SCREEN,
    decision.SCREEN,
    execution.SCREEN,
    config.SCREEN,
    config.BUNDLE,
    venue.SCREEN,
    alerts.SCREEN,
    system.SCREEN,
    doctor.SCREEN,
    simulator.SCREEN,
)
