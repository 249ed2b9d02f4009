"""Write ``docs/settings.md`` from the settings objects of the services (``make docs``); a test keeps it current."""

import sys
from pathlib import Path

from chimera.services.alerts import settings as alerts
from chimera.services.router import settings as router
from chimera.services.simulator.settings import SimulatorSettings
from chimera.services.strategy import settings as strategy

PAGE = Path(__file__).resolve().parents[1] / "docs" / "settings.md"
INTRO = """# Settings

Written by `tools/settings_page.py` from the settings of the services; do not edit by hand.

Each service reads its environment once, at the start. Every fault is told in one message naming the variables; a
variable with the service's prefix that is not known is a fault, too, so that a misspelt limit is not silently
no limit. An empty variable counts as unset. Amounts are plain digits.

"""


def strategy_rows() -> str:
    return _table(strategy.describe())


def router_rows() -> str:
    return _table(router.describe())


def _table(rows: list[tuple[str, str, str, str]]) -> str:
    lines = ["| variable | default | unit | meaning |", "| --- | --- | --- | --- |"]
    for name, default, unit, sentence in rows:
        lines.append(f"| `{name}` | {default} | {unit.replace('|', ' or ')} | {sentence.replace('|', '&#124;')} |")
    return "\n".join(lines) + "\n"


def alerts_rows() -> str:
    return _table(alerts.describe())


def simulator_rows() -> str:
    """What ``chimera sim`` reads from the environment; all else is an option (``chimera sim --help``)."""
    told = SimulatorSettings()
    return (
        "| variable | default | meaning |\n| --- | --- | --- |\n"
        f"| `CHIMERA_SIM_PORT` | {told.port} | REST of both markets, futures' WebSockets; 0: any free one. |\n"
        "| `CHIMERA_SIM_SPOT_PORT` | the next port | The same REST, spot's WebSockets; 0: any free one. |\n"
    )


def page() -> str:
    return (
        f"{INTRO}## S3, the strategy engine\n\n"
        f"{strategy_rows()}\n"
        f"## S4, the order router\n\n{router_rows()}\n"
        "A secret may also come from a file that only its owner may read: `S4_BINANCE_KEY_FILE`, "
        f"`S4_BINANCE_SECRET_FILE`, `S4_DB_ARANGO_PASS_FILE`, `S3_DB_ARANGO_PASS_FILE`. "
        "The first two are read again when they change;\neverything else is read once.\n\n"
        f"## The alerts\n\n{alerts_rows()}\n"
        f"## The simulated exchange\n\n{simulator_rows()}"
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.exit(0)
