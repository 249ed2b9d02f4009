"""Alerts of the last half hour, newest first."""

from collections.abc import Mapping
from typing import Final

from chimera.services.console.screen import Group, Screen, Section, Shown


def _alerts(shown: Shown) -> Mapping[str, object]:
    return {"alerts": tuple(reversed(shown.seen.alerts))}


SCREEN: Final = Screen(
    name="alerts",
    title="Alerts",
    path="/alerts",
    key="a",
    says="What wanted to be heard, newest first.",
    group=Group.HOUSE,
    thumb=True,
    sections=(Section("alerts", "Alerts", reads=("alerts",), content=_alerts),),
)
