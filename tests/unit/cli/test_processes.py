"""What a child that ended is told by: its own complaint where it made one, else the end of its log."""

from pathlib import Path

import pytest

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
