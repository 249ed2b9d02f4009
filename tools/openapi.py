"""Write ``openapi.json``: the schemas of S3, S4 and the alerts, as their applications serve them (``make docs``)."""

import json
import sys
from pathlib import Path
from typing import Any, cast

from chimera.services.alerts import http as alerts
from chimera.services.router import http as router
from chimera.services.strategy import http as strategy

PAGE = Path(__file__).resolve().parents[1] / "openapi.json"


class Nobody:
    """Stands where nobody is asked: a schema calls nothing."""


def page() -> str:
    nobody = cast("Any", Nobody())
    schemas = {
        "s3-strategy-engine": strategy.build_app(nobody).openapi(),
        "alerts": alerts.build_app(nobody, nobody, nobody).openapi(),
        "s4-order-router": router.build_app(nobody, clock=nobody).openapi(),
    }
    return json.dumps(schemas, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"wrote {PAGE.name}\n")
