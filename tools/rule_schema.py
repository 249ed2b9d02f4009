"""Write ``docs/rule.schema.json``: what a rule document looks like, as S3's own reader knows it (``make docs``)."""

import json
import sys
from pathlib import Path

from chimera.decide.rules.schema import rule_schema

PAGE = Path(__file__).resolve().parents[1] / "docs" / "rule.schema.json"


def page() -> str:
    return json.dumps(rule_schema(), indent=1) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"wrote docs/{PAGE.name}\n")
