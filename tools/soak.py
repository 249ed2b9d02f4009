"""Real processes killed with -9 under load (``make soak [KILLS=200] [SEED=1]``): one JSON line; exit 0: all held."""

import argparse
import asyncio
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from proofs.soak.run import soak  # noqa: E402  (found by the line above)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="an empty folder for audit, ledgers and logs")
    asked = parser.parse_args()
    if asked.keep is not None:
        asked.keep.mkdir(parents=True, exist_ok=True)

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    told = asyncio.run(soak(asked.kills, asked.seed, folder=asked.keep, say=say))
    print(json.dumps(told, default=str), flush=True)
    return 0 if told.good else 1


if __name__ == "__main__":
    sys.exit(main())
