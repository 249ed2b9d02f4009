"""What is on record of a rehearsal against Binance: the difference that was committed, or that there is none."""

import json
from pathlib import Path
from typing import Final

NEVER_TRIED: Final = "not yet run against Binance: everything so far was tried against our own simulator alone"
RECORD: Final = Path("docs") / "conformance" / "demo.json"
ROOT: Final = Path(__file__).resolve().parents[4]  # of the repository; elsewhere there is no record


def told(root: Path = ROOT) -> str:
    """A sentence for ``chimera doctor``."""
    try:
        document = json.loads((root / RECORD).read_text(encoding="utf-8"))
        rows = [row["same"] for row in document["rows"] if row["same"] is not None]
        if document["environment"] != "demo" or not rows:
            return NEVER_TRIED
        return f"rehearsed on demo on {document['at']}: {sum(rows)} of {len(rows)} answers are the twin's ({RECORD})"
    except FileNotFoundError:
        return NEVER_TRIED
    except (OSError, ValueError, LookupError, TypeError) as error:
        return f"{NEVER_TRIED} ({RECORD} cannot be read: {error})"
