"""Decide a claim: ``make proof ID=FL-3`` or, without an id, all of them (exit 0 when every one stands).

Each proof prints exactly one JSON line on stdout, ``{id, measured, bar, pass, seed, commit, machine}``; whatever else
it has to say goes to stderr. Numbers hold for this machine and this commit only, so both are in the line.
"""

import contextlib
import importlib
import json
import os
import platform
import subprocess
import sys
import traceback
from decimal import Decimal
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from proofs.measured import Measured  # noqa: E402  (found by the line above)


def known() -> list[str]:
    """FL-2 is proved by ``proofs/fl_2.py``."""
    return sorted(path.stem.upper().replace("_", "-") for path in (ROOT / "proofs").glob("[a-z]*_[0-9]*.py"))


def commit() -> str:
    """The commit, marked where the tree differs from it."""
    head = _git("rev-parse", "HEAD")
    return head + ("-dirty" if _git("status", "--porcelain", "--untracked-files=no") else "")


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def machine() -> str:
    names = [line.split(":", 1)[1].strip() for line in _cpu_lines() if line.startswith("model name")]
    cpu = names[0] if names else platform.machine()
    return f"{os.cpu_count()} x {cpu}, {platform.system()} {platform.release()}, Python {platform.python_version()}"


def _cpu_lines() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def prove(proof_id: str) -> Measured:
    module = importlib.import_module(f"proofs.{proof_id.lower().replace('-', '_')}")
    with contextlib.redirect_stdout(sys.stderr):
        try:
            found: Measured = module.prove()
        except Exception as error:  # noqa: BLE001  # a proof that falls over is a claim that does not stand
            traceback.print_exc()
            return Measured({"error": f"{type(error).__name__}: {error}"}, getattr(module, "BAR", ""), passed=False)
    return found


def tell(proof_id: str, found: Measured) -> str:
    return json.dumps(
        {
            "id": proof_id,
            "measured": found.measured,
            "bar": found.bar,
            "pass": found.passed,
            "seed": found.seed,
            "commit": commit(),
            "machine": machine(),
        },
        default=lambda value: str(value) if isinstance(value, Decimal | Path) else repr(value),
    )


def main(asked: list[str]) -> int:
    strangers = [proof_id for proof_id in asked if proof_id not in known()]
    if strangers:
        print(f"no proof of {', '.join(strangers)}; there are: {', '.join(known())}", file=sys.stderr)
        return 2
    stands = True
    for proof_id in asked or known():
        found = prove(proof_id)
        stands &= found.passed
        print(tell(proof_id, found), flush=True)
    return 0 if stands else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
