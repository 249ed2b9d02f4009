"""Draw ``docs/conformance.md`` anew from a run of ``tests/conformance``; exit 1 if that run is not all green."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    command = [sys.executable, "-m", "pytest", "-q", "tests/conformance"]
    return subprocess.run(command, cwd=ROOT, env=os.environ | {"CONFORMANCE_DRAW": "1"}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
