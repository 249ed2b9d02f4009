"""What a child that ended is told by: its own complaint where it made one, else the end of its log."""

import os
from pathlib import Path
from typing import Any

import pytest

from chimera.cli.up.household import Household
from chimera.cli.up.options import UpOptions
from chimera.cli.up.processes import Child

LOGGED = '{"event": "sweep_asks", "level": "info"}'


@pytest.mark.parametrize(
    ("log", "told"),
    [
        ([LOGGED, "chimera: the port is taken"], "the port is taken"),
        (
            [LOGGED, "chimera: S4 cannot start with this environment:", "  S4_SYMBOLS is empty", "  PORT is no port"],
            "S4 cannot start with this environment: S4_SYMBOLS is empty; PORT is no port",
        ),
        (["chimera: of an earlier start", LOGGED], f"Its log (LOG) ends: chimera: of an earlier start | {LOGGED}"),
        ([], "Its log (LOG) is empty."),
    ],
)
def test_its_last_words(log: list[str], told: str, tmp_path: Path) -> None:
    path = tmp_path / "s4.log"
    path.write_text("\n".join(log), encoding="utf-8")

    assert Child("s4", ["s4"], {}, path).last_words() == told.replace("LOG", str(path))


@pytest.mark.slow
async def test_alerts_that_cannot_start_are_told_of_and_the_house_goes_on(tmp_path: Path) -> None:
    """Nobody would keep them, and nobody would know."""
    told: list[dict[str, Any]] = []
    house = Household(UpOptions(state=tmp_path), told.append)
    environ = {**os.environ, "ALERTS_WEBHOOK_URL": "http://127.0.0.1:9"}
    child = Child("alerts", ["alerts", "serve"], environ, tmp_path / "alerts.log")
    house._others = [child]
    child.start()
    try:
        await house.failed()
    finally:
        await child.stop()

    [fallen] = told
    assert (fallen["severity"], fallen["code"]) == ("ERROR", "FELL")
    assert "ALERTS_WEBHOOK_SECRET_FILE go together" in fallen["text"]
    assert fallen["text"].endswith("is missing; everything else goes on without it")
